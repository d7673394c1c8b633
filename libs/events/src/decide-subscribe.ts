import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { deliver } from './delivery.ts';
import type { DeliveryPolicy } from './delivery.ts';
import type { Subscription, SubscriptionId } from './model.ts';
import type { SubscribeIntent } from './read-subscribe.ts';
import { refusal } from './refusals.ts';
import type { Refusal } from './refusals.ts';
import { localTargetOf } from './route.ts';

export interface SubscribePolicy extends DeliveryPolicy {
  /** Seconds. Shorter ones are refused with 423, unless the subscriber asked for an hour or more (RFC 6665 §4.2.1.1). */
  readonly minExpires: number;
  /** Seconds. Longer ones are shortened. */
  readonly maxExpires: number;
  /** `host:port` of ours for a subscriber whose SUBSCRIBE came without Record-Route. */
  readonly ownAddress: string;
}

export interface SubscribeQuestion {
  readonly intent: SubscribeIntent;
  readonly id: SubscriptionId;
  /** The resource exists and the watcher may subscribe to it; inside a dialog that was decided before. */
  readonly admission: Refusal | undefined;
}

export type SubscribeDecision =
  /** Store `next` instead of `current`, answer 200 with `expires`; `notify` tells whether a NOTIFY has been claimed with it. */
  | {
      readonly kind: 'store';
      readonly next: Subscription;
      readonly expires: number;
      readonly notify: boolean;
    }
  /** A fetch (RFC 6665 §4.4.3): answer 200, send one NOTIFY `terminated`, store nothing. */
  | { readonly kind: 'fetch'; readonly next: Subscription }
  /** The same request again: the same answer, nothing changes. */
  | { readonly kind: 'repeat'; readonly current: Subscription; readonly expires: number }
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

/** RFC 6665 §4.2.1.1: 423 is for intervals below one hour only. */
const ONE_HOUR = 3600;

const refuse = (reason: Refusal): SubscribeDecision => ({ kind: 'refuse', refusal: reason });

/** What becomes of a SUBSCRIBE (RFC 6665 §4.2.1), given the subscription as the store holds it. */
export function decideSubscribe(
  { intent, id, admission }: SubscribeQuestion,
  current: Subscription | undefined,
  policy: SubscribePolicy,
  now: EpochMs,
): SubscribeDecision {
  const alive = current !== undefined && current.expiresAt > now && !ENDED.has(current.delivery);
  if (intent.dialog !== undefined) {
    if (current === undefined || !belongs(intent, current)) return refuse(refusal('no-subscription'));
    if (intent.cseq === current.remoteCseq && current.expiresAt > now) return repeat(current, now);
    if (!alive) return refuse(refusal('no-subscription'));
    return again(intent, current, policy, now);
  }
  if (admission !== undefined) return refuse(admission);
  if (current === undefined) return first(intent, id, policy, now);
  if (intent.cseq === current.remoteCseq) return repeat(current, now);
  // A phone that lost its memory and starts over with the same Call-ID and tag: its new SUBSCRIBE goes on with the old one.
  return alive ? again(intent, current, policy, now) : refuse(refusal('contended', ''));
}

const ENDED: ReadonlySet<string> = new Set(['endOwed', 'ending']);

/** RFC 3261 §12: a dialog is Call-ID and both tags; ours is the id by which the record was found. */
function belongs(intent: SubscribeIntent, current: Subscription): boolean {
  return intent.callId === current.callId && intent.remoteTag === current.remoteTag;
}

function repeat(current: Subscription, now: EpochMs): SubscribeDecision {
  const expires = ENDED.has(current.delivery) ? 0 : Math.max(0, Math.round((current.expiresAt - now) / 1000));
  return { kind: 'repeat', current, expires };
}

/** A SUBSCRIBE for a subscription that there is: refresh or end (§4.2.1.4). */
function again(
  intent: SubscribeIntent,
  current: Subscription,
  policy: SubscribePolicy,
  now: EpochMs,
): SubscribeDecision {
  if (intent.watcher !== current.watcher) return refuse(refusal('not-allowed'));
  if (intent.package.name !== current.package || intent.eventId !== current.eventId) {
    return refuse(refusal('dialog-shared'));
  }
  if (intent.cseq < current.remoteCseq) return refuse(refusal('out-of-order'));
  const granted = grant(intent, policy);
  if (typeof granted !== 'number') return refuse(granted);
  const route = intent.route.length > 0 ? intent.route : current.route;
  const refreshed: Subscription = {
    ...current,
    // RFC 3261 §12.2.2: SUBSCRIBE refreshes the remote target. The route is the flow that it came in on: a phone that
    // changed its connection is reached on the new one.
    remoteTarget: intent.remoteTarget,
    route,
    localTarget: localTargetOf(current.id, route, policy.ownAddress),
    accept: intent.accept,
    remoteCseq: intent.cseq,
    failures: 0,
    expiresAt: granted === 0 ? current.expiresAt : epochMs(now + granted * 1000),
  };
  const step = deliver(refreshed, granted === 0 ? 'unsubscribed' : 'asked', now, policy);
  const notify = step.effect === 'send' || step.effect === 'sendFinal';
  return { kind: 'store', next: step.next ?? refreshed, expires: granted, notify };
}

function first(
  intent: SubscribeIntent,
  id: SubscriptionId,
  policy: SubscribePolicy,
  now: EpochMs,
): SubscribeDecision {
  if (intent.resource === undefined) return refuse(refusal('no-such-resource'));
  const granted = grant(intent, policy);
  if (typeof granted !== 'number') return refuse(granted);
  const fresh: Subscription = {
    id,
    resource: intent.resource,
    package: intent.package.name,
    eventId: intent.eventId,
    watcher: intent.watcher,
    callId: intent.callId,
    remoteTag: intent.remoteTag,
    remoteUri: intent.remoteUri,
    localUri: intent.localUri,
    remoteTarget: intent.remoteTarget,
    route: intent.route,
    localTarget: localTargetOf(id, intent.route, policy.ownAddress),
    remoteCseq: intent.cseq,
    localCseq: firstCseq(now),
    accept: intent.accept,
    expiresAt: epochMs(now + granted * 1000),
    delivery: 'settled',
    until: now,
    failures: 0,
    sent: '',
    documents: 0,
  };
  const step = deliver(fresh, granted === 0 ? 'unsubscribed' : 'asked', now, policy);
  const next = step.next ?? fresh;
  return granted === 0 ? { kind: 'fetch', next } : { kind: 'store', next, expires: granted, notify: true };
}

/** Seconds granted, or 423. */
function grant(intent: SubscribeIntent, policy: SubscribePolicy): number | Refusal {
  const asked = intent.expires ?? intent.package.defaultExpires;
  if (asked > 0 && asked < ONE_HOUR && asked < policy.minExpires) {
    return refusal('interval-too-brief', `Min-Expires: ${policy.minExpires}\r\n`);
  }
  return Math.min(asked, policy.maxExpires);
}

/** 2020-01-01: keeps the seconds below 2^31 until 2088 (RFC 3261 §8.1.1.5). */
const CSEQ_EPOCH_MS = 1_577_836_800_000;

/**
 * CSeq counts from the clock (RFC 3261 §8.1.1.5 proposes it), so that a dialog made anew under the same identifiers never
 * starts below where the last one stopped.
 */
const firstCseq = (now: EpochMs): number => Math.max(0, Math.floor((now - CSEQ_EPOCH_MS) / 1000));
