import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { deliver, isEnding, isInFlight } from './delivery.ts';
import type { DeliveryPolicy } from './delivery.ts';
import { draftOf } from './draft.ts';
import type { SubscriptionDraft } from './draft.ts';
import type { Access, ListKind, Subscription, SubscriptionId } from './model.ts';
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
  /** How long a watcher may wait to be confirmed, ms. */
  readonly pendingMaxMs: number;
}

export interface SubscribeQuestion {
  readonly intent: SubscribeIntent;
  readonly id: SubscriptionId;
  /** The resource exists and the watcher may subscribe to it; inside a dialog that was decided before. */
  readonly admission: Refusal | undefined;
  /** What the watcher may see now; `blocked`: nothing, and be told so. */
  readonly access: Access | 'blocked';
  /** What the resource of a new subscription is. */
  readonly list?: ListKind | undefined;
  /** The subscriber has the state of now: the condition of its `Suppress-If-Match` holds (RFC 5839 §6.2). */
  readonly unchanged?: boolean;
}

export type SubscribeDecision =
  /** Store `next` instead of `current`, answer 200 with `expires`; `notify` tells whether a NOTIFY has been claimed with it. */
  | {
      readonly kind: 'store';
      readonly next: Subscription;
      readonly expires: number;
      readonly notify: boolean;
    }
  /** RFC 5839 §6.3: store `next` (undefined: remove it), answer 204, send nothing. */
  | { readonly kind: 'suppress'; readonly next: Subscription | undefined; readonly expires: number }
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
  question: SubscribeQuestion,
  current: Subscription | undefined,
  policy: SubscribePolicy,
  now: EpochMs,
): SubscribeDecision {
  const { intent, admission } = question;
  const alive = current !== undefined && current.expiresAt > now && !isEnding(current);
  if (intent.dialog !== undefined) {
    if (current === undefined || !belongs(intent, current)) return refuse(refusal('no-subscription'));
    if (intent.cseq === current.remoteCseq && current.expiresAt > now) return repeat(current, now);
    if (!alive) return refuse(refusal('no-subscription'));
    return again(question, current, policy, now);
  }
  if (admission !== undefined) return refuse(admission);
  if (current === undefined) return first(question, policy, now);
  if (intent.cseq === current.remoteCseq) return repeat(current, now);
  // A phone that lost its memory and starts over with the same Call-ID and tag: its new SUBSCRIBE goes on with the old one.
  return alive ? again(question, current, policy, now) : refuse(refusal('contended', ''));
}

/** RFC 3261 §12: a dialog is Call-ID and both tags; ours is the id by which the record was found. */
function belongs(intent: SubscribeIntent, current: Subscription): boolean {
  return intent.callId === current.callId && intent.remoteTag === current.remoteTag;
}

function repeat(current: Subscription, now: EpochMs): SubscribeDecision {
  const expires = isEnding(current) ? 0 : Math.max(0, Math.round((current.expiresAt - now) / 1000));
  return { kind: 'repeat', current, expires };
}

