import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NonceCounts } from '../src/nonce-counts.ts';

it('R05 keeps the counts of the latest nonces, as a map in the order of arrival would', () => {
  const stamp = fc.oneof(
    fc.integer({ min: 1, max: 30 }),
    fc.integer({ min: 1, max: 30 }).map((n) => n * 2 ** 32 + 7),
    fc.integer({ min: 1, max: 30 }).map((n) => 91_000_000_000 * 4096 + n),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.record({ stamp, count: fc.integer({ min: 1, max: 2 ** 32 }) }), { maxLength: 200 }),
      (limit, uses) => {
        const counts = new NonceCounts(limit);
        const model = new Map<number, number>();
        const saltOf = (at: number): number => (at % 2 ** 31) ^ -1;
        for (const { stamp: at, count } of uses) {
          let gone: number | undefined;
          if (!model.has(at) && model.size === limit) {
            gone = [...model.keys()][0];
            model.delete(gone ?? 0);
          }
          model.set(at, count);
          expect(counts.set(at, count, saltOf(at))).toBe(gone);
          expect(counts.size).toBe(model.size);
          for (const { stamp: known } of uses) {
            expect(counts.get(known)).toBe(model.get(known));
            expect(counts.knows(known, saltOf(known))).toBe(model.has(known));
            expect(counts.knows(known, saltOf(known) ^ 1)).toBe(false);
          }
        }
      },
    ),
    { seed: 5 },
  );
});

it('refuses a limit that is none', () => {
  expect(() => new NonceCounts(0)).toThrow(RangeError);
});
