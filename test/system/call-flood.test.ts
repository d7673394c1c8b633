import { expect, it } from 'vitest';
import { flooded } from '../flood/run.ts';

/** The short form of `npm run flood`, which does 200 calls a second for a minute. */
it(
  'C01 C06 F06 a flood of calls: no CANCEL is lost, no transaction leaks, memory is bounded',
  { timeout: 180_000 },
  async () => {
    const { flood, transactionsLeft, busyFlows, memory } = await flooded({
      ...{ rate: 40, seconds: 5, users: 10, edges: 2 },
    });
    expect(flood.failed).toEqual({});
    expect(flood.answered + flood.cancelled + flood.busy).toBe(flood.calls);
    expect(flood.cancelsSeen).toBe(flood.cancelsDue);
    expect(transactionsLeft).toBe(0);
    expect(busyFlows).toBe(0);
    for (const { before, idle } of memory) expect(idle - before).toBeLessThan(100);
  },
);
