import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { epochMs } from '@rollcall/kernel';
import { sampleSubscription } from '@rollcall/events/contract';
import type { DeliveryState, SubscriptionId } from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import { printPublications, readPublicationsText } from '../../src/presence/publications-text.ts';
import { printSubscription, readSubscriptionText } from '../../src/presence/subscription-text.ts';

const now = epochMs(1_800_000_000_000);
const octets = fc.string({
  unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)),
});

describe('records of presence as text', () => {
  test('a subscription is read as it was printed', () => {
    const states: DeliveryState[] = [
      'settled',
      'inFlight',
      'stale',
      'owing',
      'endOwed',
      'waiting',
      'parked',
      'ending',
    ];
    fc.assert(
      fc.property(
        octets,
        octets,
        octets,
        fc.constantFrom(...states),
        fc.array(octets),
        fc.nat(),
        (a, b, c, delivery, route, n) => {
          const subscription = sampleSubscription('sip:a@b' as Aor, 5, now, {
            callId: a,
            remoteTag: b,
            remoteTarget: c,
            remoteUri: `s${b}`,
            localTarget: `sip:${c}`,
            sent: a,
            delivery,
            route,
            remoteCseq: n,
          });
          const text = printSubscription(n + 1, subscription);
          expect(readSubscriptionText(subscription.id, text)).toEqual({ version: n + 1, subscription });
        },
      ),
    );
  });

  test('publications are read as they were printed', () => {
    fc.assert(
      fc.property(fc.array(octets, { minLength: 1 }), (bodies) => {
        const publications = bodies.map((body, n) => ({
          etag: `e${String(n)}`,
          package: 'presence',
          expiresAt: now,
          body: `${body}\n`,
        }));
        expect(readPublicationsText(printPublications(7, publications))).toEqual({
          version: 7,
          publications,
        });
      }),
    );
  });

  test('K30 what is no record of ours is refused, not misread', () => {
    for (const text of ['x', '9000000000', `1${'z'.repeat(30)}`, '1000000001\n']) {
      expect(() => readSubscriptionText('1.a' as SubscriptionId, text)).toThrow(RangeError);
    }
    expect(() => readPublicationsText('2')).toThrow(RangeError);
  });
});
