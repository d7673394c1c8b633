import { assertNever } from '@rollcall/kernel';
import { dueAt, shardOfId, watchedPackage, WORK_LEASE_MS } from '@rollcall/events';
import type {
  Mailbox,
  Mailboxes,
  PublicationCommit,
  PublicationOutcome,
  Publications,
  PublicationSet,
  ResourceState,
  ResourceStates,
  ShardWork,
  StateSource,
  Subscription,
  StoredSubscription,
  SubscriptionCommit,
  SubscriptionId,
  SubscriptionOutcome,
  SubscriptionReader,
  SubscriptionWriter,
  WorkQueue,
} from '@rollcall/events';
import type { Aor, LocationSnapshot, StoreClock } from '@rollcall/location';
import { listOf, textOf } from '../call.ts';
import type { Reply } from '../call.ts';
import type { StoreClient } from '../client.ts';
import { firstVersion, readRecord, versionText } from '../codec/record.ts';
import { DIRTY_KEPT, SHARDS, shardOf } from '../keys.ts';
import { defineScript } from '../script.ts';
import type { Script } from '../script.ts';
import { presenceKeys as keys, shardSlot } from './presence-keys.ts';
import { printPublications, readPublicationsText } from './publications-text.ts';
import { printSubscription, readSubscriptionText } from './subscription-text.ts';
import { PUBLICATION_MARK, printWatcherChange, readWork } from './work-text.ts';

/** How long a record outlives its last use, in case nobody comes to end it properly. */
const GRACE_MS = 600_000;
/** Most entries of a dirty stream; past it the oldest go, and a subscriber learns of the state with the next change. */
const DIRTY_LIMIT = String(DIRTY_KEPT);

const script = (name: string, keyCount: number): Script =>
  defineScript(new URL(`../../scripts/presence/${name}.lua`, import.meta.url), keyCount);

const commitSubscription = script('commit-subscription', 5);
const takeWork = script('take-work', 2);
const finishWork = script('finish-work', 1);
const rearm = script('rearm', 2);
const commitPublications = script('commit-publications', 4);
const putMailbox = script('put-mailbox', 3);

/**
 * The ports of events on Redis. A subscription, the watchers of its resource, the dirty stream and the due-set share the
 * resource's hash tag. Every call throws `StoreUnavailable`.
 */
export class RedisEvents
  implements SubscriptionReader, SubscriptionWriter, WorkQueue, ResourceStates, Mailboxes, Publications
{
  readonly shards = SHARDS;
  readonly #client: StoreClient;
  readonly #clock: StoreClock;

  constructor(client: StoreClient, clock: StoreClock) {
    this.#client = client;
    this.#clock = clock;
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
    const first = ids[0];
    if (first === undefined) return [];
    const slot = shardSlot(shardOfId(first));
    const names = ids.map((id) => keys.subscription(shardOfId(id), id));
    const texts = listOf(await this.#client.command(slot, ['MGET', ...names]));
    return ids.map((id, n) => readSubscriptionText(id, textOf(texts[n])));
  }

  async watchers(
    resource: Aor,
    after?: SubscriptionId,
    limit = Infinity,
  ): Promise<readonly SubscriptionId[]> {
    const shard = shardOf(resource);
    const reply = await this.#client.command(shardSlot(shard), [
      'ZRANGE',
      keys.watchers(shard, resource),
      '0',
      '-1',
    ]);
    const ids = listOf(reply).map((id) => textOf(id) as SubscriptionId);
    ids.sort();
    return (after === undefined ? ids : ids.filter((id) => id > after)).slice(0, limit);
  }

  async commit(commit: SubscriptionCommit): Promise<SubscriptionOutcome> {
    const { id, resource, expectedVersion, next, watching } = commit;
    const shard = shardOfId(id);
    const version = this.#versionAfter(expectedVersion);
    const reply = await this.#client.run(commitSubscription, shardSlot(shard), [
      keys.subscription(shard, id),
      keys.watchers(shard, resource),
      keys.due(shard),
      keys.winfo(shard, resource),
      keys.dirty(shard),
      id,
      versionText(expectedVersion),
      next === undefined ? '' : printSubscription(version, next),
      next === undefined ? '' : String(Math.max(next.expiresAt, dueAt(next)) + GRACE_MS),
      next !== undefined && watchedPackage(next.package) !== undefined ? '1' : '',
      ...(watching === undefined
        ? ['']
        : [printWatcherChange(watching), resource, String(shard), DIRTY_LIMIT]),
    ]);
    if (!Array.isArray(reply)) return { kind: 'committed', version: next === undefined ? 0 : version };
    return { kind: 'conflict', current: readSubscriptionText(id, textOf(listOf(reply)[1])) };
  }

  async take(shard: number, limit: number, onlyNew = false): Promise<ShardWork> {
    const reply = await this.#client.run(takeWork, shardSlot(shard), [
      keys.dirty(shard),
      keys.due(shard),
      String(this.#clock.now()),
      String(limit),
      String(WORK_LEASE_MS),
      onlyNew ? '1' : '',
    ]);
    return readWork(reply);
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
      for (let shard = 0; shard < SHARDS; shard += 1) ring(shard);
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

  async commitPublications(commit: PublicationCommit): Promise<PublicationOutcome> {
    const { resource, publications } = commit;
    const shard = shardOf(resource);
    const version = this.#versionAfter(commit.expectedVersion);
    const last = publications.reduce((latest, { expiresAt }) => Math.max(latest, expiresAt), 0);
    const reply = await this.#client.run(commitPublications, shardSlot(shard), [
      keys.publications(shard, resource),
      keys.watchers(shard, resource),
      keys.due(shard),
      keys.dirty(shard),
      resource,
      versionText(commit.expectedVersion),
      publications.length === 0 ? '' : printPublications(version, publications),
      String(last + GRACE_MS),
      commit.changed ? '1' : '0',
      commit.trace ?? '',
      String(shard),
      DIRTY_LIMIT,
      commit.packages?.join(' ') ?? '',
    ]);
    if (!Array.isArray(reply)) return { kind: 'committed', version: publications.length === 0 ? 0 : version };
    return { kind: 'conflict', current: readPublicationsText(textOf(listOf(reply)[1])) };
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
    else state = { ...state, publications: readPublicationsText(text) };
  });
  return state;
}

const readLocation = (resource: Aor, text: string): LocationSnapshot => readRecord(resource, text);
const readMailboxText = (text: string): Mailbox | undefined =>
  text === '' ? undefined : (JSON.parse(text) as Mailbox);
