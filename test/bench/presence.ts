/**
 * What a cycle of SUBSCRIBE, PUBLISH, un-PUBLISH and un-SUBSCRIBE with its NOTIFYs costs, by service, beside Kamailio with its states in
 * memory: `node --import tsx --conditions=@rollcall/source test/bench/presence.ts [--seconds N] [--rounds N] [--outstanding N]
 * [--warm SECONDS]`.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildGenerator, runLoad } from './generator.ts';
import { readOptions } from './options.ts';
import { Peer } from './peers.ts';
import { cpuSeconds, processTree, residentMemory } from './processes.ts';
import { commandLine } from '../setup/command-line.ts';

const USAGE = `node --import tsx --conditions=@rollcall/source test/bench/presence.ts [--seconds 5] [--rounds 3] [--outstanding 32] [--warm 60]
`;

/** Seconds; Kamailio needs none, and what a minute of this load leaves in its tables makes it forty times as slow. */
const KAMAILIO_WARM = 8;
const WORK = resolve('.bench');
const KAMAILIO_PORT = 15062;
const here = fileURLToPath(new URL('.', import.meta.url));

const { values } = commandLine(USAGE, {
  options: {
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    outstanding: { type: 'string', default: '32' },
    // Of Rollcall: Node goes on compiling for tens of thousands of cycles.
    warm: { type: 'string', default: '60' },
  },
});
const seconds = Number(values.seconds);
const outstanding = Number(values.outstanding);

interface Server {
  readonly port: number;
  pids(): readonly number[];
  readonly redis: { readonly pid: number; commands(): number } | undefined;
  stop(): Promise<void>;
}

/** Kamailio with its presence module, all states in its own memory, no passwords asked. */
async function startKamailio(): Promise<Server> {
  const dir = `${WORK}/kamailio-presence`;
  mkdirSync(dir, { recursive: true });
  const port = String(KAMAILIO_PORT);
  const define = (name: string, value: string): string[] => ['-A', `${name}="${value}"`];
  const child: ChildProcess = spawn(
    'kamailio',
    [
      '-x', 'fm', '-X', 'fm', '-b', '4194304', '-DD', '-E', '-f', `${here}presence-mem.cfg`, '-m', '4096', '-M', '64',
      '-n', '4', '-N', '4', '-l', `udp:127.0.0.1:${port}`, '-l', `tcp:127.0.0.1:${port}`, '-P', `${dir}/pid`, '-Y', dir, '-w', dir,
      ...define('CTLSOCK', `unix:${dir}/ctl`), ...define('TEXTDB', `text://${dir}/dbtext`),
      ...define('DBURL', 'redis://127.0.0.1:1/0'), ...define('PRESADDR', `sip:127.0.0.1:${port}`),
    ],
    { stdio: 'ignore' },
  ); // prettier-ignore
  await sleep(2_000);
  if (child.exitCode !== null) throw new Error('kamailio ended at once');
  return {
    port: KAMAILIO_PORT,
    pids: () => processTree(child.pid ?? 0),
    redis: undefined,
    stop: async () => {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** CPU seconds by the name of the service. */
function cpuByName(pids: readonly number[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const pid of pids) {
    const name = residentMemory(pid)?.name ?? 'ended';
    sums.set(name, (sums.get(name) ?? 0) + cpuSeconds([pid]));
  }
  return sums;
}

async function measure(
  name: string,
  warm: number,
  start: () => Promise<Server>,
  binary: string,
): Promise<void> {
  const server = await start();
  const load = { port: server.port, mode: 'cycle', transport: 'udp', users: 20_000, outstanding } as const;
  try {
    await runLoad(binary, { ...load, seconds: warm });
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const before = cpuByName(server.pids());
      const redis = cpuSeconds([server.redis?.pid ?? 0]);
      const commands = server.redis?.commands() ?? 0;
      const result = await runLoad(binary, { ...load, seconds });
      const each = (cpu: number): number => (cpu * 1e6) / Math.max(1, result.ok);
      const after = cpuByName(server.pids());
      const parts = [...after].map(([part, cpu]) => [part, each(cpu - (before.get(part) ?? 0))] as const);
      if (server.redis !== undefined) parts.push(['redis', each(cpuSeconds([server.redis.pid]) - redis)]);
      const total = parts.reduce((sum, [, us]) => sum + us, 0);
      const shown = parts.filter(([, us]) => us >= 1).map(([part, us]) => `${part} ${us.toFixed(0)}`);
      const calls = ((server.redis?.commands() ?? 0) - commands) / Math.max(1, result.ok);
      console.log(
        `${name}: ${result.calls_per_s.toFixed(0)} cycles/s, failed ${String(result.failed)}; CPU µs a cycle ${total.toFixed(0)} (${shown.join(', ')}); ` +
          `generator ${each(result.gen_cpu).toFixed(0)}; commands of Redis, those in scripts included: ${calls.toFixed(1)}`,
      );
    }
  } finally {
    await server.stop();
  }
}

mkdirSync(WORK, { recursive: true });
const binary = buildGenerator(WORK);
await measure('kamailio', KAMAILIO_WARM, startKamailio, binary);
await measure('rollcall', Number(values.warm), () => Peer.start('rollcall', readOptions([]), WORK), binary);
