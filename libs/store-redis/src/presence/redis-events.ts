import { assertNever, epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { dueAt, NO_RULES, shardOfId, watchedPackage, WORK_LEASE_MS } from '@rollcall/events';
import type {
  ListEntry,
  Mailbox,
  Mailboxes,
  PublicationCommit,
  PublicationOutcome,
  Publications,
  PublicationSet,
  ResourceList,
  ResourceLists,
  ResourceState,
  ResourceStates,
  ShardWork,
  StateSource,
  Subscription,
  StoredSubscription,
  SubscribeCommit,
  SubscribeOutcome,
  SubscriptionCommit,
  SubscriptionId,
  SubscriptionOutcome,
  SubscriptionReader,
  SubscriptionWriter,
  TellDuty,
  WatcherRule,
  WatcherRules,
  WatcherRuleStore,
  WorkQueue,
} from '@rollcall/events';
import type { Aor, LocationSnapshot, StoreClock } from '@rollcall/location';
import { listOf, textOf } from '../call.ts';
import type { Reply } from '../call.ts';
import type { StoreClient } from '../client.ts';
import { firstVersion, readRecord, versionText } from '../codec/record.ts';
import { LaterEntries } from '../codec/stream-format.ts';
import { DIRTY_KEPT, shardOf } from '../keys.ts';
import { currentLayout } from '../layout.ts';
import { defineScript } from '../script.ts';
import type { Script } from '../script.ts';
import { slotOf } from '../slot.ts';
import { printDocument, readListText, readRulesText } from './document-text.ts';
import { presenceKeys as keys, shardSlot } from './presence-keys.ts';
import { printPublications, readPublicationsText } from './publications-text.ts';
import { printSubscription, readSubscriptionText } from './subscription-text.ts';
import { DUTY_MARK, PUBLICATION_MARK, printWatcherChange, readWork } from './work-text.ts';

/** How long a record outlives its last use, in case nobody comes to end it properly. */
const GRACE_MS = 600_000;
/** Most entries of a dirty stream; past it the oldest go, and a subscriber learns of the state with the next change. */
const DIRTY_LIMIT = String(DIRTY_KEPT);

const script = (name: string, keyCount: number): Script =>
  defineScript(new URL(`../../scripts/presence/${name}.lua`, import.meta.url), keyCount);

const commitSubscription = script('commit-subscription', 9);
/** Its largest call; `withKeys` makes the smaller ones. */
const settleSubscriptions = script('settle-subscriptions', 50);
const SETTLED_KEYS = 2;
const SETTLED_KEYS_EACH = 3;
const SETTLED_AT_ONCE = 16;
const putDocument = script('put-document', 3);
const watch = script('watch', 1);
const takeWork = script('take-work', 2);
const finishWork = script('finish-work', 1);
const rearm = script('rearm', 2);
/** With the most claims that it may bring; `withKeys` makes the smaller ones. */
const commitPublications = script('commit-publications', 21);
const PUBLICATION_KEYS = 5;
const putMailbox = script('put-mailbox', 3);

/** Records of one MGET, and ids of one range: well under a millisecond of the server. */
const READ_AT_ONCE = 256;
const PAGE = 1_000;

const livesUntil = (next: Subscription): string => String(Math.max(next.expiresAt, dueAt(next)) + GRACE_MS);

/** Places of the commits of each shard. */
function byShard(commits: readonly SubscriptionCommit[]): readonly { shard: number; places: number[] }[] {
  const groups = new Map<number, number[]>();
  commits.forEach(({ id }, place) => {
    const shard = shardOfId(id);
    const places = groups.get(shard);
    if (places === undefined) groups.set(shard, [place]);
    else places.push(place);
  });
  return [...groups].map(([shard, places]) => ({ shard, places }));
}

/**
 * The ports of events on Redis. A subscription, the watchers of its resource, the dirty stream and the due-set share the
 * resource's hash tag. Every call throws `StoreUnavailable`.
 */
export class RedisEvents
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
  readonly #client: StoreClient;
  readonly #clock: StoreClock;
  readonly #later: LaterEntries;

  constructor(client: StoreClient, clock: StoreClock, later = new LaterEntries()) {
    this.#client = client;
    this.#clock = clock;
    this.#later = later;
  }

  /** Those of an earlier layout too: the ends of their subscriptions are still to be told. */
  get shards(): number {
    return currentLayout().everShards;
  }

  shardOf(resource: Aor): number {
    return shardOf(resource);
  }

  async read(id: SubscriptionId): Promise<StoredSubscription | undefined> {
    const shard = shardOfId(id);
    const reply = await this.#client.command(shardSlot(shard), ['GET', keys.subscription(shard, id)]);
    return readSubscriptionText(id, textOf(reply));
  }

  async readMany(ids: readonly SubscriptionId[]): Promise<readonly (StoredSubscription | undefined)[]> {
    const byShard = new Map<number, SubscriptionId[]>();
    for (const id of ids) {
      const shard = shardOfId(id);
      const group = byShard.get(shard);
      if (group === undefined) byShard.set(shard, [id]);
      else group.push(id);
    }
    const found = new Map<SubscriptionId, StoredSubscription>();
    await Promise.all([...byShard].map(([shard, group]) => this.#readShard(shard, group, found)));
    return ids.map((id) => found.get(id));
  }

  async #readShard(
    shard: number,
    ids: readonly SubscriptionId[],
    found: Map<SubscriptionId, StoredSubscription>,
  ): Promise<void> {
    for (let at = 0; at < ids.length; at += READ_AT_ONCE) {
      const some = ids.slice(at, at + READ_AT_ONCE);
      const names = some.map((id) => keys.subscription(shard, id));
      const texts = listOf(await this.#client.command(shardSlot(shard), ['MGET', ...names]));
      some.forEach((id, n) => {
        const stored = readSubscriptionText(id, textOf(texts[n]));
        if (stored !== undefined) found.set(id, stored);
      });
    }
  }

  async watchers(
    resource: Aor,
    after?: SubscriptionId,
    limit = Infinity,
  ): Promise<readonly SubscriptionId[]> {
    const shard = shardOf(resource);
    return this.#page(shard, keys.watchers(shard, resource), after, limit);
  }

  async watchesOf(
    watcher: string,
    after?: SubscriptionId,
    limit = Infinity,
  ): Promise<readonly SubscriptionId[]> {
    const shard = shardOf(watcher);
    return this.#page(shard, keys.byWatcher(shard, watcher), after, limit);
  }

  /** Ids of a set, page by page, so that no call takes long. */
  async #page(
    shard: number,
    key: string,
    after: string | undefined,
    limit: number,
  ): Promise<readonly SubscriptionId[]> {
    const ids: SubscriptionId[] = [];
    let last = after;
    while (ids.length < limit) {
      const wanted = Math.min(limit - ids.length, PAGE);
      const reply = await this.#client.command(shardSlot(shard), [
        'ZRANGEBYLEX',
        key,
        last === undefined ? '-' : `(${last}`,
        '+',
        'LIMIT',
        '0',
        String(wanted),
      ]);
      const page = listOf(reply).map((id) => textOf(id) as SubscriptionId);
      ids.push(...page);
      last = page.at(-1);
      if (page.length < wanted) break;
    }
    return ids;
  }

  async commit(commit: SubscriptionCommit): Promise<SubscriptionOutcome> {
    const [outcome] = await this.#settleShard(shardOfId(commit.id), [commit], undefined);
    if (outcome === undefined) throw new RangeError('no outcome of a commit');
    return outcome;
  }

  async settle(
    commits: readonly SubscriptionCommit[],
    duty?: TellDuty,
  ): Promise<readonly SubscriptionOutcome[]> {
    const outcomes: SubscriptionOutcome[] = [];
    const calls: Promise<void>[] = [];
    const groups = byShard(commits);
    const alone = groups.length === 1 && commits.length <= SETTLED_AT_ONCE;
    for (const { shard, places } of groups) {
      for (let at = 0; at < places.length; at += SETTLED_AT_ONCE) {
        const some = places.slice(at, at + SETTLED_AT_ONCE);
        const together = some.flatMap((place) => commits[place] ?? []);
        // The mark of a duty is in the shard of its resource.
        const done = alone && duty !== undefined && shardOf(duty.resource) === shard ? duty : undefined;
        calls.push(
          this.#settleShard(shard, together, done).then((some_) => {
            some.forEach((place, n) => {
              const outcome = some_[n];
              if (outcome !== undefined) outcomes[place] = outcome;
            });
          }),
        );
      }
    }
    await Promise.all(calls);
    const left = duty !== undefined && !(alone && shardOf(duty.resource) === groups[0]?.shard);
    if (left && outcomes.every(({ kind }) => kind === 'committed'))
      await this.#settleShard(shardOf(duty.resource), [], duty);
    return outcomes;
  }

  async #settleShard(
    shard: number,
    commits: readonly SubscriptionCommit[],
    duty: TellDuty | undefined,
  ): Promise<readonly SubscriptionOutcome[]> {
    const names: string[] = [keys.due(shard), keys.dirty(shard)];
    const values: string[] = [String(shard), DIRTY_LIMIT];
    if (duty === undefined) values.push('', '');
    else values.push(DUTY_MARK + duty.resource, String(duty.until));
    const versions: number[] = [];
    for (const { id, resource, expectedVersion, next, watching } of commits) {
      const version = this.#versionAfter(expectedVersion);
      versions.push(next === undefined ? 0 : version);
      names.push(keys.subscription(shard, id), keys.watchers(shard, resource), keys.winfo(shard, resource));
      values.push(
        id,
        versionText(expectedVersion),
        next === undefined ? '' : printSubscription(version, next),
        next === undefined ? '' : livesUntil(next),
        watching === undefined ? '' : printWatcherChange(watching),
        resource,
        next !== undefined && watchedPackage(next.package) !== undefined ? '1' : '',
      );
    }
    const called = settleSubscriptions.withKeys(SETTLED_KEYS + SETTLED_KEYS_EACH * commits.length);
    const replies = listOf(await this.#client.run(called, shardSlot(shard), [...names, ...values]));
    return commits.map(({ id }, n): SubscriptionOutcome => {
      if (replies[n] === 1) return { kind: 'committed', version: versions[n] ?? 0 };
      return { kind: 'conflict', current: readSubscriptionText(id, textOf(replies[n])) };
    });
  }

  async subscribe(commit: SubscribeCommit): Promise<SubscribeOutcome> {
    const { id, resource, expectedVersion, next, watching, rules, sources } = commit;
    const shard = shardOfId(id);
    const version = this.#versionAfter(expectedVersion);
    const stored = sources.filter(isStored);
    const record = keys.subscription(shard, id);
    const read = (n: number): string => {
      const source = stored[n];
      return source === undefined ? record : sourceKey(source, shard, resource);
    };
    const reply = await this.#client.run(commitSubscription, shardSlot(shard), [
      record,
      keys.watchers(shard, resource),
      keys.due(shard),
      keys.winfo(shard, resource),
      keys.dirty(shard),
      keys.rules(shard, resource),
      read(0),
      read(1),
      read(2),
      id,
      versionText(expectedVersion),
      next === undefined ? '' : printSubscription(version, next),
      next === undefined ? '' : livesUntil(next),
      next !== undefined && watchedPackage(next.package) !== undefined ? '1' : '',
      watching === undefined ? '' : printWatcherChange(watching),
      resource,
      String(shard),
      DIRTY_LIMIT,
      rules === undefined ? '-' : versionText(rules),
      String(stored.length),
    ]);
    const [kind, value] = listOf(reply);
    switch (textOf(kind)) {
      case 'committed': {
        const state = readParts(resource, stored, listOf(value));
        const whole = sources.includes('watchers')
          ? { ...state, watchers: await this.#subscriptionsTo(resource) }
          : state;
        return { kind: 'committed', version: next === undefined ? 0 : version, state: whole };
      }
      case 'rules':
        return { kind: 'rules', rules: readRulesText(textOf(value)) };
      default:
        return { kind: 'conflict', current: readSubscriptionText(id, textOf(value)) };
    }
  }

  async watch(resource: Aor, id: SubscriptionId, until: EpochMs): Promise<void> {
    const shard = shardOf(resource);
    await this.#watch(shard, keys.watchers(shard, resource), id, until);
  }

  async unwatch(resource: Aor, id: SubscriptionId): Promise<void> {
    const shard = shardOf(resource);
    await this.#client.command(shardSlot(shard), ['ZREM', keys.watchers(shard, resource), id]);
  }

  async index(watcher: string, id: SubscriptionId, until: EpochMs | undefined): Promise<void> {
    const shard = shardOf(watcher);
    const key = keys.byWatcher(shard, watcher);
    if (until === undefined) await this.#client.command(shardSlot(shard), ['ZREM', key, id]);
    else await this.#watch(shard, key, id, until);
  }

  async #watch(shard: number, key: string, id: SubscriptionId, until: EpochMs): Promise<void> {
    await this.#client.run(watch, shardSlot(shard), [key, id, String(until + GRACE_MS)]);
  }

  async take(shard: number, limit: number, onlyNew = false): Promise<ShardWork> {
    const now = this.#clock.now();
    const reply = await this.#client.run(takeWork, shardSlot(shard), [
      keys.dirty(shard),
      keys.due(shard),
      String(now),
      String(limit),
      String(WORK_LEASE_MS),
      onlyNew ? '1' : '',
    ]);
    return readWork(reply, epochMs(now + WORK_LEASE_MS), this.#later);
  }

  async done(shard: number, cursors: readonly string[]): Promise<void> {
    if (cursors.length === 0) return;
    await this.#client.run(finishWork, shardSlot(shard), [keys.dirty(shard), ...cursors]);
  }

  async rearm(id: SubscriptionId): Promise<void> {
    const shard = shardOfId(id);
    await this.#client.run(rearm, shardSlot(shard), [keys.subscription(shard, id), keys.due(shard), id]);
  }

  async rearmPublications(resource: Aor): Promise<void> {
    const shard = shardOf(resource);
    const member = PUBLICATION_MARK + resource;
    await this.#client.run(rearm, shardSlot(shard), [
      keys.publications(shard, resource),
      keys.due(shard),
      member,
    ]);
  }

  onBell(ring: (shard: number) => void): () => void {
    const ringAll = (): void => {
      for (let shard = 0; shard < this.shards; shard += 1) ring(shard);
    };
    return this.#client.subscribe(keys.bell, (message) => ring(Number(message)), ringAll);
  }

  async readState(resource: Aor, sources: readonly StateSource[]): Promise<ResourceState> {
    const shard = shardOf(resource);
    const stored = sources.filter(isStored);
    const names = stored.map((source) => sourceKey(source, shard, resource));
    const [reply, watchers] = await Promise.all([
      names.length === 0 ? [] : this.#client.command(shardSlot(shard), ['MGET', ...names]),
      sources.includes('watchers') ? this.#subscriptionsTo(resource) : undefined,
    ]);
    const state = readParts(resource, stored, listOf(reply));
    return watchers === undefined ? state : { ...state, watchers };
  }

  async #subscriptionsTo(resource: Aor): Promise<readonly Subscription[]> {
    const all = await this.readMany(await this.watchers(resource));
    return all.flatMap((each) => each?.subscription ?? []);
  }

  async readMailbox(aor: Aor): Promise<Mailbox | undefined> {
    return (await this.readState(aor, ['mailbox'])).mailbox;
  }

  async putMailbox(aor: Aor, mailbox: Mailbox | undefined, trace = ''): Promise<void> {
    const shard = shardOf(aor);
    await this.#client.run(putMailbox, shardSlot(shard), [
      keys.mailbox(shard, aor),
      keys.watchers(shard, aor),
      keys.dirty(shard),
      aor,
      mailbox === undefined ? '' : JSON.stringify(mailbox),
      trace,
      String(shard),
      DIRTY_LIMIT,
    ]);
  }

  async readPublications(resource: Aor): Promise<PublicationSet> {
    const shard = shardOf(resource);
    const reply = await this.#client.command(shardSlot(shard), ['GET', keys.publications(shard, resource)]);
    return readPublicationsText(textOf(reply));
  }

  async readRules(resource: Aor): Promise<WatcherRules> {
    return (await this.readState(resource, ['rules'])).rules ?? NO_RULES;
  }

  async putRules(resource: Aor, rules: readonly WatcherRule[], trace?: string): Promise<void> {
    await this.#putDocument('rules', resource, rules.length === 0 ? undefined : rules, trace);
  }

  async readList(uri: Aor): Promise<ResourceList | undefined> {
    return (await this.readState(uri, ['list'])).list;
  }

  async putList(uri: Aor, list: Omit<ResourceList, 'version'>, trace?: string): Promise<void> {
    // Named before it is there: a listing that shows one that is gone is mended by reading it, a hidden list is not.
    await this.#client.command(slotOf(keys.lists), ['ZADD', keys.lists, '0', uri]);
    await this.#putDocument('list', uri, list, trace);
  }

  async removeList(uri: Aor, trace?: string): Promise<boolean> {
    const removed = await this.#putDocument('list', uri, undefined, trace);
    await this.#client.command(slotOf(keys.lists), ['ZREM', keys.lists, uri]);
    return removed;
  }

  async lists(after: string | undefined, limit: number): Promise<readonly Aor[]> {
    const from = after === undefined ? '-' : `(${after}`;
    const reply = await this.#client.command(slotOf(keys.lists), [
      'ZRANGEBYLEX',
      keys.lists,
      from,
      '+',
      'LIMIT',
      '0',
      String(limit),
    ]);
    return listOf(reply).map((uri) => textOf(uri) as Aor);
  }

  async readAdhoc(id: SubscriptionId): Promise<ResourceList | undefined> {
    const shard = shardOfId(id);
    return readListText(textOf(await this.#client.command(shardSlot(shard), ['GET', keys.adhoc(shard, id)])));
  }

  async keepAdhoc(
    id: SubscriptionId,
    entries: readonly ListEntry[] | undefined,
    until: EpochMs,
  ): Promise<void> {
    const shard = shardOfId(id);
    const key = keys.adhoc(shard, id);
    const at = String(until + GRACE_MS);
    const parts =
      entries === undefined
        ? ['PEXPIREAT', key, at]
        : ['SET', key, printDocument(this.#versionAfter(0), { entries }), 'PXAT', at];
    await this.#client.command(shardSlot(shard), parts);
  }

  /** True when there was something to change. */
  async #putDocument(what: 'rules' | 'list', resource: Aor, document: unknown, trace = ''): Promise<boolean> {
    const shard = shardOf(resource);
    const reply = await this.#client.run(putDocument, shardSlot(shard), [
      sourceKey(what, shard, resource),
      keys.watchers(shard, resource),
      keys.dirty(shard),
      resource,
      document === undefined ? '' : printDocument(this.#versionAfter(0), document),
      trace,
      String(shard),
      DIRTY_LIMIT,
      what,
    ]);
    return textOf(reply) === 'changed';
  }

  async commitPublications(commit: PublicationCommit): Promise<PublicationOutcome> {
    const { resource, publications, claims } = commit;
    const shard = shardOf(resource);
    const version = this.#versionAfter(commit.expectedVersion);
    const until = epochMs(this.#clock.now() + WORK_LEASE_MS);
    const last = publications.reduce((latest, { expiresAt }) => Math.max(latest, expiresAt), 0);
    const names = [
      keys.publications(shard, resource),
      keys.watchers(shard, resource),
      keys.due(shard),
      keys.dirty(shard),
      keys.record(shard, resource),
    ];
    const values = [
      resource,
      versionText(commit.expectedVersion),
      publications.length === 0 ? '' : printPublications(version, publications),
      String(last + GRACE_MS),
      commit.changed ? '1' : '0',
      commit.trace ?? '',
      String(shard),
      DIRTY_LIMIT,
      commit.packages?.join(' ') ?? '',
      String(commit.tells ?? 0),
      String(until),
      claims?.watchers.join(' ') ?? '',
      claims === undefined ? '' : versionText(claims.location),
    ];
    const versions: number[] = [];
    for (const { id, expectedVersion, next, holds } of claims?.commits ?? []) {
      const after = holds ? expectedVersion : expectedVersion + 1;
      versions.push(after);
      names.push(keys.subscription(shard, id));
      values.push(
        id,
        versionText(expectedVersion),
        holds ? '' : printSubscription(after, next),
        holds ? '' : livesUntil(next),
      );
    }
    const called = commitPublications.withKeys(PUBLICATION_KEYS + versions.length);
    const reply = await this.#client.run(called, shardSlot(shard), [...names, ...values]);
    const committed = { kind: 'committed', version: publications.length === 0 ? 0 : version } as const;
    if (!Array.isArray(reply)) return textOf(reply) === 'told' ? { ...committed, told: versions } : committed;
    const [kind, value, location] = listOf(reply);
    if (textOf(kind) === 'tell') {
      const watchers = listOf(value).map((id) => textOf(id) as SubscriptionId);
      const telling = {
        duty: { resource, until },
        watchers,
        location: readLocation(resource, textOf(location)),
      };
      return { ...committed, telling };
    }
    return { kind: 'conflict', current: readPublicationsText(textOf(value)) };
  }

  #versionAfter(expected: number): number {
    return expected === 0 ? firstVersion(this.#clock.now()) : expected + 1;
  }
}

/** Sources that are one key each; the watchers are many records. */
type StoredSource = Exclude<StateSource, 'watchers'>;
const isStored = (source: StateSource): source is StoredSource => source !== 'watchers';

function sourceKey(source: StoredSource, shard: number, resource: Aor): string {
  switch (source) {
    case 'location':
      return keys.record(shard, resource);
    case 'mailbox':
      return keys.mailbox(shard, resource);
    case 'publications':
      return keys.publications(shard, resource);
    case 'rules':
      return keys.rules(shard, resource);
    case 'list':
      return keys.list(shard, resource);
    default:
      return assertNever(source, 'state source');
  }
}

function readParts(
  resource: Aor,
  sources: readonly StoredSource[],
  replies: readonly Reply[],
): ResourceState {
  let state: ResourceState = { resource };
  sources.forEach((source, n) => {
    const text = textOf(replies[n]);
    if (source === 'location') state = { ...state, location: readLocation(resource, text) };
    else if (source === 'mailbox') state = { ...state, mailbox: readMailboxText(text) };
    else if (source === 'rules') state = { ...state, rules: readRulesText(text) };
    else if (source === 'list') state = { ...state, list: readListText(text) };
    else state = { ...state, publications: readPublicationsText(text) };
  });
  return state;
}

const readLocation = (resource: Aor, text: string): LocationSnapshot => readRecord(resource, text);
const readMailboxText = (text: string): Mailbox | undefined =>
  text === '' ? undefined : (JSON.parse(text) as Mailbox);
