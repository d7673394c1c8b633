import { deliver, dueEvent, watchedPackage } from '@rollcall/events';
import type {
  DeliveryPolicy,
  DirtyEntry,
  EventPackage,
  PackageRegistry,
  ResourceChange,
  ShardWork,
  StateSource,
  StateView,
  Subscription,
  SubscriptionId,
  WatcherChange,
} from '@rollcall/events';
import type { Clock, EpochMs } from '@rollcall/kernel';
import { StoreUnavailable } from '@rollcall/location';
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
  /** Packages whose publications changed; undefined: any may have. */
  packages: Set<string> | undefined;
  readonly watching: WatcherChange[];
  /** Entries of bindings among them. */
  commits: number;
  trace: string | undefined;
}

/** Does what the shards have to do: tells watchers of changes, ends what has expired, takes over what was left. */
export class ShardWorker {
  readonly #draining = new Set<number>();
  /** Shards to look at once more, and whether only for what is new. */
  readonly #again = new Map<number, boolean>();
  /** Entries that are done, by shard: taken out of the stream in one go, well before their lease ends. */
  readonly #finished = new Map<number, string[]>();
  #stopped = false;

  constructor(private readonly deps: WorkerDeps) {}

  get busy(): number {
    return this.#draining.size;
  }

  /** Takes no more work; what is under way ends. */
  stop(): void {
    this.#stopped = true;
  }

  /** Does all that a shard has to do now, or what is new there. Never rejects; what failed comes again after its lease. */
  async drain(shard: number, onlyNew = false): Promise<void> {
    if (this.#stopped) return;
    if (this.#draining.has(shard)) {
      this.#again.set(shard, onlyNew && (this.#again.get(shard) ?? true));
      return;
    }
    this.#draining.add(shard);
    let fresh = onlyNew;
    try {
      do {
        fresh = this.#again.get(shard) ?? fresh;
        this.#again.delete(shard);
        const work = await this.deps.store.take(shard, BATCH, fresh);
        await this.#carryOut(shard, work);
        if (work.dirty.length === BATCH || work.due.length === BATCH) this.#again.set(shard, fresh);
      } while (this.#again.has(shard) && !this.#isStopped());
    } catch (error) {
      // That the store is away is told once, by who watches it.
      if (!(error instanceof StoreUnavailable))
        this.deps.log.warn({ err: error, shard }, 'work of a shard failed');
    } finally {
      this.#draining.delete(shard);
    }
  }

  /** Takes what is done out of the streams. Never rejects: what stays is seen again and found to be told. */
  async flush(): Promise<void> {
    const all = [...this.#finished];
    this.#finished.clear();
    await Promise.allSettled(all.map(([shard, cursors]) => this.deps.store.done(shard, cursors)));
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
    const finished = this.#finished.get(shard) ?? [];
    for (const { resource, cursor } of entries) if (done.has(resource)) finished.push(cursor);
    if (finished.length > 0) this.#finished.set(shard, finished);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #tell(work: ResourceWork): Promise<void> {
    const { store } = this.deps;
    const ids = await store.watchers(work.resource);
    for (let start = 0; start < ids.length; start += PAGE) {
      await this.#tellPage(work, ids.slice(start, start + PAGE));
    }
  }

  /** Records that are remembered need not be read: a claim on an old one conflicts and brings the true one. */
  async #tellPage(work: ResourceWork, ids: readonly SubscriptionId[]): Promise<void> {
    const { records, lanes } = this.deps;
    const unknown = ids.filter((id) => records.remembered(id) === undefined);
    const read = unknown.length === 0 ? [] : await records.readMany(unknown);
    const gone = unknown.filter((_, n) => read[n] === undefined);
    const views = new Map<string, Promise<StateView>>();
    await Promise.all(
      ids.map(async (id) => {
        if (gone.includes(id)) await this.#forget(work.resource, id);
        else await lanes.run(id, () => this.#tellOne(id, work, views));
      }),
    );
  }

  /**
   * Claims, or leaves word with the one in flight. The state is read after the record: what a record says was sent is then
   * never newer than what is sent now, and the compare-and-set of the claim sees to it that nobody came between. That there
   * is nothing to tell is believed only of a record that was read for it.
   */
  async #tellOne(
    id: SubscriptionId,
    work: ResourceWork,
    views: Map<string, Promise<StateView>>,
  ): Promise<void> {
    const { records, clock, policy, notifier } = this.deps;
    let known = records.remembered(id) ?? (await records.read(id));
    let certain = false;
    let shared: Map<string, Promise<StateView>> = views;
    for (let tries = 0; known !== undefined && tries < MAX_TRIES; tries += 1) {
      const current = known.subscription;
      const view = await this.#viewOf(current.package, work, shared);
      if (view === undefined) return;
      const step = mayBeTold(current, view, clock.now())
        ? deliver(current, 'changed', clock.now(), policy)
        : undefined;
      if (step?.next === undefined || step.next === current) {
        if (certain) return;
        known = await records.read(id);
      } else {
        const claims = step.effect === 'send';
        const next = claims ? { ...step.next, sent: view.fingerprint } : step.next;
        const written = await records.write(id, known, next);
        if (written.kind === 'written') {
          // What changed is news only to who got the last document.
          const { commits, changes, watching } = work;
          const news = current.sent === '' ? undefined : { after: current.sent, commits, changes, watching };
          if (claims && written.stored !== undefined) notifier.send(written.stored, view, news);
          return;
        }
        known = written.stored;
      }
      certain = true;
      shared = new Map();
    }
    if (known !== undefined) throw new Error(`subscription ${id} is too contended`);
  }

  /** The state through a package's eyes, read once for all subscriptions of a page; undefined when the change is none to it. */
  async #viewOf(
    name: string,
    work: ResourceWork,
    shared: Map<string, Promise<StateView>>,
  ): Promise<StateView | undefined> {
    const found = this.deps.packages.find(name);
    if (found === undefined || !concerns(work, found)) return undefined;
    let view = shared.get(name);
    if (view === undefined) shared.set(name, (view = this.deps.views.read(work.resource, found)));
    return view;
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
      packages: [
        ...new Set(publications.filter((each) => !alive.includes(each)).map((each) => each.package)),
      ],
    });
  }
}

