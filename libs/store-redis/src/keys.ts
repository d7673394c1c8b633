import type { Aor } from '@rollcall/location';
import { currentLayout } from './layout.ts';

/**
 * Every key of an AoR carries the hash tag of its shard, so that record, due-set and streams change in one script. This many shards
 * a store has that nobody has resharded (`layout.ts`), and at most so many it can have.
 */
export const SHARDS = 64;
export const MAX_SHARDS = 512;
/**
 * Due-sets of a shard. Redis keeps a sorted set of up to 128 members as one packed list, at a quarter of the bytes of a skip list:
 * so it is up to some 130,000 AoRs, and merely not so beyond.
 */
export const DUE_SETS = 16;
/** Index sets of a shard, for the same reason; nobody walks them all but a listing, so that they are packed up to a million AoRs. */
export const INDEX_SETS = 128;
/** Users are spread over hash tags of their own: they outlive locations and are never touched in one script with them. */
export const USER_SHARDS = 16;

/** Entries kept in a shard's dirty stream: what presence may be late by. `commit.lua` and the scripts of presence keep the same. */
export const DIRTY_KEPT = 10_000;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over the octets of `text`. */
function fnv1a(text: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  // The low bits of FNV-1a are its weakest: fold the high half into them.
  return hash ^ (hash >>> 16);
}

/** What is left of a hash of 32 bits, unsigned, divided by at most 2^15; in halves, since the engine divides small integers only fast. */
function remainder(hash: number, divisor: number): number {
  return (((hash >>> 16) % divisor) * (65_536 % divisor) + (hash & 0xffff)) % divisor;
}

/** The shard of an AoR among `shards`. */
export function shardAmong(aor: string, shards: number): number {
  return remainder(fnv1a(aor), shards);
}

/** The shard of an AoR as the store is laid out now. */
export function shardOf(aor: string): number {
  return remainder(fnv1a(aor), currentLayout().shards);
}

/** The due-set of an AoR within its shard. */
function dueSetOf(aor: string): number {
  return (fnv1a(aor) >>> 8) % DUE_SETS;
}

/** The shard of a user, 0 … 15. */
export function userShardOf(aor: string): number {
  return remainder(fnv1a(aor), USER_SHARDS);
}

const table = (count: number, key: (shard: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, shard) => key(shard));

const RECORD = table(MAX_SHARDS, (n) => `rc:{${String(n)}}:r:`);
const WATCHERS = table(MAX_SHARDS, (n) => `rc:{${String(n)}}:w:`);
const DUE = table(MAX_SHARDS * DUE_SETS, (n) => {
  return `rc:{${String(Math.floor(n / DUE_SETS))}}:due:${(n % DUE_SETS).toString(16)}`;
});
/** Made when they are first asked for: with the most shards there are tens of thousands. */
const INDEX: string[] = [];
function indexKey(shard: number, set: number): string {
  return (INDEX[shard * INDEX_SETS + set] ??= `rc:{${String(shard)}}:aors:${set.toString(16)}`);
}
const CHANGES = table(MAX_SHARDS, (n) => `rc:{${String(n)}}:chg`);
const DIRTY = table(MAX_SHARDS, (n) => `rc:{${String(n)}}:dirty`);

/** Key of a shard by suffix: `shardKey(7, 'sdue')` is `rc:{7}:sdue`. */
export function shardKey(shard: number, suffix: string): string {
  return `rc:{${String(shard)}}:${suffix}`;
}

/** An AoR as it stands in the index: `example.test sip:alice`, so that a domain, and what begins alike in it, are one range. */
export function indexMember(aor: Aor): string {
  const at = aor.lastIndexOf('@');
  return at < 0 ? ` ${aor}` : `${aor.slice(at + 1)} ${aor.slice(0, at)}`;
}

/** The AoR of an index entry. */
export function aorOfMember(member: string): Aor {
  const space = member.indexOf(' ');
  const domain = member.slice(0, space);
  return (domain === '' ? member.slice(1) : `${member.slice(space + 1)}@${domain}`) as Aor;
}

/** Names of all keys that belong to locations. */
export const keys = {
  /** string: the location record. */
  record: (shard: number, aor: Aor): string => (RECORD[shard] ?? '') + aor,
  /** zset: subscription ids that watch the AoR, by expiry. */
  watchers: (shard: number, aor: Aor): string => (WATCHERS[shard] ?? '') + aor,
  /** zset: AoRs by next expiry; the one of the shard's due-sets that the AoR is in. */
  due: (shard: number, aor: Aor): string => DUE[shard * DUE_SETS + dueSetOf(aor)] ?? '',
  /** All due-sets of a shard. */
  dueSets: (shard: number): readonly string[] => DUE.slice(shard * DUE_SETS, (shard + 1) * DUE_SETS),
  /** zset: AoRs that have a record, as `indexMember` prints them; the one of the shard's index sets that the AoR is in. */
  index: (shard: number, aor: Aor): string => indexKey(shard, (fnv1a(aor) >>> 8) % INDEX_SETS),
  /** All index sets of a shard. */
  indexSets: (shard: number): readonly string[] =>
    Array.from({ length: INDEX_SETS }, (_, set) => indexKey(shard, set)),
  /** stream: changes of bindings, for operators. */
  changes: (shard: number): string => CHANGES[shard] ?? '',
  /** stream: resources that have watchers and changed, for presence. */
  dirty: (shard: number): string => DIRTY[shard] ?? '',
  /** pub/sub channel: number of a shard whose dirty stream grew. */
  bell: 'rc:bell',
} as const;
