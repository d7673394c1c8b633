/**
 * Calls at a steady rate to users with three devices each, over two edges: `npm run flood -- --rate 200 --seconds 60`.
 * Prints what became of them, whether a CANCEL was lost, the transactions left and the memory of the edges.
 */
import { commandLine } from '../setup/command-line.ts';
import { flooded } from './run.ts';

const USAGE = `npm run flood -- [options]
  --rate N       calls a second   (default 200)
  --seconds N    (default 60)
  --users N      called, with three devices each   (default 50)
  --edges N      (default 2)
  --rounds N     floods, one after the other   (default 1)
`;

const { values } = commandLine(USAGE, {
  options: {
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    users: { type: 'string', default: '50' },
    edges: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '1' },
  },
});
const report = await flooded({
  rate: Number(values.rate),
  seconds: Number(values.seconds),
  users: Number(values.users),
  edges: Number(values.edges),
  rounds: Number(values.rounds),
});
process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
const good = report.floods.every(
  ({ calls, answered, cancelled, busy, cancelsDue, cancelsSeen }) =>
    answered + cancelled + busy === calls && cancelsDue === cancelsSeen,
);
process.exitCode = good && report.transactionsLeft === 0 ? 0 : 1;
