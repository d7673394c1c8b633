import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base36, base36Padded, base36x4 } from '../src/base36.ts';

const BOUNDS = [0, 1, 35, 36, 36 ** 2, 36 ** 3, 36 ** 4, 36 ** 6, 36 ** 8, 2 ** 31, 2 ** 32, 2 ** 53].flatMap(
  (bound) => [bound - 1, bound, bound + 1].filter(Number.isSafeInteger).filter((value) => value >= 0),
);

test('an integer is printed as the engine prints it', () => {
  for (const value of BOUNDS) expect(base36(value)).toBe(value.toString(36));
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(base36(value)).toBe(value.toString(36));
    }),
  );
});

test('a width is filled with leading zeros', () => {
  for (const value of BOUNDS) expect(base36Padded(value, 11)).toBe(value.toString(36).padStart(11, '0'));
  for (let width = 1; width <= 11; width += 1) expect(base36Padded(35, width)).toBe('z'.padStart(width, '0'));
});

test('four digits are printed with their leading zeros', () => {
  for (const value of BOUNDS.filter((bound) => bound < 36 ** 4))
    expect(base36x4(value)).toBe(value.toString(36).padStart(4, '0'));
});
