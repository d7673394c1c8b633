import type { Clock } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { ResourceChange } from '../model.ts';
import type {
  DirtyEntry,
  Mailboxes,
  Publications,
  ResourceLists,
  ResourceStates,
  ShardWork,
  SubscriptionReader,
  SubscriptionWriter,
  WatcherRuleStore,
  WorkQueue,
} from '../ports.ts';
import { freshResource, sampleSubscription } from './samples.ts';

export type EventsStore = SubscriptionReader &
  SubscriptionWriter &
  WorkQueue &
  ResourceStates &
  Mailboxes &
  Publications &
  WatcherRuleStore &
  ResourceLists;

/** What an adapter hands to the contract suite. */
export interface EventsUnderTest {
  readonly store: EventsStore;
  /** The store as another replica sees it. */
  readonly other: EventsStore;
  readonly clock: Clock;
  /** Registers or unregisters a binding, as the registrar's commit does. */
  readonly changeLocation: (
    resource: Aor,
    kind: 'registered' | 'unregistered',
    trace?: string,
  ) => Promise<ResourceChange>;
  /** Lets time pass: for real, or by turning the clock. */
  readonly pass: (ms: number) => Promise<void>;
  close?(): Promise<void>;
}

/** The store under test, opened once for a suite. */
export type Open = () => Promise<EventsUnderTest>;

/** A subscription that was committed for the first time. */
export async function stored(open: Open, change: Parameters<typeof sampleSubscription>[3] = {}) {
  const { store, clock } = await open();
  const resource = freshResource();
  const subscription = sampleSubscription(resource, store.shardOf(resource), clock.now(), change);
  const outcome = await store.commit({
    id: subscription.id,
    resource,
    expectedVersion: 0,
    next: subscription,
  });
  if (outcome.kind !== 'committed') throw new Error('a first commit conflicts');
  return { resource, subscription, version: outcome.version };
}

/** Takes the work of a resource's shard, and what of it is the resource's. */
export async function takeFor(
  store: EventsStore,
  resource: Aor,
): Promise<{ mine: DirtyEntry[]; work: ShardWork }> {
  const work = await store.take(store.shardOf(resource), 100);
  return { mine: work.dirty.filter((entry) => entry.resource === resource), work };
}
