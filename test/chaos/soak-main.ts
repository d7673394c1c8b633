/**
 * K28: a whole system under steady load for hours: `npm run soak -- --hours 24`. Ends with exit code 1 when something was lost or
 * ended; whether memory, descriptors and keys are level is in the table.
 */
import { commandLine } from '../setup/command-line.ts';
import { printSoak } from './soak-report.ts';
import { soak } from './soak.ts';

const USAGE = `npm run soak -- [options]
  --hours N      (default 24)
  --round N      minutes between two samples   (default 5)
  --expires N    seconds that devices ask for, and half as much more   (default 600)
  --busy N       devices that refresh all the time   (default 200)
  --lapsing N    devices that come back after their bindings have lapsed   (default 1000)
  --watchers N   (default 30)
`;

const { values } = commandLine(USAGE, {
  options: {
    hours: { type: 'string', default: '24' },
    round: { type: 'string', default: '5' },
    expires: { type: 'string', default: '600' },
    busy: { type: 'string', default: '200' },
    lapsing: { type: 'string', default: '1000' },
    watchers: { type: 'string', default: '30' },
  },
});
const report = await soak({
  seconds: Number(values.hours) * 3600,
  roundSeconds: Number(values.round) * 60,
  expires: Number(values.expires),
  busy: Number(values.busy),
  lapsing: Number(values.lapsing),
  watchers: Number(values.watchers),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(`${printSoak(report)}\n`);
const { lost, duplicated, wrongExpiry, alien, examples } = report.findings;
for (const example of examples.slice(0, 20)) process.stdout.write(`${example}\n`);
const wrong = lost + duplicated + wrongExpiry + alien + report.watch.lost + report.watch.backwards.length;
process.exitCode = wrong + report.watch.stale.length + report.restarted.length === 0 ? 0 : 1;
