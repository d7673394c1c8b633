import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyedHash, NonceAuthority } from '../src/index.ts';
import type { NonceOptions } from '../src/index.ts';

const NOW = Date.UTC(2026, 5, 1, 12);
const HOUR = 3_600_000;
const OPTIONS: NonceOptions = {
  edge: 'edge-1/1',
  secret: 'shared',
  lifetimeMs: HOUR,
  rotationMs: HOUR,
  highWaterLimit: 100,
};
const authority = (change: Partial<NonceOptions> = {}): NonceAuthority =>
  new NonceAuthority({ ...OPTIONS, ...change });

describe('HMAC laid out by hand', () => {
  it('is the HMAC of node:crypto', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.string({ unit: 'binary-ascii', minLength: 27, maxLength: 27 }),
        (key, message) => {
          expect(new KeyedHash(key, 27).hex(message)).toBe(
            createHmac('sha256', key).update(message).digest('hex'),
          );
        },
      ),
    );
  });
});

describe('nonces', () => {
  it('R01 are never issued twice, not even in one millisecond or when the clock steps back', () => {
    const edge = authority();
    const seen = new Set<string>();
    for (let i = 0; i < 10_000; i += 1) seen.add(edge.issue(i < 5_000 ? NOW : NOW - 60_000));
    expect(seen.size).toBe(10_000);
    expect(edge.counted).toBe(0);
  });

  it('R04 are fresh for their lifetime and stale after it, however old', () => {
    const edge = authority();
    const nonce = edge.issue(NOW);
    expect(edge.check(nonce, NOW)).toBe('fresh');
    expect(edge.check(nonce, NOW + HOUR - 1)).toBe('fresh');
    expect(edge.check(nonce, NOW + HOUR)).toBe('stale');
    expect(edge.check(nonce, NOW + 1_000 * HOUR)).toBe('stale');
  });

  it('R04 are so however many are issued after them', () => {
    const edge = authority();
    const nonces = Array.from({ length: 20_000 }, (_, n) => edge.issue(NOW + Math.floor(n / 10)));
    for (const nonce of nonces) expect(edge.check(nonce, NOW)).toBe('fresh');
  });

  it('R05 of another edge, or of an earlier start of this one, are stale', () => {
    const nonce = authority().issue(NOW);
    expect(authority({ edge: 'edge-2/1' }).check(nonce, NOW)).toBe('stale');
    expect(authority({ edge: 'edge-1/2' }).check(nonce, NOW)).toBe('stale');
  });

  it('R03 forged ones are never stale', () => {
    const edge = authority();
    expect(edge.check(authority({ secret: 'other' }).issue(NOW), NOW)).toBe('forged');
    expect(edge.check('', NOW)).toBe('forged');
    expect(edge.check('7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v', NOW)).toBe('forged');
    const nonce = edge.issue(NOW);
    fc.assert(
      fc.property(fc.nat(nonce.length - 1), fc.integer({ min: 0x20, max: 0xff }), (at, code) => {
        const forged = nonce.slice(0, at) + String.fromCharCode(code) + nonce.slice(at + 1);
        // The MAC is hex and may be sent in upper case; everything else is one octet off.
        fc.pre(forged.toLowerCase() !== nonce);
        expect(edge.check(forged, NOW)).toBe('forged');
      }),
    );
  });
});

describe('a nonce that was used', () => {
  const isOther = (nonce: string, at: number, octet: string): string => {
    const other = nonce.slice(0, at) + octet + nonce.slice(at + 1);
    return other === nonce ? isOther(nonce, at, '0') : other;
  };

  it('R03 R04 R05 is what it was: another salt or start is forged, and it is stale in its time', () => {
    const edge = authority();
    const nonce = edge.issue(NOW);
    edge.accept(nonce, 1);
    expect(edge.check(nonce, NOW)).toBe('fresh');
    expect(edge.check(nonce, NOW + HOUR)).toBe('stale');
    for (let at = 0; at < 27; at += 1) expect(edge.check(isOther(nonce, at, '1'), NOW)).toBe('forged');
    expect(authority({ edge: 'edge-2/1' }).check(nonce, NOW)).toBe('stale');
  });
});

describe('the count of uses, RFC 7616 §3.4 nc', () => {
  it('R05 rises, with gaps, and a replay is refused', () => {
    const edge = authority();
    const nonce = edge.issue(NOW);
    expect(edge.accept(nonce, 1)).toBe(true);
    expect(edge.accept(nonce, 1)).toBe(false);
    expect(edge.accept(nonce, 3)).toBe(true);
    expect(edge.accept(nonce, 2)).toBe(false);
    expect(edge.accept(nonce, 4)).toBe(true);
    expect(edge.accept(nonce, 0xffffffff)).toBe(true);
    expect(edge.check(nonce, NOW)).toBe('fresh');
  });

  it('E17 P1 an RFC 2069 answer uses its nonce up', () => {
    const edge = authority();
    const nonce = edge.issue(NOW);
    expect(edge.accept(nonce, undefined)).toBe(true);
    expect(edge.accept(nonce, undefined)).toBe(false);
    expect(edge.accept(nonce, 5)).toBe(false);
    const other = edge.issue(NOW);
    expect(edge.accept(other, 1)).toBe(true);
    expect(edge.accept(other, undefined)).toBe(false);
  });

  it('R05 a count pushed out by the limit makes older nonces stale, never replayable', () => {
    const edge = authority({ highWaterLimit: 2 });
    const [a, b, unused, c, later] = [0, 1, 2, 3, 4].map((i) => edge.issue(NOW + i)) as [
      string,
      string,
      string,
      string,
      string,
    ];
    for (const nonce of [a, b, c]) expect(edge.accept(nonce, 1)).toBe(true);
    expect(edge.counted).toBe(2);
    expect(edge.check(a, NOW + 5)).toBe('stale');
    expect(edge.accept(a, 2)).toBe(false);
    expect(edge.check(b, NOW + 5)).toBe('fresh');
    expect(edge.check(unused, NOW + 5)).toBe('fresh');
    expect(edge.accept(later, 1)).toBe(true);
    expect(edge.check(b, NOW + 5)).toBe('stale');
    expect(edge.check(c, NOW + 5)).toBe('fresh');
    expect(edge.accept(c, 2)).toBe(true);
  });

  it('I8 whatever the order of uses and evictions, no nonce and count is accepted twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 5 })), { maxLength: 200 }),
        (uses) => {
          const edge = authority({ highWaterLimit: 3 });
          const nonces = Array.from({ length: 10 }, (_, i) => edge.issue(NOW + i));
          const accepted = new Set<string>();
          for (const [which, nc] of uses) {
            const nonce = nonces[which] as string;
            if (edge.check(nonce, NOW + 10) !== 'fresh' || !edge.accept(nonce, nc)) continue;
            const use = `${String(which)} ${String(nc)}`;
            expect(accepted.has(use)).toBe(false);
            accepted.add(use);
          }
        },
      ),
    );
  });
});
