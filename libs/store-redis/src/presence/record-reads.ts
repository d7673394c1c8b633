import { shardOfId } from '@rollcall/events';
import type { StoredSubscription, SubscriptionId } from '@rollcall/events';
import { listOf, textOf } from '../call.ts';
import type { StoreClient } from '../client.ts';
import { presenceKeys as keys, shardSlot } from './presence-keys.ts';
import { readSubscriptionText } from './subscription-text.ts';

/** Records of one MGET, and ids of one range: well under a millisecond of the server. */
const READ_AT_ONCE = 256;
const PAGE = 1_000;

/** Places of the ids of each shard. */
export function byShard(ids: readonly SubscriptionId[]): readonly { shard: number; places: number[] }[] {
  const groups = new Map<number, number[]>();
  ids.forEach((id, place) => {
    const shard = shardOfId(id);
    const places = groups.get(shard);
    if (places === undefined) groups.set(shard, [place]);
    else places.push(place);
  });
  return [...groups].map(([shard, places]) => ({ shard, places }));
}

/** Subscriptions in the order asked; undefined for one that is gone. Throws `StoreUnavailable`. */
export async function readRecords(
  client: StoreClient,
  ids: readonly SubscriptionId[],
): Promise<readonly (StoredSubscription | undefined)[]> {
  const found = new Map<SubscriptionId, StoredSubscription>();
  const shards = byShard(ids).map(({ shard, places }) => {
    const own = places.flatMap((place) => ids[place] ?? []);
    return readShard(client, shard, own, found);
  });
  await Promise.all(shards);
  return ids.map((id) => found.get(id));
}

async function readShard(
  client: StoreClient,
  shard: number,
  ids: readonly SubscriptionId[],
  found: Map<SubscriptionId, StoredSubscription>,
): Promise<void> {
  for (let at = 0; at < ids.length; at += READ_AT_ONCE) {
    const some = ids.slice(at, at + READ_AT_ONCE);
    const names = some.map((id) => keys.subscription(shard, id));
    const texts = listOf(await client.command(shardSlot(shard), ['MGET', ...names]));
    some.forEach((id, n) => {
      const stored = readSubscriptionText(id, textOf(texts[n]));
      if (stored !== undefined) found.set(id, stored);
    });
  }
}

/** Members of a set in their order, page by page, so that no call takes long. Throws `StoreUnavailable`. */
export async function membersOf<T extends string>(
  client: StoreClient,
  slot: number,
  key: string,
  after: string | undefined,
  limit: number,
): Promise<readonly T[]> {
  const members: T[] = [];
  let last = after;
  while (members.length < limit) {
    const wanted = Math.min(limit - members.length, PAGE);
    const from = last === undefined ? '-' : `(${last}`;
    const range = ['ZRANGEBYLEX', key, from, '+', 'LIMIT', '0', String(wanted)];
    const page = listOf(await client.command(slot, range)).map((member) => textOf(member) as T);
    members.push(...page);
    last = page.at(-1);
    if (page.length < wanted) break;
  }
  return members;
}
