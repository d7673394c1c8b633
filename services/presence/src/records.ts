import { BoundedMap } from '@rollcall/kernel';
import { watcherChange } from '@rollcall/events';
import type {
  ResourceState,
  StateSource,
  StoredSubscription,
  Subscription,
  SubscriptionCommit,
  SubscriptionId,
  SubscriptionOutcome,
  TellDuty,
  WatcherRules,
} from '@rollcall/events';
import type { PresenceCounters } from './counters.ts';
import type { EventStore } from './ports.ts';
import type { Watched } from './watched.ts';

/** Records that are kept; a hint for the first compare-and-set, never the truth. */
const KEPT = 10_000;

/** The outcome of one compare-and-set: the record as it is now. */
export type Written =
  | { readonly kind: 'written'; readonly stored: StoredSubscription | undefined }
  | { readonly kind: 'conflict'; readonly stored: StoredSubscription | undefined };

/** The same for a SUBSCRIBE, with the state right after it. */
export type Subscribed =
  | {
      readonly kind: 'written';
      readonly stored: StoredSubscription | undefined;
      readonly state: ResourceState;
    }
  | { readonly kind: 'conflict'; readonly stored: StoredSubscription | undefined }
  | { readonly kind: 'rules'; readonly rules: WatcherRules };

/** A record and what it is to become; `next` undefined removes it. */
export interface Change {
  readonly id: SubscriptionId;
  readonly known: StoredSubscription | undefined;
  readonly next: Subscription | undefined;
}

interface Seen {
  readonly stored: StoredSubscription;
  /** Counts what has been learnt: tells whether this was known at an earlier moment. */
  readonly learnt: number;
}

/**
 * Subscription records with a memory for those that were seen last, so that the common step costs one round trip: it is
 * decided on the remembered record, and a conflict brings the true one. What is decided without a write must not rest on
 * memory: it is read first.
 */
export class Records {
  readonly #seen = new BoundedMap<SubscriptionId, Seen>(KEPT);
  /** Records that are ahead of the store, by the version that they have there: written with the next step, or soon. */
  readonly #ahead = new Map<SubscriptionId, StoredSubscription>();
  #learnt = 0;
  /** Told of a record that was ahead of the store and has been written there with another step, or overtaken. */
  onOvertaken: (id: SubscriptionId) => void = () => undefined;

  constructor(
    private readonly store: EventStore,
    private readonly counters: PresenceCounters,
    private readonly watched: Watched,
  ) {}

