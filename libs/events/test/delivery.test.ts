import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import {
  answerEvent,
  deliver,
  DELIVERY_DEFAULTS,
  deliveryTable,
  dueAt,
  dueEvent,
  isInFlight,
  UnexpectedDelivery,
} from '../src/index.ts';
import type { DeliveryEvent, DeliveryState, Subscription } from '../src/index.ts';
import { freshResource, sampleSubscription } from '../src/contract/index.ts';

const now = epochMs(1_800_000_000_000);
const at = (delivery: DeliveryState, change: Partial<Subscription> = {}): Subscription =>
  sampleSubscription(freshResource(), 1, now, { delivery, sent: 'x', ...change });

function check(
  from: DeliveryState,
  event: DeliveryEvent,
  effect: string,
  to: DeliveryState | undefined,
): void {
  const before = at(from);
  const step = deliver(before, event, now, DELIVERY_DEFAULTS);
  expect([step.effect, step.next?.delivery]).toEqual([effect, to]);
  const claimed = effect === 'send' || effect === 'sendFinal';
  if (step.next !== undefined) expect(step.next.localCseq).toBe(before.localCseq + (claimed ? 1 : 0));
  if (claimed) expect(step.next?.until).toBe(now + DELIVERY_DEFAULTS.claimMs);
}

describe('delivery of NOTIFYs, RFC 6665 §4.2.2', () => {
  test('S03 only a claim moves CSeq, by one, and every state has its rows', () => {
    for (const [from, rows] of Object.entries(deliveryTable)) {
      for (const [event, row] of Object.entries(rows)) {
        const to = row.effect === 'remove' ? undefined : row.to;
        check(from as DeliveryState, event as DeliveryEvent, row.effect, to);
      }
    }
  });

  test('one in flight: nothing but the end of a claim or an answer sends another', () => {
    for (const state of ['inFlight', 'stale', 'owing', 'endOwed', 'ending'] as const) {
      expect(isInFlight(at(state))).toBe(true);
      for (const event of ['asked', 'changed', 'unsubscribed'] as const) {
        const row = deliveryTable[state][event];
        if (row !== undefined) expect(row.effect).toBe('none');
      }
    }
  });

  test('an event that a state does not list is an error', () => {
    expect(() => deliver(at('settled'), 'delivered', now, DELIVERY_DEFAULTS)).toThrow(UnexpectedDelivery);
  });

  test('the pause doubles up to its limit, Retry-After stands above it, and the tenth failure is the last', () => {
    const pauses: number[] = [];
    let current = at('inFlight');
    for (;;) {
      const step = deliver(current, 'deferred', now, DELIVERY_DEFAULTS);
      if (step.next === undefined) break;
      pauses.push((step.next.until - now) / 1000);
      current = { ...step.next, delivery: 'inFlight' };
    }
    expect(pauses).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300]);
    expect(deliver(at('inFlight'), 'deferred', now, DELIVERY_DEFAULTS, 30_000).next?.until).toBe(
      now + 30_000,
    );
  });

  test('what time makes of a subscription', () => {
    const soon = epochMs(now + 1000);
    const late = epochMs(now + 60_000);
    expect(dueAt(at('settled', { expiresAt: late, until: soon }))).toBe(late);
    expect(dueAt(at('waiting', { expiresAt: late, until: soon }))).toBe(soon);
    expect(dueAt(at('inFlight', { expiresAt: soon, until: late }))).toBe(late);
    expect(dueEvent(at('settled', { expiresAt: soon }), now)).toBeUndefined();
    expect(dueEvent(at('settled', { expiresAt: now }), now)).toBe('expired');
    expect(dueEvent(at('waiting', { until: now, expiresAt: late }), now)).toBe('due');
    expect(dueEvent(at('waiting', { until: late, expiresAt: now }), now)).toBe('expired');
    expect(dueEvent(at('ending', { until: now }), now)).toBe('lapsed');
  });

  test.each([
    [200, 'delivered'],
    [430, 'flowFailed'],
    [481, 'refused'],
    [604, 'refused'],
    [503, 'deferred'],
    [401, 'deferred'],
  ] as const)('S11 an answer of %i is %s', (status, event) => {
    expect(answerEvent(status)).toBe(event);
  });
});
