import type { Subscription } from './model.ts';

/** A subscription that is being made: its fields can be set. */
export type SubscriptionDraft = { -readonly [Field in keyof Subscription]: Subscription[Field] };

/**
 * A copy whose fields can be set, to be handed on as a `Subscription`. Field by field, in the order of the interface as wherever
 * one is made: objects of one shape are made and read several times faster than those that are spread.
 */
export function draftOf(from: Subscription): SubscriptionDraft {
  return {
    id: from.id,
    resource: from.resource,
    package: from.package,
    eventId: from.eventId,
    watcher: from.watcher,
    callId: from.callId,
    remoteTag: from.remoteTag,
    remoteUri: from.remoteUri,
    localUri: from.localUri,
    remoteTarget: from.remoteTarget,
    route: from.route,
    localTarget: from.localTarget,
    remoteCseq: from.remoteCseq,
    localCseq: from.localCseq,
    accept: from.accept,
    expiresAt: from.expiresAt,
    delivery: from.delivery,
    until: from.until,
    failures: from.failures,
    sent: from.sent,
    documents: from.documents,
    access: from.access,
    reason: from.reason,
    retryAfter: from.retryAfter,
    createdAt: from.createdAt,
    minInterval: from.minInterval,
    notifiedAt: from.notifiedAt,
    answered: from.answered,
    quenched: from.quenched,
    list: from.list,
  };
}
