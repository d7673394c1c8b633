import { epochMs } from '@rollcall/kernel';
import type { Clock, EpochMs } from '@rollcall/kernel';
import type { Aor, LocationReader } from '@rollcall/location';
import { NO_RULES } from './access.ts';
import type { WatcherRule, WatcherRules } from './access.ts';
import { dueAt } from './delivery.ts';
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
import { WORK_LEASE_MS } from './ports.ts';
import type {
  DirtyEntry,
  Mailboxes,
  PublicationClaims,
  PublicationCommit,
  PublicationOutcome,
  Publications,
  ResourceLists,
  ResourceStates,
  ShardWork,
  SubscribeCommit,
  SubscribeOutcome,
  SubscriptionCommit,
  SubscriptionOutcome,
  SubscriptionReader,
  SubscriptionWriter,
  TellDuty,
  WatcherRuleStore,
  WorkQueue,
} from './ports.ts';
import { shardOfId } from './read-subscribe.ts';
import { watchedPackage } from './watchers.ts';

const NO_PUBLICATIONS: PublicationSet = { version: 0, publications: [] };

interface Queued {
  readonly entry: DirtyEntry;
  takenUntil: number;
}

/**
 * The ports of events in the memory of one process: for tests, and for reading what the contract means. Several replicas of
 * a test may share one.
 */
