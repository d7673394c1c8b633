import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { CursorTooOld } from '@rollcall/location';
import type { Aor, Binding, BindingId, LocationEvent } from '@rollcall/location';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { keys, shardOf } from '../src/keys.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const binding = (store: Store, n: number): Binding => ({
  id: `b${String(n)}` as BindingId,
  contact: `sip:u@192.0.2.1:${String(n)}`,
  params: '',
  callId: 'c',
  cseq: n,
  path: [],
  registeredAt: store.clock.now(),
  refreshedAt: store.clock.now(),
  expiresAt: epochMs(store.clock.now() + 60_000),
});

async function change(store: Store, n: number, aor = `sip:u${String(n)}@example.test` as Aor): Promise<void> {
  const one = binding(store, n);
  const { version } = await store.location.read(aor);
  const changes = [{ kind: 'registered', binding: one }] as const;
  await store.location.commit({ aor, expectedVersion: version, bindings: [one], changes });
}

/** Watches until `stop` is called, which gives what was told. */
function watch(store: Store, cursor?: string): { seen: LocationEvent[]; stop(): Promise<LocationEvent[]> } {
  const seen: LocationEvent[] = [];
  const abort = new AbortController();
  const done = store.location.watch(cursor, (events) => seen.push(...events), abort.signal);
  const stop = async (): Promise<LocationEvent[]> => {
    abort.abort();
    await done;
    return seen;
  };
  return { seen, stop };
}

const aorOf = (shard: number, from: number): Aor => {
  for (let n = from; ; n += 1) {
    const aor = `sip:w${String(n)}@example.test` as Aor;
    if (shardOf(aor) === shard) return aor;
  }
};

describe('A06 the change stream of all shards', () => {
  let redis: RedisProcess;
  let store: Store;
  beforeAll(async () => {
    redis = await RedisProcess.start();
    store = await untilReady(await connectStore({ url: redis.url }));
  });
  afterAll(async () => {
    await store.close();
    await redis.stop();
  });

  test('each of 4,000 concurrent changes is told once, over readers that stop and resume anywhere', async () => {
    const told: LocationEvent[] = [];
    let watching = watch(store);
    await sleep(200);
    const writing = (async () => {
      for (let n = 0; n < 4000; n += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => change(store, n + i)));
        await sleep(5);
      }
    })();
    for (let turns = 0; told.length + watching.seen.length < 4000 && turns < 200; turns += 1) {
      await sleep(170);
      const part = await watching.stop();
      // A reader that dies in the middle of a delivery resumes from what it had handled.
      const handled = part.slice(0, Math.ceil(part.length * 0.6));
      told.push(...handled);
      watching = watch(store, told.at(-1)?.cursor);
    }
    await writing;
    await vi.waitUntil(() => told.length + watching.seen.length >= 4000, { timeout: 10_000 });
    await sleep(400);
    told.push(...(await watching.stop()));
    expect(told).toHaveLength(4000);
    expect(new Set(told.map(({ aor }) => aor)).size).toBe(4000);
    expect(told.map(({ at }) => at)).toEqual(told.map(({ at }) => at).sort((a, b) => a - b));
  });

  test('a refresh is told only while the AoR has watchers, and marks it dirty for presence', async () => {
    const aor = 'sip:refreshed@example.test' as Aor;
    const behind = inspect(redis);
    const shard = shardOf(aor);
    await change(store, 1, aor);
    const dirtyBefore = await behind.xlen(keys.dirty(shard));
    const watching = watch(store);
    await sleep(200);
    const refresh = async (): Promise<void> => {
      const { version, bindings } = await store.location.read(aor);
      const one = { ...binding(store, 1), expiresAt: epochMs((bindings[0]?.expiresAt ?? 0) + 1) };
      const changes = [{ kind: 'refreshed', binding: one }] as const;
      const outcome = await store.location.commit({
        aor,
        expectedVersion: version,
        bindings: [one],
        changes,
        trace: '00-t',
      });
      expect(outcome).toEqual({ kind: 'committed', version: version + 1 });
    };
    await refresh();
    expect(await behind.xlen(keys.dirty(shard))).toBe(dirtyBefore);
    const bell: string[] = [];
    const ring = store.client.subscribe(
      'rc:bell',
      (message) => bell.push(message),
      () => bell.push('gap'),
    );
    await vi.waitUntil(() => bell.length === 1);
    await behind.zadd(keys.watchers(shard, aor), store.clock.now() + 60_000, 'subscription');
    await refresh();
    await vi.waitUntil(() => bell.length === 2);
    ring();
    expect(bell[1]).toBe(String(shard));
    const [entry] = await behind.xrevrange(keys.dirty(shard), '+', '-', 'COUNT', 1);
    expect(entry?.[1]).toEqual([
      'r',
      aor,
      'p',
      'reg',
      'k',
      '[["refreshed","b1","sip:u@192.0.2.1:1"]]',
      't',
      '00-t',
    ]);
    await sleep(400);
    expect((await watching.stop()).filter((event) => event.aor === aor).map(({ kind }) => kind)).toEqual([
      'refreshed',
    ]);
    behind.disconnect();
  });

  test('a cursor of what is gone is refused: trimmed, of an emptied store, or nonsense', async () => {
    const watching = watch(store);
    await sleep(200);
    const aor = aorOf(7, 0);
    await change(store, 1, aor);
    await vi.waitUntil(() => watching.seen.length > 0, { timeout: 5000 });
    const [first] = await watching.stop();
    const refused = async (cursor: string | undefined): Promise<void> => {
      const watched = store.location.watch(cursor, () => undefined, AbortSignal.timeout(2000));
      await expect(watched).rejects.toThrow(CursorTooOld);
    };
    await refused('nonsense');
    const behind = inspect(redis);
    for (let n = 0; n < 1200; n += 1)
      await behind.xadd(keys.changes(7), 'MAXLEN', 100, '*', 'c', `${aor}\n\nrb\n.x`);
    await refused(first?.cursor);
    await behind.flushall();
    await refused(first?.cursor);
    behind.disconnect();
  });

  test('a watch goes on through an outage of the store', async () => {
    const watching = watch(store);
    await sleep(300);
    await change(store, 1);
    redis.pause();
    await vi.waitUntil(() => !store.ready(), { timeout: 5000 });
    redis.resume();
    await vi.waitUntil(() => store.ready(), { timeout: 10_000 });
    await change(store, 2);
    await vi.waitUntil(() => watching.seen.length >= 2, { timeout: 5000 });
    await sleep(400);
    expect((await watching.stop()).map(({ contact }) => contact)).toEqual([
      'sip:u@192.0.2.1:1',
      'sip:u@192.0.2.1:2',
    ]);
  });
});
