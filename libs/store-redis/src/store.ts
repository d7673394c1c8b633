import type {
  ApiTokens,
  AuditLog,
  Commit,
  DueReader,
  EdgeLeases,
  LocationLister,
  LocationReader,
  LocationWatcher,
  LocationWriter,
  MessageStore,
  StoreClock,
  UserDirectory,
  Webhooks,
} from '@rollcall/location';
import { ChangeWatcher } from './change-watcher.ts';
import { StoreClient } from './client.ts';
import { LaterEntries } from './codec/stream-format.ts';
import type { ClientOptions, ClientStats, StoreStatus } from './client.ts';
import { RedisClock } from './clock.ts';
import { LayoutWatch } from './layout-watch.ts';
import { RedisEvents } from './presence/index.ts';
import { RedisApiTokens } from './redis-api-tokens.ts';
import { RedisAudit } from './redis-audit.ts';
import { RedisDue } from './redis-due.ts';
import { RedisEdges } from './redis-edges.ts';
import { RedisListing } from './redis-listing.ts';
import { RedisLocation, SHARD_SLOTS } from './redis-location.ts';
import type { CommitDone } from './redis-location.ts';
import { RedisMessages } from './redis-messages.ts';
import { RedisUsers } from './redis-users.ts';
import { RedisWebhooks } from './redis-webhooks.ts';

/** All location ports in one object, with `commitThen` for the REGISTER path. */
export interface LocationStore
  extends LocationReader, LocationWriter, LocationLister, LocationWatcher, DueReader {
  /** `commit` without a promise: `done` is told once, in a later turn. The error is a `StoreUnavailable`, or a bug. */
  commitThen(commit: Commit, done: CommitDone): void;
}

/** The store of a process. Everything throws `StoreUnavailable` while it is away. */
export interface Store {
  readonly location: LocationStore;
  readonly clock: StoreClock;
  readonly users: UserDirectory;
  readonly edges: EdgeLeases;
  readonly audit: AuditLog;
  readonly apiTokens: ApiTokens;
  readonly webhooks: Webhooks;
  /** Messages for users who are away. */
  readonly messages: MessageStore;
  /** Subscriptions, publications, mailboxes and the work that changes make for presence. */
  readonly events: RedisEvents;
  /** The connection itself, for adapters of this package. */
  readonly client: StoreClient;
  /** Entries of streams that a later version has written, and that are read over. */
  readonly laterEntries: Pick<LaterEntries, 'count' | 'onFirst'>;
  ready(): boolean;
  /** Calls at each change: up, down. The first one comes when the first attempt to connect has ended. */
  onStatus(listener: (status: StoreStatus) => void): void;
  stats(): ClientStats;
  /** Lets calls in flight end, then disconnects. */
  close(): Promise<void>;
}

function assemble(options: ClientOptions): { store: Store; clock: RedisClock; layout: LayoutWatch } {
  const client = new StoreClient(options);
  const clock = new RedisClock(client, SHARD_SLOTS[0] ?? 0);
  const layout = new LayoutWatch(client);
  const records = new RedisLocation(client);
  const due = new RedisDue(client);
  const listing = new RedisListing(client, clock);
  const laterEntries = new LaterEntries();
  const watcher = new ChangeWatcher(client, laterEntries);
  const store: Store = {
    location: {
      read: (aor, options) => records.read(aor, options),
      commit: (commit) => records.commit(commit),
      commitThen: (commit, done) => {
        records.commitThen(commit, done);
      },
      list: (filter, cursor, limit) => listing.list(filter, cursor, limit),
      watch: (cursor, deliver, signal) => watcher.watch(cursor, deliver, signal),
      takeDue: (now, limit) => due.takeDue(now, limit),
      rearm: (aor, at) => due.rearm(aor, at),
    },
    clock,
    users: new RedisUsers(client),
    edges: new RedisEdges(client, clock),
    audit: new RedisAudit(client),
    apiTokens: new RedisApiTokens(client),
    webhooks: new RedisWebhooks(client),
    messages: new RedisMessages(client, clock),
    events: new RedisEvents(client, clock, laterEntries),
    client,
    laterEntries,
    ready: () => client.ready(),
    onStatus: (listener) => {
      client.onStatus(listener);
    },
    stats: () => client.stats(),
    close: async () => {
      clock.stop();
      layout.stop();
      await client.close();
    },
  };
  return { store, clock, layout };
}

/** Makes a store without waiting for its connection: what is asked of it before it is up fails. */
export function openStore(options: ClientOptions): Store {
  return assemble(options).store;
}

/**
 * Connects to the store. Resolves when the first attempt has come to an end, good or bad: with a store that is away the process
 * runs on, `ready()` says so, and attempts never end. Throws `TypeError` when no address is given.
 */
export async function connectStore(options: ClientOptions): Promise<Store> {
  const { store, clock, layout } = assemble(options);
  await store.client.settled();
  await Promise.all([clock.learn(), layout.ask()]);
  return store;
}