export class MemoryEvents
  implements
    SubscriptionReader,
    SubscriptionWriter,
    WorkQueue,
    ResourceStates,
    Mailboxes,
    Publications,
    WatcherRuleStore,
    ResourceLists
{
  readonly shards: number;
  readonly #clock: Clock;
  readonly #location: LocationReader;
  readonly #subscriptions = new Map<SubscriptionId, StoredSubscription>();
  readonly #watchers = new Map<Aor, Set<SubscriptionId>>();
  readonly #mailboxes = new Map<Aor, Mailbox>();
  readonly #publications = new Map<Aor, PublicationSet>();
  readonly #rules = new Map<Aor, WatcherRules>();
  readonly #lists = new Map<Aor, ResourceList>();
  readonly #adhoc = new Map<SubscriptionId, ResourceList>();
  readonly #byWatcher = new Map<string, Set<SubscriptionId>>();
  readonly #untold = new Map<Aor, EpochMs>();
  readonly #due = new Map<SubscriptionId | Aor, number>();
  readonly #dirty: Queued[][];
  readonly #bells = new Set<(shard: number) => void>();
  #version = 0;
  #cursor = 0;

  constructor(clock: Clock, location: LocationReader, shards = 4) {
    this.#clock = clock;
    this.#location = location;
    this.shards = shards;
    this.#dirty = Array.from({ length: shards }, () => []);
  }

  shardOf(resource: Aor): number {
    let sum = 0;
    for (let i = 0; i < resource.length; i += 1) sum += resource.charCodeAt(i);
    return sum % this.shards;
  }

  read(id: SubscriptionId): Promise<StoredSubscription | undefined> {
    return Promise.resolve(this.#subscriptions.get(id));
  }

  readMany(ids: readonly SubscriptionId[]): Promise<readonly (StoredSubscription | undefined)[]> {
    return Promise.resolve(ids.map((id) => this.#subscriptions.get(id)));
  }

  watchers(resource: Aor, after?: SubscriptionId, limit = Infinity): Promise<readonly SubscriptionId[]> {
    const ids = [...(this.#watchers.get(resource) ?? [])].sort();
    return Promise.resolve(ids.filter((id) => after === undefined || id > after).slice(0, limit));
  }

  watchesOf(watcher: string, after?: SubscriptionId, limit = Infinity): Promise<readonly SubscriptionId[]> {
    const ids = [...(this.#byWatcher.get(watcher) ?? [])].sort();
    return Promise.resolve(ids.filter((id) => after === undefined || id > after).slice(0, limit));
  }

  index(watcher: string, id: SubscriptionId, until: EpochMs | undefined): Promise<void> {
    const ids = this.#byWatcher.get(watcher) ?? new Set();
    if (until === undefined) ids.delete(id);
    else this.#byWatcher.set(watcher, ids.add(id));
    return Promise.resolve();
  }

  watch(resource: Aor, id: SubscriptionId): Promise<void> {
    this.#watchers.set(resource, (this.#watchers.get(resource) ?? new Set()).add(id));
    return Promise.resolve();
  }

  unwatch(resource: Aor, id: SubscriptionId): Promise<void> {
    const watchers = this.#watchers.get(resource);
    watchers?.delete(id);
    if (watchers?.size === 0) this.#watchers.delete(resource);
    return Promise.resolve();
  }

  async settle(
    commits: readonly SubscriptionCommit[],
    duty?: TellDuty,
  ): Promise<readonly SubscriptionOutcome[]> {
    const outcomes = await Promise.all(commits.map((commit) => this.commit(commit)));
    if (duty !== undefined && outcomes.every(({ kind }) => kind === 'committed')) {
      if (this.#untold.get(duty.resource) === duty.until) this.#untold.delete(duty.resource);
    }
    return outcomes;
  }

  async subscribe(commit: SubscribeCommit): Promise<SubscribeOutcome> {
    const rules = this.#rules.get(commit.resource) ?? NO_RULES;
    const current = this.#subscriptions.get(commit.id);
    if ((current?.version ?? 0) !== commit.expectedVersion) return { kind: 'conflict', current };
    if (commit.rules !== undefined && commit.rules !== rules.version) return { kind: 'rules', rules };
    const outcome = await this.commit(commit);
    if (outcome.kind === 'conflict') return outcome;
    return { ...outcome, state: await this.readState(commit.resource, commit.sources) };
  }

  commit({
    id,
    resource,
    expectedVersion,
    next,
    watching,
  }: SubscriptionCommit): Promise<SubscriptionOutcome> {
    const current = this.#subscriptions.get(id);
    if ((current?.version ?? 0) !== expectedVersion) return Promise.resolve({ kind: 'conflict', current });
    const watchers = this.#watchers.get(resource) ?? new Set();
    if (next === undefined) {
      this.#subscriptions.delete(id);
      this.#due.delete(id);
      watchers.delete(id);
      if (watchers.size === 0) this.#watchers.delete(resource);
      if (watching !== undefined && this.#isWatched(watchers))
        this.#enqueue(resource, 'watchers', { watching });
      return Promise.resolve({ kind: 'committed', version: 0 });
    }
    this.#version += 1;
    this.#subscriptions.set(id, { version: this.#version, subscription: next });
    this.#due.set(id, dueAt(next));
    this.#watchers.set(resource, watchers.add(id));
    if (watching !== undefined && this.#isWatched(watchers))
      this.#enqueue(resource, 'watchers', { watching });
    return Promise.resolve({ kind: 'committed', version: this.#version });
  }

  take(shard: number, limit: number, onlyNew = false): Promise<ShardWork> {
    const now = this.#clock.now();
    const dirty: DirtyEntry[] = [];
    for (const queued of this.#dirty[shard] ?? []) {
      if (dirty.length >= limit) break;
      if (queued.takenUntil > now || (onlyNew && queued.takenUntil > 0)) continue;
      queued.takenUntil = now + WORK_LEASE_MS;
      dirty.push(queued.entry);
    }
    const due: SubscriptionId[] = [];
    const lapsed: Aor[] = [];
    for (const [member, at] of this.#due) {
      const resource = isResource(member);
      const home = resource ? this.shardOf(member) : shardOfId(member);
      if (onlyNew || home !== shard || at > now || due.length + lapsed.length >= limit) continue;
      this.#due.set(member, now + WORK_LEASE_MS);
      if (resource) lapsed.push(member);
      else due.push(member);
    }
    const untold: TellDuty[] = [];
    for (const [resource, at] of this.#untold) {
      if (onlyNew || this.shardOf(resource) !== shard || at > now) continue;
      const until = epochMs(now + WORK_LEASE_MS);
      this.#untold.set(resource, until);
      untold.push({ resource, until });
    }
    return Promise.resolve({ dirty, due, untold, lapsed });
  }

  done(shard: number, cursors: readonly string[]): Promise<void> {
    const rest = (this.#dirty[shard] ?? []).filter(({ entry }) => !cursors.includes(entry.cursor));
    this.#dirty[shard] = rest;
    return Promise.resolve();
  }

  rearm(id: SubscriptionId): Promise<void> {
    const stored = this.#subscriptions.get(id);
    if (stored === undefined) this.#due.delete(id);
    else this.#due.set(id, dueAt(stored.subscription));
    return Promise.resolve();
  }

  rearmPublications(resource: Aor): Promise<void> {
    const set = this.#publications.get(resource);
    if (set === undefined) this.#due.delete(resource);
    else this.#due.set(resource, firstExpiry(set.publications));
    return Promise.resolve();
  }

  onBell(ring: (shard: number) => void): () => void {
    this.#bells.add(ring);
    return () => this.#bells.delete(ring);
  }

  async readState(resource: Aor, sources: readonly StateSource[]): Promise<ResourceState> {
    const location = sources.includes('location') ? { location: await this.#location.read(resource) } : {};
    const mailbox = sources.includes('mailbox') ? { mailbox: this.#mailboxes.get(resource) } : {};
    const publications = sources.includes('publications')
      ? { publications: this.#publications.get(resource) ?? NO_PUBLICATIONS }
      : {};
    const watchers = sources.includes('watchers') ? { watchers: this.#subscriptionsTo(resource) } : {};
    const rules = sources.includes('rules') ? { rules: this.#rules.get(resource) ?? NO_RULES } : {};
    const list = sources.includes('list') ? { list: this.#lists.get(resource) } : {};
    return { resource, ...location, ...mailbox, ...publications, ...watchers, ...rules, ...list };
  }

  #subscriptionsTo(resource: Aor): readonly Subscription[] {
    const ids = [...(this.#watchers.get(resource) ?? [])].sort();
    return ids.flatMap((id) => this.#subscriptions.get(id)?.subscription ?? []);
  }

  #isWatched(watchers: ReadonlySet<SubscriptionId>): boolean {
    return [...watchers].some((id) => {
      const name = this.#subscriptions.get(id)?.subscription.package;
      return name !== undefined && watchedPackage(name) !== undefined;
    });
  }

  readMailbox(aor: Aor): Promise<Mailbox | undefined> {
    return Promise.resolve(this.#mailboxes.get(aor));
  }

  putMailbox(aor: Aor, mailbox: Mailbox | undefined, trace?: string): Promise<void> {
    if (mailbox === undefined) this.#mailboxes.delete(aor);
    else this.#mailboxes.set(aor, mailbox);
    this.touch(aor, 'mailbox', [], trace);
    return Promise.resolve();
  }

  readPublications(resource: Aor): Promise<PublicationSet> {
    return Promise.resolve(this.#publications.get(resource) ?? NO_PUBLICATIONS);
  }

  readRules(resource: Aor): Promise<WatcherRules> {
    return Promise.resolve(this.#rules.get(resource) ?? NO_RULES);
  }

  putRules(resource: Aor, rules: readonly WatcherRule[], trace?: string): Promise<void> {
    this.#version += 1;
    if (rules.length === 0) this.#rules.delete(resource);
    else this.#rules.set(resource, { version: this.#version, rules });
    this.touch(resource, 'rules', [], trace);
    return Promise.resolve();
  }

  readList(uri: Aor): Promise<ResourceList | undefined> {
    return Promise.resolve(this.#lists.get(uri));
  }

  putList(uri: Aor, list: Omit<ResourceList, 'version'>, trace?: string): Promise<void> {
    this.#version += 1;
    this.#lists.set(uri, { ...list, version: this.#version });
    this.touch(uri, 'list', [], trace);
    return Promise.resolve();
  }

  removeList(uri: Aor, trace?: string): Promise<boolean> {
    const removed = this.#lists.delete(uri);
    if (removed) this.touch(uri, 'list', [], trace);
    return Promise.resolve(removed);
  }

  lists(after: string | undefined, limit: number): Promise<readonly Aor[]> {
    const uris = [...this.#lists.keys()].sort();
    return Promise.resolve(uris.filter((uri) => after === undefined || uri > after).slice(0, limit));
  }

  readAdhoc(id: SubscriptionId): Promise<ResourceList | undefined> {
    return Promise.resolve(this.#adhoc.get(id));
  }

  keepAdhoc(id: SubscriptionId, entries: readonly ListEntry[] | undefined): Promise<void> {
    if (entries !== undefined) this.#adhoc.set(id, { version: 1, entries });
    return Promise.resolve();
  }

  commitPublications(commit: PublicationCommit): Promise<PublicationOutcome> {
    const current = this.#publications.get(commit.resource) ?? NO_PUBLICATIONS;
    if (current.version !== commit.expectedVersion) return Promise.resolve({ kind: 'conflict', current });
    this.#version += 1;
    const version = commit.publications.length === 0 ? 0 : this.#version;
    if (version === 0) {
      this.#publications.delete(commit.resource);
      this.#due.delete(commit.resource);
    } else {
      this.#publications.set(commit.resource, { version, publications: commit.publications });
      this.#due.set(commit.resource, firstExpiry(commit.publications));
    }
    const watchers = [...(this.#watchers.get(commit.resource) ?? [])].sort();
    if (commit.changed && watchers.length > 0 && watchers.length <= (commit.tells ?? 0)) {
      return this.#location.read(commit.resource).then((location) => {
        if (commit.claims !== undefined && this.#mayClaim(commit.claims, watchers, location.version))
          return { kind: 'committed', version, told: this.#claim(commit.claims) };
        const duty = { resource: commit.resource, until: epochMs(this.#clock.now() + WORK_LEASE_MS) };
        this.#untold.set(duty.resource, duty.until);
        return { kind: 'committed', version, telling: { duty, watchers, location } };
      });
    }
    if (commit.changed) {
      const { packages, trace } = commit;
      this.#tell(commit.resource, 'publications', packages === undefined ? {} : { packages }, trace);
    }
    return Promise.resolve({ kind: 'committed', version });
  }

  #mayClaim(claims: PublicationClaims, watchers: readonly SubscriptionId[], location: number): boolean {
    return (
      claims.location === location &&
      claims.watchers.join(' ') === watchers.join(' ') &&
      claims.commits.every(
        ({ id, expectedVersion }) => this.#subscriptions.get(id)?.version === expectedVersion,
      )
    );
  }

  #claim({ commits }: PublicationClaims): readonly number[] {
    return commits.map(({ id, expectedVersion, next, holds }) => {
      if (holds) return expectedVersion;
      this.#version += 1;
      this.#subscriptions.set(id, { version: this.#version, subscription: next });
      this.#due.set(id, dueAt(next));
      return this.#version;
    });
  }

  /** What a change of the resource does in the store: if it is watched, an entry and a ring. */
  touch(resource: Aor, source: StateSource, changes: readonly ResourceChange[], trace?: string): void {
    this.#tell(resource, source, { changes }, trace);
  }

  #tell(resource: Aor, source: StateSource, what: Partial<DirtyEntry>, trace?: string): void {
    if (this.#watchers.has(resource))
      this.#enqueue(resource, source, trace === undefined ? what : { ...what, trace });
  }

  #enqueue(resource: Aor, source: StateSource, what: Partial<DirtyEntry>): void {
    const shard = this.shardOf(resource);
    this.#cursor += 1;
    const entry: DirtyEntry = { changes: [], ...what, cursor: String(this.#cursor), resource, source };
    this.#dirty[shard]?.push({ entry, takenUntil: 0 });
    for (const ring of this.#bells) ring(shard);
  }
}

const firstExpiry = (publications: readonly Publication[]): number =>
  Math.min(...publications.map((each) => each.expiresAt));

/** AoRs begin with their scheme, ids with a digit. */
const isResource = (member: SubscriptionId | Aor): member is Aor => /^[a-z]/.test(member);
