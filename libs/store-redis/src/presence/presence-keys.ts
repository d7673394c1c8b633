import type { Aor } from '@rollcall/location';
import { SHARDS, keys, shardKey } from '../keys.ts';
import { slotOf } from '../slot.ts';

const table = (suffix: string): readonly string[] =>
  Array.from({ length: SHARDS }, (_, n) => shardKey(n, suffix));

const SUBSCRIPTION = table('s:');
const PUBLICATIONS = table('p:');
const MAILBOX = table('m:');
const WINFO = table('wi:');
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
  /** zset: subscription ids and `p:<aor>` by the moment when somebody has to look. */
  due: (shard: number): string => DUE[shard] ?? '',
  /** string: exists while somebody may watch who watches the resource. */
  winfo: (shard: number, aor: Aor): string => (WINFO[shard] ?? '') + aor,
  watchers: keys.watchers,
  record: keys.record,
  dirty: keys.dirty,
  bell: keys.bell,
} as const;

/** Redis Cluster's slot of a shard. */
export const shardSlot = (shard: number): number => SLOTS[shard] ?? 0;