/** A SUBSCRIBE for a subscription that there is: refresh or end (§4.2.1.4). */
function again(
  { intent, access, unchanged = false }: SubscribeQuestion,
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
  // Who is no longer allowed may still end it.
  if (access === 'blocked' && granted > 0) return refuse(refusal('not-allowed'));
  const route = intent.route.length > 0 ? intent.route : current.route;
  const mayKnow = access === 'blocked' ? current.access : access;
  const refreshed = draftOf(current);
  // RFC 3261 §12.2.2: SUBSCRIBE refreshes the remote target. The route is the flow that it came in on: a phone that
  // changed its connection is reached on the new one.
  refreshed.remoteTarget = intent.remoteTarget;
  refreshed.route = route;
  refreshed.localTarget = localTargetOf(current.id, route, policy.ownAddress);
  refreshed.accept = intent.accept;
  refreshed.remoteCseq = intent.cseq;
  refreshed.failures = 0;
  if (granted > 0) refreshed.expiresAt = epochMs(now + granted * 1000);
  refreshed.access = mayKnow;
  refreshed.reason = 'timeout';
  refreshed.minInterval = pauseOf(intent, granted);
  refreshed.quenched = intent.ifMatch === ANY_STATE;
  // Only a subscription of which nothing but the state can be news is left without a NOTIFY.
  if (unchanged && mayKnow === current.access && intent.dialog !== undefined) {
    return { kind: 'suppress', next: granted === 0 ? undefined : quiet(refreshed), expires: granted };
  }
  if (granted > 0 && mayKnow === 'pending' && gaveUp(current, policy, now)) {
    refreshed.reason = 'giveup';
    const step = deliver(refreshed, 'unsubscribed', now, policy);
    return {
      kind: 'store',
      next: step.next ?? refreshed,
      expires: granted,
      notify: step.effect === 'sendFinal',
    };
  }
  const step = deliver(refreshed, granted === 0 ? 'unsubscribed' : 'asked', now, policy);
  const notify = step.effect === 'send' || step.effect === 'sendFinal';
  return { kind: 'store', next: step.next ?? refreshed, expires: granted, notify };
}

/** Refreshed without a NOTIFY; what waited for a pause to end need not, as the subscriber has the state. */
function quiet(refreshed: SubscriptionDraft): Subscription {
  if (!isInFlight(refreshed)) refreshed.delivery = 'settled';
  return refreshed;
}

/** Nobody has confirmed the watcher for so long that the notifier stops asking (§4.1.3 `giveup`). */
function gaveUp({ access, createdAt }: Subscription, policy: SubscribePolicy, now: EpochMs): boolean {
  return access === 'pending' && now - createdAt > policy.pendingMaxMs;
}

function first(
  { intent, id, access, list }: SubscribeQuestion,
  policy: SubscribePolicy,
  now: EpochMs,
): SubscribeDecision {
  if (intent.resource === undefined) return refuse(refusal('no-such-resource'));
  if (access === 'blocked') return refuse(refusal('not-allowed'));
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
    access,
    reason: 'timeout',
    retryAfter: 0,
    createdAt: now,
    minInterval: pauseOf(intent, granted),
    notifiedAt: epochMs(0),
    answered: 0,
    quenched: intent.ifMatch === ANY_STATE,
    list,
  };
  const step = deliver(fresh, granted === 0 ? 'unsubscribed' : 'asked', now, policy);
  const next = step.next ?? fresh;
  return granted === 0 ? { kind: 'fetch', next } : { kind: 'store', next, expires: granted, notify: true };
}

/** Seconds granted, or 423. */
function grant(intent: SubscribeIntent, policy: SubscribePolicy): number | Refusal {
  const { defaultExpires, minExpires = policy.minExpires, maxExpires = policy.maxExpires } = intent.package;
  const asked = intent.expires ?? defaultExpires;
  if (asked > 0 && asked < ONE_HOUR && asked < minExpires) {
    return refusal('interval-too-brief', `Min-Expires: ${minExpires}\r\n`);
  }
  return Math.min(asked, maxExpires);
}

/** RFC 5839 §5.2: a condition that any state meets. */
export const ANY_STATE = '*';

/**
 * The pause in ms that `max-rate` asks for; a rate so low that nothing would be told before the end is raised to once in the
 * granted time (RFC 6446 §5.3).
 */
function pauseOf({ maxRate }: SubscribeIntent, granted: number): number {
  if (maxRate === undefined) return 0;
  return Math.min(Math.ceil(1000 / maxRate), granted * 1000);
}

/** 2020-01-01: keeps the seconds below 2^31 until 2088 (RFC 3261 §8.1.1.5). */
const CSEQ_EPOCH_MS = 1_577_836_800_000;

/**
 * CSeq counts from the clock (RFC 3261 §8.1.1.5 proposes it), so that a dialog made anew under the same identifiers never
 * starts below where the last one stopped.
 */
const firstCseq = (now: EpochMs): number => Math.max(0, Math.floor((now - CSEQ_EPOCH_MS) / 1000));
