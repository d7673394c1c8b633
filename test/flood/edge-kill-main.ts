/**
 * An edge with many flows is killed: `npm run edge-kill -- --devices 10000 --base 2`. Prints how long it was still offered, how long until
 * all devices were back at the other edge and could be reached there, and what callers were told meanwhile.
 */
import { commandLine } from '../setup/command-line.ts';
import { edgeKilled } from './edge-kill.ts';

const USAGE = `npm run edge-kill -- [options]
  --devices N    registered over TCP at the edge that is killed   (default 10000)
  --away N       registered at the other edge   (default 100)
  --naive N      share of the devices that tries again every two seconds instead   (default 0)
  --base N       base-time of RFC 5626 §4.5, seconds   (default 2)
`;

const { values } = commandLine(USAGE, {
  options: {
    devices: { type: 'string', default: '10000' },
    away: { type: 'string', default: '100' },
    naive: { type: 'string', default: '0' },
    /** base-time of RFC 5626 §4.5, seconds; 30 in the RFC, for devices with one flow. */
    base: { type: 'string', default: '2' },
  },
});
const report = await edgeKilled({
  devices: Number(values.devices),
  away: Number(values.away),
  baseMs: Number(values.base) * 1_000,
  naive: Number(values.naive),
});
process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
process.exitCode = report.reached === report.devices ? 0 : 1;
