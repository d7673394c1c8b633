import { expect, it } from 'vitest';
import { flooded } from '../flood/run.ts';

/** More than this is no noise of the collector, MiB. */
const GROWTH_MIB = 100;

/** The short form of `npm run flood`, which does 200 calls a second for a minute. */
it(
  'C01 C06 F06 a flood of calls: no CANCEL is lost, no transaction leaks, memory is bounded',
  { timeout: 180_000 },
  async () => {
    const { floods, transactionsLeft, busyFlows, memory } = await flooded({
      ...{ rate: 40, seconds: 5, users: 10, edges: 2, rounds: 1 },
    });
    for (const { failed, answered, cancelled, busy, calls, cancelsSeen, cancelsDue } of floods) {
      expect(failed).toEqual({});
      expect(answered + cancelled + busy).toBe(calls);
      expect(cancelsSeen).toBe(cancelsDue);
    }
    expect(transactionsLeft).toBe(0);
    expect(busyFlows).toBe(0);
    for (const { before, rounds } of memory)
      expect((rounds.at(-1)?.idle ?? 0) - before).toBeLessThan(GROWTH_MIB);
  },
);
