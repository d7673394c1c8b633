// A long run of test/chaos: vitest with the options in the environment.
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '900' },
    seed: { type: 'string', default: '20261' },
    faults: { type: 'string', default: '' },
    topologies: { type: 'string', default: 'single,sentinel,cluster' },
    devices: { type: 'string', default: '400' },
    watchers: { type: 'string', default: '400' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(
    'npm run chaos -- [--seconds 900] [--seed N] [--faults K09,K12] [--topologies single,sentinel,cluster] [--devices 400] [--watchers 400]\n',
  );
} else {
  const child = spawn(
    'npx',
    ['vitest', 'run', '--project', 'system', '--retry=0', 'test/chaos/chaos.test.ts'],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        CHAOS_SECONDS: values.seconds,
        CHAOS_SEED: values.seed,
        CHAOS_TOPOLOGIES: values.topologies,
        CHAOS_DEVICES: values.devices,
        CHAOS_WATCHERS: values.watchers,
        CHAOS_FAULTS: values.faults,
        // Rows by name are run alone.
        CHAOS_ROLLING: values.faults === '' ? '1' : '0',
      },
    },
  );
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
}
