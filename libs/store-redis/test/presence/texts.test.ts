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

  test.each([
    ['sip:5.A@198.51.100.1:5060;transport=tcp', '<sip:t@198.51.100.1:5060;transport=tcp;lr>'],
    ['sip:5.A@198.51.100.1:5060', '<sip:t@198.51.100.1:5060;transport=tcp;lr>'],
    ['sips:5.A@edge.example.test', '<sips:t@edge.example.test;lr>'],
    ['sip:5.A@198.51.100.1', '<sip:198.51.100.1;lr>'],
    ['sip:5.A@198.51.100.1', undefined],
  ])('our Contact %s over the route %s is read as it was printed, with every flag', (localTarget, top) => {
    const flags = {
      access: 'polite',
      reason: 'probation',
      list: 'adhoc',
      quenched: true,
      retryAfter: 30,
    } as const;
    const change = {
      id: '5.A' as SubscriptionId,
      localTarget,
      route: top === undefined ? [] : [top],
      ...flags,
    };
    const subscription = sampleSubscription('sip:a@b' as Aor, 5, now, {
      ...change,
      minInterval: 10_000,
      answered: 481,
    });
    expect(readSubscriptionText(subscription.id, printSubscription(9, subscription))).toEqual({
      version: 9,
      subscription,
    });
  });

  // Redis gives strings of up to 320 octets as many, longer ones 384: six less are ours.
  test.each([
    ['UDP', '', 314],
    ['a stream', ';transport=tcp', 378],
  ])('a subscription over %s takes no more of Redis than it must', (_transport, parameter, most) => {
    const id = '12.abcdefghijklmnop' as SubscriptionId;
    const at = `@198.51.100.1:5060${parameter}`;
    const subscription = sampleSubscription('sip:alice@example.test' as Aor, 12, now, {
      ...{ id, localTarget: `sip:${id}${at}`, sent: '1a2b3c4d5e6f7g8h', answered: 200 },
      route: [`<sip:e1~1~u0-c0000201-5060~buZRjSaMjMIcUaJA${at};lr>`],
    });
    expect(printSubscription(2e15, subscription).length).toBeLessThan(most);
  });

  test('O07 the build before reads the Contact of a subscription as it is, and `^` is read for the one after', () => {
    const id = '12.abcdefghijklmnop' as SubscriptionId;
    const at = '@198.51.100.1:5060;transport=tcp';
    const route = [`<sip:token${at};lr>`];
    const subscription = sampleSubscription('sip:alice@example.test' as Aor, 12, now, {
      ...{ id, localTarget: `sip:${id}${at}`, route },
    });
    const text = printSubscription(9, subscription);
    expect(text).toContain(`\n${at}\n`);
    const short = text.replace(`\n${at}\n`, `\n^${at.length.toString(36)}\n`);
    expect(readSubscriptionText(id, short)).toEqual({ version: 9, subscription });
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