  get kept(): { readonly size: number; readonly limit: number } {
    return { size: this.#seen.size, limit: this.#seen.limit };
  }

  /** How much has been learnt so far, for `remembered`. */
  get learnt(): number {
    return this.#learnt;
  }

  /** What is known of a record; with `by` only what was known at that moment. */
  remembered(id: SubscriptionId, by = Infinity): StoredSubscription | undefined {
    // What is asked for is written soon, and that makes it young.
    const seen = this.#seen.peek(id);
    if (seen === undefined) return this.#ahead.get(id);
    if (seen.learnt > by) return undefined;
    return this.#ahead.get(id) ?? seen.stored;
  }

  /** The record that is ahead of the store, if there is one. */
  ahead(id: SubscriptionId): StoredSubscription | undefined {
    return this.#ahead.get(id);
  }

  /** Goes ahead of the store, whose record has this version. Whoever calls writes it in time. */
  goAhead(stored: StoredSubscription): void {
    this.#ahead.set(stored.subscription.id, stored);
  }

  async read(id: SubscriptionId): Promise<StoredSubscription | undefined> {
    return this.#note(id, await this.store.read(id));
  }

  async readMany(ids: readonly SubscriptionId[]): Promise<readonly (StoredSubscription | undefined)[]> {
    const all = await this.store.readMany(ids);
    return ids.map((id, n) => this.#note(id, all[n]));
  }

  /** Replaces `known` (undefined: there is none) by `next` (undefined: removes it). */
  async write(
    id: SubscriptionId,
    known: StoredSubscription | undefined,
    next: Subscription | undefined,
  ): Promise<Written> {
    const commit = commitOf({ id, known, next });
    if (commit === undefined) return { kind: 'written', stored: undefined };
    return this.#settled({ id, known, next }, await this.store.commit(commit));
  }

  /** The same for many at once; the duty is done when none conflicts. */
  async writeMany(changes: readonly Change[], duty?: TellDuty): Promise<readonly Written[]> {
    const commits = changes.flatMap((change) => commitOf(change) ?? []);
    if (commits.length !== changes.length) throw new RangeError('a change of nothing to nothing');
    const outcomes = await this.store.settle(commits, duty);
    return changes.map((change, n) => {
      const outcome = outcomes[n];
      if (outcome === undefined) throw new RangeError('no outcome of a commit');
      return this.#settled(change, outcome);
    });
  }

  /** Writes what a SUBSCRIBE asks for, if the rules are those of this version, and reads the state. */
  async subscribe(
    { id, known, next }: Change & { readonly next: Subscription },
    rules: number | undefined,
    sources: readonly StateSource[],
  ): Promise<Subscribed> {
    const commit = commitOf({ id, known, next });
    if (commit === undefined) throw new RangeError('a SUBSCRIBE for nothing');
    const { resource, expectedVersion, watching } = commit;
    const outcome = await this.store.subscribe({
      id,
      resource,
      expectedVersion,
      next,
      watching,
      rules,
      sources,
    });
    if (outcome.kind === 'rules') return outcome;
    const { stored } = this.#settled({ id, known, next }, outcome);
    if (outcome.kind === 'conflict') return { kind: 'conflict', stored };
    this.watched.stored(next, outcome.state.location);
    return { kind: 'written', stored, state: outcome.state };
  }

  /** A record was claimed together with something else: what the store has now. */
  claimed(before: StoredSubscription, stored: StoredSubscription): StoredSubscription {
    const { id } = stored.subscription;
    const wasAhead = this.#ahead.delete(id);
    this.#index(before.subscription, stored.subscription);
    this.#note(id, stored);
    if (wasAhead) this.onOvertaken(id);
    return stored;
  }

  #settled({ id, known, next }: Change, outcome: SubscriptionOutcome): Written {
    // Written with this step, or overtaken by what another replica wrote.
    const wasAhead = this.#ahead.delete(id);
    const written = this.#outcome({ id, known, next }, outcome);
    if (wasAhead) this.onOvertaken(id);
    return written;
  }

  #outcome({ id, known, next }: Change, outcome: SubscriptionOutcome): Written {
    if (outcome.kind === 'conflict') {
      this.counters.conflicts += 1;
      return { kind: 'conflict', stored: this.#note(id, outcome.current) };
    }
    this.#index(known?.subscription, next);
    if (next === undefined && known !== undefined) this.watched.gone(known.subscription.resource, id);
    const stored = next === undefined ? undefined : { version: outcome.version, subscription: next };
    return { kind: 'written', stored: this.#note(id, stored) };
  }

  /**
   * What a watcher subscribes to, beside its own resources, is listed for operators. Not waited for: a name too many is
   * found out when it is read, and the next refresh adds one that is missing.
   */
  #index(before: Subscription | undefined, after: Subscription | undefined): void {
    const either = after ?? before;
    if (either === undefined || either.watcher === either.resource) return;
    if (before !== undefined && after !== undefined && before.expiresAt === after.expiresAt) return;
    this.store.index(either.watcher, either.id, after?.expiresAt).catch(() => undefined);
  }

  #note(id: SubscriptionId, stored: StoredSubscription | undefined): StoredSubscription | undefined {
    this.#learnt += 1;
    if (stored === undefined) {
      this.#seen.delete(id);
      return undefined;
    }
    this.#seen.set(id, { stored, learnt: this.#learnt });
    const ahead = this.#ahead.get(id);
    return ahead?.version === stored.version ? ahead : stored;
  }
}

function commitOf({ id, known, next }: Change): SubscriptionCommit | undefined {
  const resource = next?.resource ?? known?.subscription.resource;
  if (resource === undefined) return undefined;
  const watching = watcherChange(known?.subscription, next);
  return { id, resource, expectedVersion: known?.version ?? 0, next, watching };
}
