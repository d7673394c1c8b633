import { BoundedMap } from '@rollcall/kernel';
import { watcherChange } from '@rollcall/events';
import type { StoredSubscription, Subscription, SubscriptionId } from '@rollcall/events';
import type { PresenceCounters } from './counters.ts';
import type { EventStore } from './ports.ts';

/** Records that are kept; a hint for the first compare-and-set, never the truth. */
const KEPT = 10_000;

/** The outcome of one compare-and-set: the record as it is now. */
export type Written =
  | { readonly kind: 'written'; readonly stored: StoredSubscription | undefined }
  | { readonly kind: 'conflict'; readonly stored: StoredSubscription | undefined };

/**
 * Subscription records with a memory for those that were seen last, so that the common step costs one round trip: it is
 * decided on the remembered record, and a conflict brings the true one. What is decided without a write must not rest on
 * memory: it is read first.
 */
export class Records {
  readonly #seen = new BoundedMap<SubscriptionId, StoredSubscription>(KEPT);

  constructor(
    private readonly store: EventStore,
    private readonly counters: PresenceCounters,
  ) {}

  get kept(): { readonly size: number; readonly limit: number } {
    return { size: this.#seen.size, limit: this.#seen.limit };
  }

  remembered(id: SubscriptionId): StoredSubscription | undefined {
    return this.#seen.get(id);
  }

  async read(id: SubscriptionId): Promise<StoredSubscription | undefined> {
    return this.#note(id, await this.store.read(id));
  }

  async readMany(ids: readonly SubscriptionId[]): Promise<readonly (StoredSubscription | undefined)[]> {
    const all = await this.store.readMany(ids);
    ids.forEach((id, n) => this.#note(id, all[n]));
    return all;
  }

  /** Replaces `known` (undefined: there is none) by `next` (undefined: removes it). */
  async write(
    id: SubscriptionId,
    known: StoredSubscription | undefined,
    next: Subscription | undefined,
  ): Promise<Written> {
    const resource = next?.resource ?? known?.subscription.resource;
    if (resource === undefined) return { kind: 'written', stored: undefined };
    const expectedVersion = known?.version ?? 0;
    const watching = watcherChange(known?.subscription, next);
    const outcome = await this.store.commit({ id, resource, expectedVersion, next, watching });
    if (outcome.kind === 'conflict') {
      this.counters.conflicts += 1;
      return { kind: 'conflict', stored: this.#note(id, outcome.current) };
    }
    const stored = next === undefined ? undefined : { version: outcome.version, subscription: next };
    return { kind: 'written', stored: this.#note(id, stored) };
  }

  #note(id: SubscriptionId, stored: StoredSubscription | undefined): StoredSubscription | undefined {
    if (stored === undefined) this.#seen.delete(id);
    else this.#seen.set(id, stored);
    return stored;
  }
}
