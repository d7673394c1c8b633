/**
 * Calls at a steady rate to users with three devices each, over two edges: `npm run flood -- --rate 200 --seconds 60`.
 * Prints what became of them, whether a CANCEL was lost, the transactions left and the memory of the edges.
 */
import { parseArgs } from 'node:util';
import { flooded } from './run.ts';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    users: { type: 'string', default: '50' },
    edges: { type: 'string', default: '2' },
  },
});
const report = await flooded({
  rate: Number(values.rate),
  seconds: Number(values.seconds),
  users: Number(values.users),
  edges: Number(values.edges),
});
process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
const { calls, answered, cancelled, busy, cancelsDue, cancelsSeen } = report.flood;
const good =
  answered + cancelled + busy === calls && cancelsDue === cancelsSeen && report.transactionsLeft === 0;
process.exitCode = good ? 0 : 1;
