import { USER_SHARDS, userShardOf } from './keys.ts';
import { slotOf } from './slot.ts';

const userShardKey = (shard: number, suffix: string): string => `rc:{u${String(shard)}}:${suffix}`;

/** Redis Cluster slot of each user shard. */
export const USER_SLOTS: readonly number[] = Array.from({ length: USER_SHARDS }, (_, n) =>
  slotOf(userShardKey(n, '')),
);

/** Slot of the shard that `text` (an AoR, or credentials) belongs to. */
export const userSlot = (text: string): number => USER_SLOTS[userShardOf(text)] ?? 0;

/** Names of the keys that belong to users. */
export const userKeys = {
  /** hash: the user. */
  user: (aor: string): string => userShardKey(userShardOf(aor), `u:${aor}`),
  /** zset: the AoRs of a domain that are in one shard. */
  index: (shard: number, domain: string): string => userShardKey(shard, `d:${domain}`),
  /** string: the AoR of who authenticates so, where the AoR itself does not say it. */
  credentials: (id: string): string => userShardKey(userShardOf(id), `a:${id}`),
  /** string: the AoR that this alias means. */
  alias: (alias: string): string => userShardKey(userShardOf(alias), `l:${alias}`),
  /** set: the identities that may register the AoR. */
  grants: (aor: string): string => userShardKey(userShardOf(aor), `g:${aor}`),
  /** hash: domains by name. */
  domains: 'rc:{domains}',
  /** pub/sub: AoR of a user who changed, alias that was given or taken away, or `*`. */
  usersChannel: 'rc:users',
  /** pub/sub: a domain changed. */
  domainsChannel: 'rc:domains',
} as const;
