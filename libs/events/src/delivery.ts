import { assertNever, epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { draftOf } from './draft.ts';
import type { SubscriptionDraft } from './draft.ts';
import type { DeliveryState, Subscription, TerminationReason } from './model.ts';

/*
 * Delivery of NOTIFYs for one subscription (RFC 6665 §4.2.2), as a table. One NOTIFY is in flight at a time, the newest
 * state wins, and CSeq rises by one with each: a change while one is in flight is owed and sent after it, however many
 * changes there were. The claim of a replica that died lapses, and another sends anew with the next CSeq.
 */

export type DeliveryEvent =
  /** A SUBSCRIBE was accepted: its NOTIFY follows at once (§4.2.1.2). */
  | 'asked'
  /** The state changed. */
  | 'changed'
  /** SUBSCRIBE with Expires 0 in the dialog (§4.2.1.4), or the notifier ends it: the record's `reason` says why. */
  | 'unsubscribed'
  /** Not refreshed in time (§4.2.1.4). */
  | 'expired'
  /** 2xx to the NOTIFY, and it told the newest state. */
  | 'delivered'
  /** 2xx to the NOTIFY, but the state has changed since it was written. */
  | 'superseded'
  /** A failure that may pass: 408, 503, 5xx, the edge out of reach. */
  | 'deferred'
  /** 430: the edge no longer has the subscriber's flow (RFC 5626 §5.3.1). */
  | 'flowFailed'
  /** 481 and the other answers that end a subscription (§4.2.2). */
  | 'refused'
  /** The claim ran out and nobody has settled it. */
  | 'lapsed'
  /** The back-off, or the pause between two NOTIFYs, is over. */
  | 'due'
  /** The pause is over, and the state is again what was told last. */
  | 'unchanged';

export type DeliveryEffect =
  | 'none'
  /** Claim the dialog and send the current state. */
  | 'send'
  /** Claim the dialog and send the state with `terminated`. */
  | 'sendFinal'
  /** Try again later. */
  | 'backOff'
  /** The subscription is over: remove it. */
  | 'remove';

export interface DeliveryRow {
  readonly to: DeliveryState;
  readonly effect: DeliveryEffect;
}

const go = (to: DeliveryState, effect: DeliveryEffect = 'none'): DeliveryRow => ({ to, effect });
const end: DeliveryRow = go('ending', 'remove');

export const deliveryTable: Readonly<
  Record<DeliveryState, Readonly<Partial<Record<DeliveryEvent, DeliveryRow>>>>
> = {
  settled: {
    asked: go('inFlight', 'send'),
    changed: go('inFlight', 'send'),
    unsubscribed: go('ending', 'sendFinal'),
    expired: go('ending', 'sendFinal'),
  },
  inFlight: {
    asked: go('owing'),
    changed: go('stale'),
    unsubscribed: go('endOwed'),
    delivered: go('settled'),
    deferred: go('waiting', 'backOff'),
    flowFailed: go('parked'),
    refused: end,
    lapsed: go('inFlight', 'send'),
  },
  // A change came while one was in flight: whether there is more to tell is seen when it has arrived.
  stale: {
    asked: go('owing'),
    changed: go('stale'),
    unsubscribed: go('endOwed'),
    delivered: go('settled'),
    superseded: go('inFlight', 'send'),
    deferred: go('waiting', 'backOff'),
    flowFailed: go('parked'),
    refused: end,
    lapsed: go('inFlight', 'send'),
  },
  // A SUBSCRIBE came while one was in flight: it is owed its own, whatever the state.
  owing: {
    asked: go('owing'),
    changed: go('owing'),
    unsubscribed: go('endOwed'),
    delivered: go('inFlight', 'send'),
    deferred: go('waiting', 'backOff'),
    flowFailed: go('parked'),
    refused: end,
    lapsed: go('inFlight', 'send'),
  },
  endOwed: {
    changed: go('endOwed'),
    unsubscribed: go('endOwed'),
    delivered: go('ending', 'sendFinal'),
    deferred: go('ending', 'sendFinal'),
    flowFailed: end,
    refused: end,
    lapsed: go('ending', 'sendFinal'),
  },
  waiting: {
    asked: go('inFlight', 'send'),
    changed: go('waiting'),
    unsubscribed: go('ending', 'sendFinal'),
    expired: go('ending', 'sendFinal'),
    due: go('inFlight', 'send'),
    unchanged: go('settled'),
  },
  // Nothing can reach the subscriber until a SUBSCRIBE comes in over a new flow.
  parked: {
    asked: go('inFlight', 'send'),
    changed: go('parked'),
    unsubscribed: go('ending', 'sendFinal'),
    expired: end,
  },
  // §4.4.1: the subscription is destroyed once the final NOTIFY is answered, whatever the answer.
  ending: {
    changed: go('ending'),
    unsubscribed: go('ending'),
    delivered: end,
    deferred: end,
    flowFailed: end,
    refused: end,
    lapsed: go('ending', 'sendFinal'),
  },
};

/** A bug: the state's row does not list the event. */
export class UnexpectedDelivery extends Error {
  override readonly name = 'UnexpectedDelivery';
}

export interface DeliveryPolicy {
  /** How long a replica may hold the dialog for one NOTIFY before another takes over. */
  readonly claimMs: number;
  /** The same again for a NOTIFY that the subscriber takes long to answer: its replica has shown that it lives. */
  readonly prolongMs: number;
  /** First back-off after a NOTIFY failed; doubles with each further one. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
  /** So many failures in a row end the subscription: RFC 6665 §4.2.2 would remove it at the first timeout. */
  readonly maxFailures: number;
}

export const DELIVERY_DEFAULTS: DeliveryPolicy = {
  claimMs: 5_000,
  prolongMs: 15_000,
  retryMs: 2_000,
  retryMaxMs: 300_000,
  maxFailures: 10,
};

export interface DeliveryStep {
  readonly effect: DeliveryEffect;
  /** The subscription after the event; undefined when it is removed. */
  readonly next: Subscription | undefined;
}

/**
 * What an event does to a subscription. With `send` and `sendFinal` the result carries the claim: the CSeq to send with
 * and the moment until which it is ours. `retryAfterMs` is what a 503 asked for (RFC 3261 §20.33).
 * Throws `UnexpectedDelivery` when the table has no such row.
 */
export function deliver(
  subscription: Subscription,
  event: DeliveryEvent,
  now: EpochMs,
  policy: DeliveryPolicy,
  retryAfterMs = 0,
): DeliveryStep {
  const row = deliveryTable[subscription.delivery][event];
  if (row === undefined) throw new UnexpectedDelivery(`no row for ${event} in ${subscription.delivery}`);
  const failures = event === 'delivered' || event === 'superseded' ? 0 : subscription.failures;
  if (row.effect === 'send' && tellsChange(event)) {
    // RFC 6446 §5.2: not before the interval is over; a NOTIFY for a SUBSCRIBE, or the last one, is exempt.
    const earliest = epochMs(subscription.notifiedAt + subscription.minInterval);
    if (now < earliest) return { effect: 'none', next: moved(subscription, 'waiting', failures, earliest) };
  }
  switch (row.effect) {
    case 'none':
      return { effect: 'none', next: settle(subscription, row.to, failures) };
    case 'send':
    case 'sendFinal': {
      const next = moved(subscription, row.to, failures, epochMs(now + policy.claimMs));
      next.localCseq += 1;
      // Who is told nothing yet has had no document.
      if (next.access !== 'pending') next.documents += 1;
      next.notifiedAt = now;
      // Whoever claims with the state in hand writes its fingerprint here.
      next.sent = '';
      return { effect: row.effect, next };
    }
    case 'backOff': {
      if (failures + 1 >= policy.maxFailures) return { effect: 'remove', next: undefined };
      const until = epochMs(now + backOff(failures, retryAfterMs, policy));
      const next = moved(subscription, row.to, failures + 1, until);
      next.sent = '';
      return { effect: 'backOff', next };
    }
    case 'remove':
      return { effect: 'remove', next: undefined };
    default:
      return assertNever(row.effect, 'delivery effect');
  }
}

const tellsChange = (event: DeliveryEvent): boolean => event === 'changed' || event === 'superseded';

/** The subscription is over but for its last NOTIFY. */
export const isEnding = ({ delivery }: Subscription): boolean =>
  delivery === 'ending' || delivery === 'endOwed';

function settle(subscription: Subscription, to: DeliveryState, failures: number): Subscription {
  if (to === subscription.delivery && failures === subscription.failures) return subscription;
  // Parked: what was in flight did not arrive. Settled: nothing is claimed, and a short record is a small one.
  const next = moved(subscription, to, failures, to === 'settled' ? epochMs(0) : subscription.until);
  if (to === 'parked') next.sent = '';
  return next;
}

function moved(
  subscription: Subscription,
  to: DeliveryState,
  failures: number,
  until: EpochMs,
): SubscriptionDraft {
  const next = draftOf(subscription);
  next.delivery = to;
  next.failures = failures;
  next.until = until;
  return next;
}

function backOff(failures: number, retryAfterMs: number, policy: DeliveryPolicy): number {
  const exponential = Math.min(policy.retryMs * 2 ** failures, policy.retryMaxMs);
  return Math.max(exponential, retryAfterMs);
}

/** When somebody has to look at the subscription again. */
export function dueAt(subscription: Subscription): EpochMs {
  switch (subscription.delivery) {
    case 'settled':
    case 'parked':
      return subscription.expiresAt;
    case 'waiting':
      return subscription.until < subscription.expiresAt ? subscription.until : subscription.expiresAt;
    case 'inFlight':
    case 'stale':
    case 'owing':
    case 'endOwed':
    case 'ending':
      return subscription.until;
    default:
      return assertNever(subscription.delivery, 'delivery state');
  }
}

/** The event that the passing of time has made of a subscription; undefined when nothing is due. */
export function dueEvent(subscription: Subscription, now: EpochMs): DeliveryEvent | undefined {
  if (dueAt(subscription) > now) return undefined;
  switch (subscription.delivery) {
    case 'settled':
    case 'parked':
      return 'expired';
    case 'waiting':
      return subscription.expiresAt <= now ? 'expired' : 'due';
    case 'inFlight':
    case 'stale':
    case 'owing':
    case 'endOwed':
    case 'ending':
      return 'lapsed';
    default:
      return assertNever(subscription.delivery, 'delivery state');
  }
}

/**
 * A subscription that whoever has no way to send ends: the next replica that looks at it, at once, sends the last NOTIFY with this
 * reason (RFC 6665 §4.1.3). `retryAfter` in seconds, for `probation` and `giveup`.
 */
export function ended(
  subscription: Subscription,
  reason: TerminationReason,
  retryAfter: number,
  now: EpochMs,
): Subscription {
  const ending = draftOf(subscription);
  ending.reason = reason;
  ending.retryAfter = retryAfter;
  if (isEnding(subscription)) return ending;
  if (isInFlight(subscription)) ending.delivery = 'endOwed';
  else ending.expiresAt = now;
  return ending;
}

/** RFC 6665 §4.2.2: a NOTIFY answered so MUST end the subscription. */
const ENDING_STATUSES: ReadonlySet<number> = new Set([
  404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
]);
/** RFC 5626 §11.5. */
const FLOW_FAILED = 430;

/** A NOTIFY is in flight, as far as the record says. */
export function isInFlight({ delivery }: Subscription): boolean {
  return IN_FLIGHT.has(delivery);
}

const IN_FLIGHT: ReadonlySet<DeliveryState> = new Set(['inFlight', 'stale', 'owing', 'endOwed', 'ending']);

/** RFC 3261 §8.1.3.1: no answer at all is a 408. */
export const NO_ANSWER = 408;

/** What a final answer to a NOTIFY means for the delivery. */
export function answerEvent(status: number): DeliveryEvent {
  if (status >= 200 && status < 300) return 'delivered';
  if (status === FLOW_FAILED) return 'flowFailed';
  return ENDING_STATUSES.has(status) ? 'refused' : 'deferred';
}
