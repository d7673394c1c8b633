import { deliver, dueEvent } from '@rollcall/events';
import type { DeliveryPolicy, PublicationCommit, ShardWork, SubscriptionId, Telling } from '@rollcall/events';
import type { Clock } from '@rollcall/kernel';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import type { PresenceCounters } from './counters.ts';
import { FanOuts } from './fan-outs.ts';
import type { Lanes } from './lanes.ts';
import type { Notifier } from './notifier.ts';
import type { EventStore, PresenceLog } from './ports.ts';
import type { Records } from './records.ts';
import { byResource, newWork, publicationWork, untoldWork } from './resource-work.ts';
import type { ResourceWork } from './resource-work.ts';
import type { SubscriberViews } from './subscriber-views.ts';
import type { Teller } from './teller.ts';

export interface WorkerDeps {
  readonly store: EventStore;
  readonly records: Records;
  readonly views: SubscriberViews;
  readonly lanes: Lanes;
  readonly notifier: Notifier;
  readonly teller: Teller;
  readonly clock: Clock;
  readonly policy: DeliveryPolicy;
  readonly counters: PresenceCounters;
  readonly log: PresenceLog;
  /** Runs work inside a span that goes on with the trace of the request that made the change. */
  traced(trace: string | undefined, resource: Aor, work: () => Promise<void>): Promise<void>;
}

/** Most entries taken at one time from a shard. */
const BATCH = 64;
/** Resources told at one time; more are left to the other replicas, and in the stream. */
const MAX_FAN_OUTS = 1_024;
const MAX_TRIES = 5;

/** Does what the shards have to do: tells watchers of changes, ends what has expired, takes over what was left. */
export class ShardWorker {
  readonly #draining = new Set<number>();
  /** Shards to look at once more, and whether only for what is new. */
  readonly #again = new Map<number, boolean>();
  /** Entries that are done, by shard: taken out of the stream in one go, well before their lease ends. */
  readonly #finished = new Map<number, string[]>();
  readonly #fanOuts: FanOuts;
  #stopped = false;

  constructor(private readonly deps: WorkerDeps) {
    this.#fanOuts = new FanOuts((work) => this.#tell(work));
  }

  get busy(): number {
    return this.#draining.size + this.#fanOuts.size;
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
    const started: Promise<void>[] = [];
    try {
      do {
        fresh = this.#again.get(shard) ?? fresh;
        this.#again.delete(shard);
        const work = await this.deps.store.take(shard, BATCH, fresh);
        started.push(this.#start(shard, work));
        if (work.dirty.length === BATCH || work.due.length === BATCH) this.#again.set(shard, fresh);
      } while (this.#again.has(shard) && !this.#isStopped() && this.#fanOuts.size < MAX_FAN_OUTS);
    } catch (error) {
      this.#failed(shard, error);
    } finally {
      // A long fan-out keeps nobody from taking what else there is in the shard.
      this.#draining.delete(shard);
    }
    await Promise.all(started);
  }

  /** A resource has changed, and it fell to us to tell its watchers. Never rejects; what fails another replica does. */
  async tell(
    commit: PublicationCommit,
    version: number,
    { duty, watchers, location }: Telling,
    learnt: number,
  ): Promise<void> {
    const { resource, publications } = commit;
    const state = { resource, location, publications: { version, publications } };
    const work = publicationWork(commit, { watchers, state, learnt });
    work.duties.push(duty);
    await this.#fanOuts.add(work).catch((error: unknown) => {
      this.#failed(this.deps.store.shardOf(resource), error);
    });
  }

  /** The policy of a user may be another, or there is no such user any more. Never rejects. */
  async reconsider(resource: Aor): Promise<void> {
    const work = newWork(resource);
    work.sources.add('rules');
    await this.#fanOuts.add(work).catch((error: unknown) => {
      this.#failed(this.deps.store.shardOf(resource), error);
    });
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

  #failed(shard: number, error: unknown): void {
    // That the store is away is told once, by who watches it.
    if (!(error instanceof StoreUnavailable))
      this.deps.log.warn({ err: error, shard }, 'work of a shard failed');
  }

  /** Never rejects. */
  async #start(shard: number, { dirty, due, untold, lapsed }: ShardWork): Promise<void> {
    const { lanes, counters } = this.deps;
    counters.dirtyEntries += dirty.length;
    const parts = [
      ...byResource(dirty).map((work) => this.#fanOuts.add(work)),
      ...untold.map((duty) => this.#fanOuts.add(untoldWork(duty))),
      ...due.map((id) => lanes.run(id, () => this.#due(id))),
      ...lapsed.map((resource) => lanes.run(resource, () => this.#lapsed(resource))),
    ];
    const ends = await Promise.allSettled(parts);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) this.#failed(shard, failed.reason);
  }

  /** Entries are finished only when every watcher is told or has it in its record that it is owed. */
  async #tell(work: ResourceWork): Promise<void> {
    const { store, teller } = this.deps;
    await this.deps.traced(work.trace, work.resource, () => teller.tell(work));
    if (work.cursors.length === 0) return;
    const shard = store.shardOf(work.resource);
    const finished = this.#finished.get(shard);
    if (finished === undefined) this.#finished.set(shard, [...work.cursors]);
    else finished.push(...work.cursors);
  }

  /** Expired, or waited long enough, or claimed by a replica that did not come back. */
  async #due(id: SubscriptionId): Promise<void> {
    const { records, store, clock, policy, counters, notifier, views, teller } = this.deps;
    let known = await records.read(id);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const event = known === undefined ? undefined : dueEvent(known.subscription, clock.now());
      if (known === undefined || event === undefined) {
        await store.rearm(id);
        return;
      }
      const current = known.subscription;
      // Only of one that waited for nothing but its pause is it known what it was told last.
      const paused = event === 'due' && current.sent !== '' ? await views.readFor(current) : undefined;
      const moved = paused?.fingerprint === current.sent ? 'unchanged' : event;
      const step = deliver(current, moved, clock.now(), policy);
      const sends = step.effect === 'send' || step.effect === 'sendFinal';
      const [written, view] = await Promise.all([
        records.write(id, known, step.next),
        sends ? (paused ?? views.readFor(current)) : undefined,
      ]);
      known = written.stored;
      if (written.kind === 'conflict') continue;
      if (event === 'expired') counters.changed(current.package, 'expired');
      if (event === 'lapsed') counters.takenOver += 1;
      const news = paused === undefined ? undefined : { after: current.sent, commits: 0, changes: [] };
      if (sends && known !== undefined && view !== undefined) notifier.send(known, view, news);
      if (step.effect === 'sendFinal') await teller.unwatch(current);
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
