import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Redis } from 'ioredis';
import { epochMs } from '@rollcall/kernel';
import type { Aor, LocationEvent } from '@rollcall/location';
import { sampleBinding } from '@rollcall/location/contract';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { keys, shardOf } from '../src/keys.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const aor = (n: number): Aor => `sip:u${String(n)}@damage.test` as Aor;

async function register(store: Store, name: Aor, lifetimeMs = 600_000): Promise<string> {
  const now = store.clock.now();
  const binding = sampleBinding(now, { expiresAt: epochMs(now + lifetimeMs) });
  const { version } = await store.location.read(name);
  const changes = [{ kind: 'registered', binding }] as const;
  const outcome = await store.location.commit({
    aor: name,
    expectedVersion: version,
    bindings: [binding],
    changes,
  });
  return outcome.kind;
}

describe('K30 damage in the store harms nobody but what is damaged', () => {
  let redis: RedisProcess;
  let store: Store;
  let behind: Redis;

  beforeAll(async () => {
    redis = await RedisProcess.start();
    store = await untilReady(await connectStore({ url: redis.url }));
    behind = inspect(redis);
  });
  afterAll(async () => {
    behind.disconnect();
    await store.close();
    await redis.stop();
  });

  test('K30 sets and streams of another type begin anew with the next commit', async () => {
    const name = aor(1);
    const shard = shardOf(name);
    await register(store, name);
    for (const key of [keys.due(shard, name), keys.index(shard, name), keys.changes(shard)]) {
      await behind.del(key);
      await behind.lpush(key, 'damage');
    }
    // A record that is there already touches the due-set and the stream; one that comes anew the index too.
    expect(await register(store, name)).toBe('committed');
    expect(await behind.zscore(keys.due(shard, name), name)).not.toBeNull();
    expect(await behind.type(keys.changes(shard))).toBe('stream');
    const outcome = await store.location.commit({
      aor: name,
      expectedVersion: (await store.location.read(name)).version,
      bindings: [],
      changes: [],
    });
    expect(outcome.kind).toBe('committed');
    expect(await register(store, name)).toBe('committed');
    const { items } = await store.location.list({ domain: 'damage.test' }, undefined, 10);
    expect(items.map((item) => item.aor)).toEqual([name]);
  });

  test('K30 no memory is no damage: nothing is thrown away for it', async () => {
    const name = aor(2);
    const shard = shardOf(name);
    await register(store, name);
    await behind.config('SET', 'maxmemory', '1');
    await expect(register(store, aor(3))).rejects.toThrow(/OOM/);
    await expect(register(store, name)).rejects.toThrow(/OOM/);
    await behind.config('SET', 'maxmemory', '0');
    expect(await behind.zscore(keys.due(shard, name), name)).not.toBeNull();
    expect(await behind.zcard(keys.index(shard, name))).toBeGreaterThan(0);
  });

  test('K30 with a damaged due-set the others are swept, with a damaged stream the others are told', async () => {
    const mine = Array.from({ length: 40 }, (_, n) => aor(100 + n));
    const shards = new Set(mine.map(shardOf));
    const damaged = [...shards][0] ?? 0;
    await behind.del(...keys.dueSets(damaged), keys.changes(damaged));
    for (const key of [...keys.dueSets(damaged), keys.changes(damaged)]) await behind.set(key, 'damage');
    const events: LocationEvent[] = [];
    const abort = new AbortController();
    let begun = false;
    const watching = store.location.watch(
      undefined,
      (more) => {
        begun = true;
        events.push(...more);
      },
      abort.signal,
    );
    await vi.waitUntil(() => begun, { timeout: 10_000 });
    const others = mine.filter((name) => shardOf(name) !== damaged);
    await Promise.all(others.map((name) => register(store, name, 1000)));
    const due = await store.location.takeDue(epochMs(store.clock.now() + 2000), 10_000);
    expect(due).toEqual(expect.arrayContaining(others));
    await vi.waitUntil(() => events.length >= others.length, { timeout: 10_000 });
    abort.abort();
    await watching;
  });

  test('K30 a damaged record is listed as such and hides no other', async () => {
    const [bad, good, odd] = [aor(200), aor(201), aor(202)];
    for (const name of [bad, good, odd]) await register(store, name);
    await behind.set(keys.record(shardOf(bad), bad), '9from the future');
    await behind.del(keys.record(shardOf(odd), odd));
    await behind.lpush(keys.record(shardOf(odd), odd), 'x');
    const { items } = await store.location.list({ prefix: 'u20', domain: 'damage.test' }, undefined, 10);
    expect(items.map((item) => [item.aor, item.unreadable ?? false]).sort()).toEqual([
      [bad, true],
      [good, false],
    ]);
  });
});
