import type { Aor } from '@rollcall/location';
import { listOf, numberOf, textOf } from '../call.ts';
import type { StoreClient } from '../client.ts';
import { indexMember, keys, shardKey } from '../keys.ts';
import { SHARD_SLOTS } from '../redis-location.ts';
import { defineScript } from '../script.ts';
import type { ShardKey } from './shard-key.ts';

const adoptScript = defineScript(new URL('../../scripts/adopt.lua', import.meta.url), 4);

/** Copies one value into another shard, with its expiry; false when it is not there any more. */
export async function copyTo(client: StoreClient, key: ShardKey, shard: number): Promise<boolean> {
  const from = SHARD_SLOTS[key.shard] ?? 0;
  const [value, expiry] = await Promise.all([
    client.command(from, ['DUMP', key.name]),
    client.command(from, ['PEXPIRETIME', key.name]),
  ]);
  if (!Buffer.isBuffer(value)) return false;
  const aor = key.rest as Aor;
  await client.run(adoptScript, SHARD_SLOTS[shard] ?? 0, [
    shardKey(shard, `${key.kind}:${key.rest}`),
    keys.due(shard, aor),
    keys.index(shard, aor),
    shardKey(shard, 'sdue'),
    textOf(value),
    String(Math.max(0, numberOf(expiry))),
    key.kind,
    aor,
    indexMember(aor),
  ]);
  return true;
}

/** Runs `work` on all items, some at a time. */
export async function inBatches<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(work));
}

/** All members of a sorted set with their scores, a page at a time. */
export async function* membersOf(
  client: StoreClient,
  slot: number,
  key: string,
): AsyncGenerator<readonly (readonly [member: string, score: string])[]> {
  let cursor = '0';
  do {
    const [next, flat] = listOf(await client.command(slot, ['ZSCAN', key, cursor, 'COUNT', '500']));
    cursor = textOf(next);
    const values = listOf(flat).map((value) => textOf(value));
    yield Array.from(
      { length: values.length / 2 },
      (_, i) => [values[2 * i] ?? '', values[2 * i + 1] ?? ''] as const,
    );
  } while (cursor !== '0');
}
