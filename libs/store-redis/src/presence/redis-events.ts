import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { NO_RULES, shardOfId, WORK_LEASE_MS } from '@rollcall/events';
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
import type { Aor, StoreClock } from '@rollcall/location';
import { listOf, textOf } from '../call.ts';
import type { StoreClient } from '../client.ts';
import { firstVersion } from '../codec/record.ts';
import { LaterEntries } from '../codec/stream-format.ts';
import { shardOf } from '../keys.ts';
import { currentLayout } from '../layout.ts';
import { slotOf } from '../slot.ts';
import { printDocument, readListText } from './document-text.ts';
import { presenceKeys as keys, shardSlot } from './presence-keys.ts';
import { publicationCall } from './publication-call.ts';
import { readPublicationsText } from './publications-text.ts';
import { isStored, readParts, sourceKey } from './resource-state.ts';
import { byShard, membersOf, readRecords } from './record-reads.ts';
import { DIRTY_LIMIT, GRACE_MS, presenceScript } from './script-call.ts';
import type { ScriptCall, VersionAfter } from './script-call.ts';
import { settleCall, SETTLED_AT_ONCE, subscribeCall } from './subscription-calls.ts';
import { readSubscriptionText } from './subscription-text.ts';
import { PUBLICATION_MARK, readWork } from './work-text.ts';

const putDocument = presenceScript('put-document', 3);
const watch = presenceScript('watch', 1);
const takeWork = presenceScript('take-work', 2);
const finishWork = presenceScript('finish-work', 1);
const rearm = presenceScript('rearm', 2);
const putMailbox = presenceScript('put-mailbox', 3);

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

  readMany(ids: readonly SubscriptionId[]): Promise<readonly (StoredSubscription | undefined)[]> {
    return readRecords(this.#client, ids);
  }

  watchers(resource: Aor, after?: SubscriptionId, limit = Infinity): Promise<readonly SubscriptionId[]> {
    const shard = shardOf(resource);
    return membersOf<SubscriptionId>(
      this.#client,
      shardSlot(shard),
      keys.watchers(shard, resource),
      after,
      limit,
    );
  }

  watchesOf(watcher: string, after?: SubscriptionId, limit = Infinity): Promise<readonly SubscriptionId[]> {
    const shard = shardOf(watcher);
    return membersOf<SubscriptionId>(
      this.#client,
      shardSlot(shard),
      keys.byWatcher(shard, watcher),
      after,
      limit,
    );
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
    const groups = byShard(commits.map(({ id }) => id));
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

  #settleShard(
    shard: number,
    commits: readonly SubscriptionCommit[],
    duty: TellDuty | undefined,
  ): Promise<readonly SubscriptionOutcome[]> {
    return this.#run(settleCall(shard, commits, duty, this.#versionAfter));
  }

  subscribe(commit: SubscribeCommit): Promise<SubscribeOutcome> {
    const outcome = this.#run(subscribeCall(commit, this.#versionAfter));
    return commit.sources.includes('watchers')
      ? outcome.then((known) => this.#withWatchers(commit.resource, known))
      : outcome;
  }

  async #withWatchers(resource: Aor, outcome: SubscribeOutcome): Promise<SubscribeOutcome> {
    if (outcome.kind !== 'committed') return outcome;
    const watchers = await this.#subscriptionsTo(resource);
    return { ...outcome, state: { ...outcome.state, watchers } };
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

  lists(after: string | undefined, limit: number): Promise<readonly Aor[]> {
    return membersOf<Aor>(this.#client, slotOf(keys.lists), keys.lists, after, limit);
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

  commitPublications(commit: PublicationCommit): Promise<PublicationOutcome> {
    const until = epochMs(this.#clock.now() + WORK_LEASE_MS);
    return this.#run(publicationCall(commit, until, this.#versionAfter));
  }

  #run<T>({ script: called, shard, values, read }: ScriptCall<T>): Promise<T> {
    return this.#client.run(called, shardSlot(shard), values).then(read);
  }

  readonly #versionAfter: VersionAfter = (expected) =>
    expected === 0 ? firstVersion(this.#clock.now()) : expected + 1;
}
