import type { EpochMs } from '@rollcall/kernel';
import type { Aor, LocationSnapshot } from '@rollcall/location';
import type { WatcherRule, WatcherRules } from './access.ts';
import type { ListEntry, ResourceList } from './lists/model.ts';
import type {
  Mailbox,
  Publication,
  PublicationSet,
  ResourceChange,
  ResourceState,
  StateSource,
  StoredSubscription,
  Subscription,
  SubscriptionId,
} from './model.ts';
import type { WatcherChange } from './watchers.ts';

/* Every call throws `StoreUnavailable` (@rollcall/location) when the store is away. */

export interface SubscriptionReader {
  read(id: SubscriptionId): Promise<StoredSubscription | undefined>;
  /** In the order asked; undefined for one that is gone. */
  readMany(ids: readonly SubscriptionId[]): Promise<readonly (StoredSubscription | undefined)[]>;
  /** Ids of the subscriptions to a resource, in id order: those after `after`, at most `limit`; all without them. */
  watchers(resource: Aor, after?: SubscriptionId, limit?: number): Promise<readonly SubscriptionId[]>;
  /** The same for what a watcher subscribes to; may name some that are gone. */
  watchesOf(watcher: string, after?: SubscriptionId, limit?: number): Promise<readonly SubscriptionId[]>;
}

export interface SubscriptionCommit {
  readonly id: SubscriptionId;
  readonly resource: Aor;
  /** 0: there must be no record. */
  readonly expectedVersion: number;
  /** The whole new record; undefined removes it. */
  readonly next: Subscription | undefined;
  /** What those who watch the watchers are told of it (`watcherChange`). */
  readonly watching?: WatcherChange | undefined;
}

export type SubscriptionOutcome =
  | { readonly kind: 'committed'; readonly version: number }
  | { readonly kind: 'conflict'; readonly current: StoredSubscription | undefined };

/** A commit that a SUBSCRIBE asks for. */
export interface SubscribeCommit extends SubscriptionCommit {
  /** Version of the watcher rules that it rests on; undefined when it rests on none. */
  readonly rules?: number | undefined;
  /** At most three parts of the resource's state to be read right after it. */
  readonly sources: readonly StateSource[];
}

export type SubscribeOutcome =
  | { readonly kind: 'committed'; readonly version: number; readonly state: ResourceState }
  | { readonly kind: 'conflict'; readonly current: StoredSubscription | undefined }
  /** There are other rules. */
  | { readonly kind: 'rules'; readonly rules: WatcherRules };

/** Names a duty to tell the watchers of a resource: whoever took it ends it with `settle`, or another is given it at `until`. */
export interface TellDuty {
  readonly resource: Aor;
  readonly until: EpochMs;
}

export interface SubscriptionWriter {
  /**
   * Compare-and-set on the record's version; record, the resource's watchers and the due-set change together or not at
   * all. The due-set is armed for `dueAt(next)`. Where somebody watches the watchers, `watching` makes the resource dirty.
   */
  commit(commit: SubscriptionCommit): Promise<SubscriptionOutcome>;
  /** The same for many, each by itself, in the order given. The duty is done when all are committed. */
  settle(commits: readonly SubscriptionCommit[], duty?: TellDuty): Promise<readonly SubscriptionOutcome[]>;
  /** The same for a SUBSCRIBE: depends on the rules too, and reads the state that its NOTIFY tells. */
  subscribe(commit: SubscribeCommit): Promise<SubscribeOutcome>;
  /** Makes changes of `resource` known to a subscription to a list that it is on, until about `until`. */
  watch(resource: Aor, id: SubscriptionId, until: EpochMs): Promise<void>;
  /** Takes an id off the watchers of a resource. */
  unwatch(resource: Aor, id: SubscriptionId): Promise<void>;
  /** Notes, or forgets, under the watcher what `watchesOf` gives. */
  index(watcher: string, id: SubscriptionId, until: EpochMs | undefined): Promise<void>;
  /** The shard of a resource, the first part of the ids of its subscriptions. */
  shardOf(resource: Aor): number;
}

/** A resource that changed and has watchers. */
export interface DirtyEntry {
  /** Names the entry to `done`. */
  readonly cursor: string;
  readonly resource: Aor;
  /** What changed: a source of states. */
  readonly source: StateSource;
  readonly changes: readonly ResourceChange[];
  /** The packages whose publications changed; left away when that is not known. */
  readonly packages?: readonly string[];
  /** What happened to watchers of the resource. */
  readonly watching?: WatcherChange;
  /** W3C traceparent of the request that made the change. */
  readonly trace?: string;
}

export interface ShardWork {
  readonly dirty: readonly DirtyEntry[];
  /** Subscriptions past their expiry, their claim or their back-off; on loan until `commit` or `rearm` places them anew. */
  readonly due: readonly SubscriptionId[];
  /** Resources that changed and whose watchers were not told by whoever had taken that upon itself. */
  readonly untold: readonly TellDuty[];
  /** Resources with a publication past its expiry; on loan until `commitPublications` or `rearmPublications`. */
  readonly lapsed: readonly Aor[];
}

