import { deliver, dueEvent } from '@rollcall/events';
import type {
  DeliveryPolicy,
  DirtyEntry,
  PackageRegistry,
  ResourceChange,
  ShardWork,
  StateSource,
  StateView,
  StoredSubscription,
  SubscriptionId,
} from '@rollcall/events';
import type { Clock } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { PresenceCounters } from './counters.ts';
import type { Lanes } from './lanes.ts';
import type { Notifier } from './notifier.ts';
import type { EventStore, PresenceLog } from './ports.ts';
import type { Records } from './records.ts';
import type { Views } from './views.ts';

export interface WorkerDeps {
  readonly store: EventStore;
  readonly records: Records;
  readonly views: Views;
  readonly lanes: Lanes;
  readonly notifier: Notifier;
  readonly packages: PackageRegistry;
  readonly clock: Clock;
  readonly policy: DeliveryPolicy;
  readonly counters: PresenceCounters;
  readonly log: PresenceLog;
  /** Runs work inside a span that goes on with the trace of the request that made the change. */
  traced(trace: string | undefined, resource: Aor, work: () => Promise<void>): Promise<void>;
}

/** Most entries taken at one time from a shard. */
const BATCH = 64;
/** Watchers of one resource that are told at one time. */
const PAGE = 256;
const MAX_TRIES = 5;

/** What happened to one resource, put together from several entries. */
interface ResourceWork {
  readonly resource: Aor;
  readonly sources: Set<StateSource>;
  readonly changes: ResourceChange[];
  trace: string | undefined;
}

/** Does what the shards have to do: tells watchers of changes, ends what has expired, takes over what was left. */
export class ShardWorker {
  readonly #draining = new Set<number>();
  readonly #again = new Set<number>();
  #stopped = false;

  constructor(private readonly deps: WorkerDeps) {}

  get busy(): number {
    return this.#draining.size;
  }

  /** Takes no more work; what is under way ends. */
  stop(): void {
    this.#stopped = true;
  }