/** False when the subscriber has this state, or is being sent it, or the subscription is over. */
function mayBeTold(current: Subscription, view: StateView, now: EpochMs): boolean {
  if (current.sent === view.fingerprint) return false;
  return current.delivery !== 'settled' || current.expiresAt > now;
}

function concerns(
  work: ResourceWork,
  { name, sources, unmovedBy }: Pick<EventPackage, 'name' | 'sources' | 'unmovedBy'>,
): boolean {
  return sources.some((source) => {
    if (!work.sources.has(source)) return false;
    if (source === 'publications') return work.packages?.has(name) ?? true;
    if (source === 'watchers') return work.watching.some((one) => one.package === watchedPackage(name));
    return (
      source !== 'location' ||
      work.changes.length === 0 ||
      work.changes.some(({ kind }) => !unmovedBy.has(kind))
    );
  });
}

function byResource(entries: readonly DirtyEntry[]): ResourceWork[] {
  const works = new Map<Aor, ResourceWork>();
  for (const { resource, source, changes, packages, watching, trace } of entries) {
    let work = works.get(resource);
    if (work === undefined) {
      work = {
        resource,
        sources: new Set(),
        changes: [],
        packages: new Set(),
        watching: [],
        commits: 0,
        trace,
      };
      works.set(resource, work);
    }
    work.sources.add(source);
    if (source === 'location') work.commits += 1;
    work.changes.push(...changes);
    if (watching !== undefined) work.watching.push(watching);
    if (source === 'publications') {
      if (packages === undefined) work.packages = undefined;
      for (const name of packages ?? []) work.packages?.add(name);
    }
    work.trace ??= trace;
  }
  return [...works.values()];
}