/** How long work taken from a queue is on loan: if its taker dies, another is given it after this time. */
export const WORK_LEASE_MS = 5000;

/** What is to be done for subscriptions, shared between the replicas: each piece goes to one of them, and to another when that one dies. */
export interface WorkQueue {
  readonly shards: number;
  /**
   * Takes new entries, and unless `onlyNew` also entries that a replica took and did not finish in time, and what is due. At
   * most `limit` of each.
   */
  take(shard: number, limit: number, onlyNew?: boolean): Promise<ShardWork>;
  /** The entries need not be seen again. */
  done(shard: number, cursors: readonly string[]): Promise<void>;
  /** Puts a subscription that was taken as due back where its record says (`dueAt`), or away when there is none. */
  rearm(id: SubscriptionId): Promise<void>;
  /** The same for the publications of a resource. */
  rearmPublications(resource: Aor): Promise<void>;
  /** Calls when a shard has new entries; only a hint, `take` is the truth. Returns the function that ends it. */
  onBell(ring: (shard: number) => void): () => void;
}

export interface ResourceStates {
  /** The named parts of a resource's state, read together. */
  readState(resource: Aor, sources: readonly StateSource[]): Promise<ResourceState>;
}

export interface Mailboxes {
  readMailbox(aor: Aor): Promise<Mailbox | undefined>;
  /** Undefined removes it. Tells the watchers. */
  putMailbox(aor: Aor, mailbox: Mailbox | undefined, trace?: string): Promise<void>;
}

export interface PublicationCommit {
  readonly resource: Aor;
  readonly expectedVersion: number;
  /** The whole new set; empty removes the record. */
  readonly publications: readonly Publication[];
  /** False for a refresh, which is no change of state. */
  readonly changed: boolean;
  /** The packages that changed; without it, all of them may have. */
  readonly packages?: readonly string[] | undefined;
  readonly trace?: string | undefined;
  /** So many watchers at most the caller tells itself, when the outcome says so; left away: none. */
  readonly tells?: number;
  /** Where the caller thinks that it knows all that it needs to tell them: their claims, made with the commit or not at all. */
  readonly claims?: PublicationClaims | undefined;
}

/** Claims of the watchers of a changed resource for the state that it has with the commit. They hold together or not at all. */
export interface PublicationClaims {
  /** All who watch the resource, in id order. */
  readonly watchers: readonly SubscriptionId[];
  /** Version of the location record that the state was made with; 0: there is none. */
  readonly location: number;
  /**
   * The watchers that the state is told to, or of which it must be certain that there is nothing to tell: there `next` is what is
   * stored, and the record is left as it is. All are in the shard of the resource; none is removed.
   */
  readonly commits: readonly (SubscriptionCommit & {
    readonly next: Subscription;
    readonly holds: boolean;
  })[];
}

/** The watchers of a changed resource, with what else its state is made of as it was when it changed. */
export interface Telling {
  readonly duty: TellDuty;
  readonly watchers: readonly SubscriptionId[];
  readonly location: LocationSnapshot;
}

export type PublicationOutcome =
  | {
      readonly kind: 'committed';
      readonly version: number;
      /** The watchers are for the caller to tell. */
      readonly telling?: Telling | undefined;
      /** The claims hold: the version of each of their records. */
      readonly told?: readonly number[] | undefined;
    }
  | { readonly kind: 'conflict'; readonly current: PublicationSet };

export interface Publications {
  readPublications(resource: Aor): Promise<PublicationSet>;
  /** Compare-and-set; tells the watchers when `changed`, and arms the due-set for the next expiry. */
  commitPublications(commit: PublicationCommit): Promise<PublicationOutcome>;
}

/** Who may watch whom. */
export interface WatcherRuleStore {
  readRules(resource: Aor): Promise<WatcherRules>;
  /** Replaces all; in force at once for the subscriptions that there are. */
  putRules(resource: Aor, rules: readonly WatcherRule[], trace?: string): Promise<void>;
}

export interface ResourceLists {
  readList(uri: Aor): Promise<ResourceList | undefined>;
  /** Replaces it and tells its subscribers. */
  putList(uri: Aor, list: Omit<ResourceList, 'version'>, trace?: string): Promise<void>;
  /** True when there was one. Its subscriptions end. */
  removeList(uri: Aor, trace?: string): Promise<boolean>;
  /** URIs of lists in octet order, those after `after`, at most `limit`. */
  lists(after: string | undefined, limit: number): Promise<readonly Aor[]>;
  /** The list that came with the SUBSCRIBE of a subscription. */
  readAdhoc(id: SubscriptionId): Promise<ResourceList | undefined>;
  /** Keeps it, or keeps it longer (without `entries`), until about `until`. */
  keepAdhoc(id: SubscriptionId, entries: readonly ListEntry[] | undefined, until: EpochMs): Promise<void>;
}
