/**
 * Rows K20, K21 and K25 of the fault board at their full size: `npm run abuse -- slow`, `npm run abuse -- spoofed`,
 * `npm run abuse -- vanished`. Each prints its figures as JSON; exit code 1 when phones were not served.
 */
import { spawnSync } from 'node:child_process';
import { commandLine } from '../setup/command-line.ts';
import { slowlySent } from './slow-senders.ts';
import { spoofed } from './spoofed-sources.ts';
import { vanished } from './vanished.ts';

const USAGE = `npm run abuse -- slow|spoofed|vanished [options]
  slow      K20: connections that send one byte every ten seconds, while phones connect and register
    --tcp N --tls N --ws N   (default 5000, 2000, 2000)
    --seconds N              (default 60)
  spoofed   K21: REGISTERs, each from another address, while phones register
    --sources N              (default 1000000)
    --rate N                 a second; 0 as fast as possible   (default 0)
  vanished  K25: registered TCP flows whose packets are all dropped; wants root
    --flows N                (default 10000)
`;
const EVERY_MS = 10_000;
const WITHOUT_SERVICE = 0.05;

const { values, positionals } = commandLine(USAGE, {
  allowPositionals: true,
  options: {
    tcp: { type: 'string', default: '5000' },
    tls: { type: 'string', default: '2000' },
    ws: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '60' },
    sources: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '0' },
    flows: { type: 'string', default: '10000' },
  },
});

function print(report: object, served: boolean): void {
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = served ? 0 : 1;
}

const [what] = positionals;
if (what === 'slow') {
  const senders = { tcp: Number(values.tcp), tls: Number(values.tls), ws: Number(values.ws) };
  const report = await slowlySent({ senders, seconds: Number(values.seconds), everyMs: EVERY_MS });
  print(report, report.phones.failed === 0 && report.ended.length === 0);
} else if (what === 'spoofed') {
  const report = await spoofed({ sources: Number(values.sources), perSecond: Number(values.rate) });
  const { tried, failed } = report.phones;
  print(report, failed <= tried * WITHOUT_SERVICE && report.ended.length === 0);
} else if (what === 'vanished' && process.env['ABUSE_OWN_NETWORK'] === undefined) {
  // Begins once more where routes are nobody else's.
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync(
    'unshare',
    ['-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...again],
    {
      stdio: 'inherit',
      env: { ...process.env, ABUSE_OWN_NETWORK: '1' },
    },
  );
  process.exitCode = status ?? 1;
} else if (what === 'vanished') {
  const report = await vanished(Number(values.flows));
  print(report, report.others === 0);
} else {
  process.stderr.write(USAGE);
  process.exitCode = 2;
}
