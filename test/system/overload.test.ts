import { expect, it } from 'vitest';
import { registerFlooded } from '../flood/register-flood.ts';

/** More than this is no noise of the collector, MiB. */
const GROWTH_MIB = 200;

/** The short form of `npm run overload`: what must hold on any machine, however fast. */
it(
  'F03 F06 K15 far more REGISTERs than can be done: nothing dies, memory is bounded, some are told 503 with Retry-After, phones get through, and all is well after',
  { timeout: 180_000 },
  async () => {
    const report = await registerFlooded({ seconds: 5, phones: 10 });
    expect(report.ended).toEqual([]);
    expect(Object.keys(report.answers).sort()).toEqual(['401', '503']);
    expect(report.withoutRetryAfter).toBe(0);
    for (const answer of Object.keys(report.phones)) expect(['200', '503', 'none']).toContain(answer);
    expect(report.phones['200']).toBeGreaterThan(0);
    expect(report.refusedAtRest).toBe(0);
    const [before = []] = report.memory;
    for (const sample of report.memory)
      sample.forEach((mib, i) => {
        expect(mib - (before[i] ?? 0)).toBeLessThan(GROWTH_MIB);
      });
  },
);
