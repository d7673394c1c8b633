import type { Brand, EpochMs } from '@rollcall/kernel';
import type { Aor, BindingId, ChangeKind, LocationSnapshot } from '@rollcall/location';
import type { WatcherRules } from './access.ts';
import type { ResourceList } from './lists/model.ts';

/** Names a subscription: `<shard>.<random>`; it is our tag in the dialog and the user part of our Contact (architecture §5). */
export type SubscriptionId = Brand<string, 'SubscriptionId'>;

/** Where the delivery of NOTIFYs stands; the table is in `delivery.ts`. */
export type DeliveryState =
  'settled' | 'inFlight' | 'stale' | 'owing' | 'endOwed' | 'waiting' | 'parked' | 'ending';

/**
 * What the subscriber may see (RFC 6665 §4.1.3, RFC 3856 §6.6.2): the state; nothing yet, until somebody confirms; or, without
 * being told so, a state in which nobody is there.
 */
export type Access = 'active' | 'pending' | 'polite';

/** Why a subscription ends (RFC 6665 §4.1.3); the `reason` of its last NOTIFY. */
export type TerminationReason =
  'timeout' | 'deactivated' | 'probation' | 'rejected' | 'giveup' | 'noresource';

/** Of a subscription to a resource list (RFC 4662): the list is kept under its URI, or came with the SUBSCRIBE (RFC 5367). */
export type ListKind = 'stored' | 'adhoc';

/**
 * A subscription with its dialog, whole: any replica can answer for it (RFC 3261 §12, RFC 6665 §4.2.1).
 * No field holds a line break; all text is octets.
 */
export interface Subscription {
  readonly id: SubscriptionId;
  readonly resource: Aor;
  /** Event package name; compared octet by octet (RFC 6665 §8.2.1). */
  readonly package: string;
  /** The Event header's `id` parameter, empty when there was none (RFC 6665 §8.2.1). */
  readonly eventId: string;
  /** Who was authenticated as the subscriber. */
  readonly watcher: string;
  readonly callId: string;
  /** The subscriber's tag; empty for an RFC 2543 phone that has none. */
  readonly remoteTag: string;
  /** URI of the subscriber, from the SUBSCRIBE's From: what a NOTIFY names in To. */
  readonly remoteUri: string;
  /** URI of the notifier, from the SUBSCRIBE's To. */
  readonly localUri: string;
  /** The subscriber's Contact URI (RFC 3261 §12.2.1.1). */
  readonly remoteTarget: string;
  /** Route set, top first, each a name-addr as it was in Record-Route. */
  readonly route: readonly string[];
  /** Our Contact URI: the edge's advertised address with the transport of the flow. */
  readonly localTarget: string;
  readonly remoteCseq: number;
  /** CSeq of the last NOTIFY; it only rises (architecture §9 invariant 5). */
  readonly localCseq: number;
  /** Media type of the bodies. */
  readonly accept: string;
  readonly expiresAt: EpochMs;
  readonly delivery: DeliveryState;
  /** End of the claim when a NOTIFY is in flight, moment of the next try when waiting. */
  readonly until: EpochMs;
  /** NOTIFYs that failed since the last that was answered 2xx. */
  readonly failures: number;
  /** Fingerprint of the state in the NOTIFY that arrived last, or is in flight; empty when it is not known to be that. */
  readonly sent: string;
  /** NOTIFYs claimed so far: one less is the `version` of the last document (RFC 3680 §5.1). */
  readonly documents: number;
  readonly access: Access;
  /** What the last NOTIFY says when the subscription is being ended. */
  readonly reason: TerminationReason;
  /** Seconds of the last NOTIFY's `retry-after`; 0: none. */
  readonly retryAfter: number;
  readonly createdAt: EpochMs;
  /** Shortest pause in ms between two NOTIFYs that tell of changes (RFC 6446 `max-rate`); 0: none. */
  readonly minInterval: number;
  /** When the last NOTIFY was claimed; 0 before the first. */
  readonly notifiedAt: EpochMs;
  /** Status of the answer to the last NOTIFY that has one; 408 when none came in time, 0 before the first. */
  readonly answered: number;
  /** `Suppress-If-Match: *` stands: no change is told (RFC 5839 §5.2). */
  readonly quenched: boolean;
  /** Undefined: the resource is a single one. */
  readonly list: ListKind | undefined;
}

export interface StoredSubscription {
  readonly version: number;
  readonly subscription: Subscription;
}

/** One change of a binding as the dirty stream carries it. */
export interface ResourceChange {
  readonly kind: ChangeKind;
  readonly bindingId: BindingId;
  /** The Contact URI; what remains to be told of a binding that has gone. */
  readonly contact: string;
}

/** Message counts of one message class (RFC 3842 §5.2), each at most 2^32−1. */
export interface MessageCount {
  readonly fresh: number;
  readonly old: number;
  readonly urgentFresh?: number;
  readonly urgentOld?: number;
}

/** State of a mailbox; keys are message-context classes such as `voice-message` (RFC 3458 §6.2). */
export interface Mailbox {
  readonly account?: string;
  readonly counts: Readonly<Record<string, MessageCount>>;
}

/** One published event state (RFC 3903 §4). */
export interface Publication {
  /** Entity-tag, new with every PUBLISH (RFC 3903 §6 step 6). */
  readonly etag: string;
  readonly package: string;
  readonly expiresAt: EpochMs;
  /** What the package keeps of the published document (`PublicationFormat.read`). */
  readonly body: string;
}

/** All publications of one resource; version 0 means that there is no record. */
export interface PublicationSet {
  readonly version: number;
  readonly publications: readonly Publication[];
}

/** What a package composes from: the parts it names as its sources, as the store held them at one moment. */
export interface ResourceState {
  readonly resource: Aor;
  readonly location?: LocationSnapshot;
  readonly mailbox?: Mailbox | undefined;
  readonly publications?: PublicationSet;
  /** Subscriptions to the resource, those to watcher information among them, in the order of their ids. */
  readonly watchers?: readonly Subscription[];
  readonly rules?: WatcherRules;
  readonly list?: ResourceList | undefined;
}

export type StateSource = 'location' | 'mailbox' | 'publications' | 'watchers' | 'rules' | 'list';