  /** Does all that a shard has to do now. Never rejects; what failed comes again after its lease. */
  async drain(shard: number): Promise<void> {
    if (this.#stopped) return;
    if (this.#draining.has(shard)) {
      this.#again.add(shard);
      return;
    }
    this.#draining.add(shard);
    try {
      do {
        this.#again.delete(shard);
        const work = await this.deps.store.take(shard, BATCH);
        await this.#carryOut(shard, work);
        if (work.dirty.length === BATCH || work.due.length === BATCH) this.#again.add(shard);
      } while (this.#again.has(shard) && !this.#isStopped());
    } catch (error) {
      this.deps.log.warn({ err: error, shard }, 'work of a shard failed');
    } finally {
      this.#draining.delete(shard);
    }
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  async #carryOut(shard: number, work: ShardWork): Promise<void> {
    const told = this.#tellAll(shard, work.dirty);
    const due = work.due.map((id) => this.deps.lanes.run(id, () => this.#due(id)));
    const lapsed = work.lapsed.map((resource) => this.deps.lanes.run(resource, () => this.#lapsed(resource)));
    const ends = await Promise.allSettled([told, ...due, ...lapsed]);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Entries are finished only when every watcher is told or has it in its record that it is owed. */
  async #tellAll(shard: number, entries: readonly DirtyEntry[]): Promise<void> {
    if (entries.length === 0) return;
    this.deps.counters.dirtyEntries += entries.length;
    const works = byResource(entries);
    const done = new Set<Aor>();
    const ends = await Promise.allSettled(
      works.map(async (work) => {
        await this.deps.traced(work.trace, work.resource, () => this.#tell(work));
        done.add(work.resource);
      }),
    );
    await this.deps.store.done(
      shard,
      entries.filter(({ resource }) => done.has(resource)).map(({ cursor }) => cursor),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #tell(work: ResourceWork): Promise<void> {
    const ids = await this.deps.store.watchers(work.resource);
    for (let start = 0; start < ids.length; start += PAGE)
      await this.#tellPage(work, ids.slice(start, start + PAGE));
  }

  /**
   * The state is read after the records: what a record says was sent is then never newer than what is sent now, and the
   * compare-and-set of the claim sees to it that nobody came between.
   */
  async #tellPage(work: ResourceWork, ids: readonly SubscriptionId[]): Promise<void> {
    const all = await this.deps.records.readMany(ids);
    const views = new Map<string, Promise<StateView>>();
    await Promise.all(
      ids.map(async (id, n) => {
        const stored = all[n];
        if (stored === undefined) {
          await this.#forget(work.resource, id);
          return;
        }
        const name = stored.subscription.package;
        const found = this.deps.packages.find(name);
        if (found === undefined || !concerns(work, found)) return;
        let view = views.get(name);
        if (view === undefined) views.set(name, (view = this.deps.views.read(work.resource, found)));
        const settledView = view;
        await this.deps.lanes.run(id, async () => this.#tellOne(id, stored, await settledView, work.changes));
      }),
    );
  }

  async #tellOne(
    id: SubscriptionId,
    read: StoredSubscription,
    firstView: StateView,
    changes: readonly ResourceChange[],
  ): Promise<void> {
    const { records, clock, policy, notifier, views } = this.deps;
    let known: StoredSubscription | undefined = read;
    let view = firstView;
    for (let tries = 0; known !== undefined && tries < MAX_TRIES; tries += 1) {
      const current = known.subscription;
      if (current.delivery === 'settled') {
        if (current.sent === view.fingerprint || current.expiresAt <= clock.now()) return;
      }
      const step = deliver(current, 'changed', clock.now(), policy);
      if (step.next === current) return;
      const written = await records.write(id, known, step.next);
      if (written.kind === 'written') {
        // A partial document says what changed since the last that arrived; without one there is nothing to change.
        const partial = current.sent === '' ? undefined : changes;
        if (step.effect === 'send' && written.stored !== undefined)
          notifier.send(written.stored, view, partial);
        return;
      }
      known = written.stored;
      view = (await views.readFor(current)) ?? view;
    }
    if (known !== undefined) throw new Error(`subscription ${id} is too contended`);
  }

  /** The set of watchers still names a subscription whose record is gone. */
  async #forget(resource: Aor, id: SubscriptionId): Promise<void> {
    await this.deps.store.commit({ id, resource, expectedVersion: 0, next: undefined });
  }

  /** Expired, or waited long enough, or claimed by a replica that did not come back. */
  async #due(id: SubscriptionId): Promise<void> {
    const { records, store, clock, policy, counters, notifier, views } = this.deps;
    let known = await records.read(id);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const event = known === undefined ? undefined : dueEvent(known.subscription, clock.now());
      if (known === undefined || event === undefined) {
        await store.rearm(id);
        return;
      }
      const current = known.subscription;
      const step = deliver(current, event, clock.now(), policy);
      const sends = step.effect === 'send' || step.effect === 'sendFinal';
      const [written, view] = await Promise.all([
        records.write(id, known, step.next),
        sends ? views.readFor(current) : undefined,
      ]);
      known = written.stored;
      if (written.kind === 'conflict') continue;
      if (event === 'expired') counters.changed(current.package, 'expired');
      if (event === 'lapsed') counters.takenOver += 1;
      if (sends && known !== undefined && view !== undefined) notifier.send(known, view);
      return;
    }
  }

  /** Takes expired publications out of a resource's set and tells its watchers (RFC 3903 §4.4). */
  async #lapsed(resource: Aor): Promise<void> {
    const { store, clock } = this.deps;
    const { version, publications } = await store.readPublications(resource);
    const alive = publications.filter((each) => each.expiresAt > clock.now());
    if (alive.length === publications.length) {
      await store.rearmPublications(resource);
      return;
    }
    await store.commitPublications({
      resource,
      expectedVersion: version,
      publications: alive,
      changed: true,
    });
  }
}

function concerns(
  work: ResourceWork,
  {
    sources,
    unmovedBy,
  }: { readonly sources: readonly StateSource[]; readonly unmovedBy: ReadonlySet<string> },
): boolean {
  return sources.some((source) => {
    if (!work.sources.has(source)) return false;
    return (
      source !== 'location' ||
      work.changes.length === 0 ||
      work.changes.some(({ kind }) => !unmovedBy.has(kind))
    );
  });
}

function byResource(entries: readonly DirtyEntry[]): ResourceWork[] {
  const works = new Map<Aor, ResourceWork>();
  for (const { resource, source, changes, trace } of entries) {
    let work = works.get(resource);
    if (work === undefined) {
      work = { resource, sources: new Set(), changes: [], trace };
      works.set(resource, work);
    }
    work.sources.add(source);
    work.changes.push(...changes);
    work.trace ??= trace;
  }
  return [...works.values()];
}
