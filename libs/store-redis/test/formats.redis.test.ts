import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Aor } from '@rollcall/location';
import { openStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { keys, shardOf } from '../src/keys.ts';
import { SHARD_SLOTS } from '../src/redis-location.ts';
import { RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const aor = 'sip:formats@example.test' as Aor;
const shard = shardOf(aor);

describe('O07 stream entries that a later version has written', () => {
  let redis: RedisProcess;
  let store: Store;
  let told: number;

  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(() => redis.stop());

  const run = async (test: () => Promise<void>): Promise<void> => {
    told = 0;
    store = await untilReady(openStore({ url: redis.url }));
    store.laterEntries.onFirst(() => (told += 1));
    await test();
    await store.close();
  };
  const add = (key: string, ...fields: readonly string[]): Promise<unknown> =>
    store.client.command(SHARD_SLOTS[shard] ?? 0, ['XADD', key, '*', ...fields]);

  test('changes: those of a later format are passed over and told of once, those with one more field are read', () =>
    run(async () => {
      const seen: string[] = [];
      const abort = new AbortController();
      const done = store.location.watch(
        undefined,
        (events) => seen.push(...events.map(({ contact }) => contact)),
        abort.signal,
      );
      await sleep(300);
      const line = (contact: string): string => `${aor}\n\nrb\n.${contact}`;
      await add(keys.changes(shard), 'v', '2', 'c', line('later'));
      await add(keys.changes(shard), 'c', line('later, too'), 'v', '2');
      await add(keys.changes(shard), 'c', line('one more field'), 'x', 'y');
      await add(keys.changes(shard), 'c', line('said to be of this format'), 'v', '1');
      await vi.waitUntil(() => seen.length >= 2, { timeout: 10_000 });
      abort.abort();
      await done;
      expect(seen).toEqual(['one more field', 'said to be of this format']);
      expect(store.laterEntries.count).toBe(2);
      expect(told).toBe(1);
    }));

  test('work: what is of a later format stays for a replica that can read it', () =>
    run(async () => {
      const entry = ['r', aor, 'p', 'reg', 'k', '[]', 't', ''];
      await add(keys.dirty(shard), ...entry, 'v', '2');
      await add(keys.dirty(shard), ...entry, 'x', 'y');
      const { dirty } = await store.events.take(shard, 100);
      expect(dirty).toHaveLength(1);
      await store.events.done(
        shard,
        dirty.map(({ cursor }) => cursor),
      );
      const slot = SHARD_SLOTS[shard] ?? 0;
      expect(await store.client.command(slot, ['XLEN', keys.dirty(shard)])).toBe(1);
      const [pending] = (await store.client.command(slot, [
        ...['XPENDING', keys.dirty(shard), 'presence'],
      ])) as readonly number[];
      expect(pending).toBe(1);
      expect(told).toBe(1);
    }));
});
