import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IssuedNonces } from '../src/issued-nonces.ts';

const STAMPS = fc.integer({ min: 2 ** 47, max: 2 ** 49 });

it('R05 knows the latest nonces by every octet', () => {
  fc.assert(
    fc.property(fc.uniqueArray(STAMPS, { minLength: 1, maxLength: 40 }), (stamps) => {
      const issued = new IssuedNonces(3, 13);
      const nonceOf = (stamp: number): string => stamp.toString(16).padStart(13, '0');
      for (const stamp of stamps) {
        issued.add(stamp, nonceOf(stamp));
        expect(issued.has(stamp, nonceOf(stamp))).toBe(true);
        for (let at = 0; at < 13; at += 1) {
          const nonce = nonceOf(stamp);
          expect(issued.has(stamp, `${nonce.slice(0, at)}x${nonce.slice(at + 1)}`)).toBe(false);
        }
        expect(issued.has(stamp, `${nonceOf(stamp)}0`)).toBe(false);
      }
      expect(stamps.filter((stamp) => issued.has(stamp, nonceOf(stamp))).length).toBeLessThanOrEqual(8);
    }),
  );
});

it('keeps nonces of consecutive stamps and of consecutive milliseconds apart', () => {
  for (const step of [1, 4096]) {
    const issued = new IssuedNonces(13, 13);
    const stamps = Array.from({ length: 1_000 }, (_, n) => 91_000_000_000 * 4096 + n * step);
    for (const stamp of stamps) issued.add(stamp, stamp.toString(16).padStart(13, '0'));
    const kept = stamps.filter((stamp) => issued.has(stamp, stamp.toString(16).padStart(13, '0')));
    expect(kept.length).toBeGreaterThan(900);
  }
});
