import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decimalMs } from '../src/codec/base36.ts';

test('a moment is printed as the engine prints it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000_000, max: 2 ** 48 }), (time) => {
      expect(decimalMs(time)).toBe(String(time));
    }),
  );
  for (const time of [1_000_000, 1_700_000_000_000, 1_700_000_999_999])
    expect(decimalMs(time)).toBe(String(time));
});
