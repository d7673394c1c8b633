import type { Aor } from '@rollcall/location';
import { MAX_SHARDS, keys, shardKey } from '../keys.ts';
import { slotOf } from '../slot.ts';

const table = (suffix: string): readonly string[] =>
  Array.from({ length: MAX_SHARDS }, (_, n) => shardKey(n, suffix));

const SUBSCRIPTION = table('s:');
const PUBLICATIONS = table('p:');
const MAILBOX = table('m:');
const WINFO = table('wi:');
const RULES = table('wr:');
const LISTS = table('rl:');
const ADHOC = table('al:');
const BY_WATCHER = table('ws:');
const DUE = table('sdue');
const SLOTS = DUE.map(slotOf);

/** Names of all keys that belong to subscriptions and event states. */
export const presenceKeys = {
  /** string: the subscription record. */
  subscription: (shard: number, id: string): string => (SUBSCRIPTION[shard] ?? '') + id,
  /** string: the publications of a resource. */
  publications: (shard: number, aor: Aor): string => (PUBLICATIONS[shard] ?? '') + aor,
  /** string: the state of a mailbox. */
  mailbox: (shard: number, aor: Aor): string => (MAILBOX[shard] ?? '') + aor,
  /** zset: subscription ids, `p:<aor>` and `d:<aor>` by the moment when somebody has to look. */
  due: (shard: number): string => DUE[shard] ?? '',
  /** string: exists while somebody may watch who watches the resource. */
  winfo: (shard: number, aor: Aor): string => (WINFO[shard] ?? '') + aor,
  /** string: the rules on who may watch the resource. */
  rules: (shard: number, aor: Aor): string => (RULES[shard] ?? '') + aor,
  /** string: a resource list, in the shard of its URI. */
  list: (shard: number, aor: Aor): string => (LISTS[shard] ?? '') + aor,
  /** string: the entries that came with the SUBSCRIBE of a list subscription. */
  adhoc: (shard: number, id: string): string => (ADHOC[shard] ?? '') + id,
  /** zset: ids of the subscriptions of a watcher to others, all scores 0, in the shard of the watcher. */
  byWatcher: (shard: number, watcher: string): string => (BY_WATCHER[shard] ?? '') + watcher,
  /** zset: URIs of all resource lists, all scores 0. */
  lists: 'rc:lists',
  watchers: keys.watchers,
  record: keys.record,
  dirty: keys.dirty,
  bell: keys.bell,
} as const;

/** Redis Cluster's slot of a shard. */
export const shardSlot = (shard: number): number => SLOTS[shard] ?? 0;
