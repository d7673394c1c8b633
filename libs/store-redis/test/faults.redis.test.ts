import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor, Binding } from '@rollcall/location';
import { sampleBinding } from '@rollcall/location/contract';
import { epochMs } from '@rollcall/kernel';
import { connectStore } from '../src/index.ts';
import type { Store, StoreStatus } from '../src/index.ts';
import { freePort, inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const TIMEOUT_MS = 400;
/** Callers are told within the timeout, one look of the deadline keeper, and what a loaded machine takes. */
const BOUND_MS = TIMEOUT_MS * 1.125 + 300;

const aor = (n: number): Aor => `sip:u${String(n)}@example.test` as Aor;
function binding(store: Store): Binding {
  const now = store.clock.now();
  return sampleBinding(now, { expiresAt: epochMs(now + 60_000) });
}
async function register(store: Store, n: number, expectedVersion = 0): Promise<number> {
  const one = binding(store);
  const changes = [{ kind: 'registered', binding: one }] as const;
  const outcome = await store.location.commit({ aor: aor(n), expectedVersion, bindings: [one], changes });
  if (outcome.kind === 'conflict') throw new Error('conflict');
  return outcome.version;
}
const until = (check: () => boolean): Promise<unknown> =>
  vi.waitUntil(check, { timeout: 10_000, interval: 10 });
async function timeOf(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

describe('B21 the store under faults', () => {
  let redis: RedisProcess;
  let store: Store;
  const statuses: StoreStatus[] = [];

  beforeAll(async () => {
    redis = await RedisProcess.start(['--appendonly', 'yes', '--appendfsync', 'everysec']);
    store = await untilReady(await connectStore({ url: redis.url, commandTimeoutMs: TIMEOUT_MS }));
    store.onStatus((status) => statuses.push(status));
  });
  afterAll(async () => {
    await store.close();
    await redis.stop();
  });

  test('K03 killed: calls fail at once, acknowledged records are there after the restart, one report each way', async () => {
    statuses.length = 0;
    const version = await register(store, 1);
    await redis.kill();
    await until(() => !store.ready());
    for (let i = 0; i < 50; i += 1) {
      expect(await timeOf(expect(register(store, 2)).rejects.toThrow(StoreUnavailable))).toBeLessThan(100);
    }
    await redis.begin();
    await until(() => store.ready());
    expect((await store.location.read(aor(1))).version).toBe(version);
    // The restarted server knows no script: the next commits teach it.
    await Promise.all([register(store, 2), register(store, 3), register(store, 1, version)]);
    expect(statuses.map(({ up }) => up)).toEqual([false, true]);
  });

  test('killed under load: every call is answered, what was acknowledged is stored', async () => {
    // With everysec Redis puts off writing its file for up to 2 s while the disk is busy with the last one, and a killed
    // process takes that with it: what is promised of acknowledged writes holds with always.
    const link = inspect(redis);
    await link.call('CONFIG', 'SET', 'appendfsync', 'always');
    link.disconnect();
    const acknowledged: number[] = [];
    let failed = 0;
    const one = async (n: number): Promise<void> => {
      try {
        await register(store, n);
        acknowledged.push(n);
      } catch (error) {
        expect(error).toBeInstanceOf(StoreUnavailable);
        failed += 1;
      }
    };
    const calls: Promise<void>[] = [];
    for (let n = 1000; n < 6000; n += 1) {
      calls.push(one(n));
      if (n % 100 === 0) await sleep(1);
      if (n === 3000) void redis.kill();
    }
    await Promise.all(calls);
    await redis.begin();
    await until(() => store.ready());
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(failed).toBeGreaterThan(100);
    const found = await Promise.all(acknowledged.map((n) => store.location.read(aor(n))));
    expect(found.filter(({ version }) => version === 0)).toEqual([]);
  });

  test('K08 stopped: told within the timeout, then at once; serves again when it goes on', async () => {
    statuses.length = 0;
    redis.pause();
    expect(await timeOf(expect(register(store, 10)).rejects.toThrow(StoreUnavailable))).toBeLessThan(
      BOUND_MS,
    );
    await until(() => !store.ready());
    expect(await timeOf(expect(register(store, 11)).rejects.toThrow(StoreUnavailable))).toBeLessThan(100);
    redis.resume();
    await until(() => store.ready());
    await register(store, 12);
    expect(statuses.map(({ up }) => up)).toEqual([false, true]);
  });

  test('the answer to a call that was given up is not taken for the answer to another', async () => {
    redis.pause();
    await expect(store.location.read(aor(1))).rejects.toThrow(StoreUnavailable);
    redis.resume();
    await until(() => store.ready());
    expect(await store.location.read(aor(999_999))).toEqual({ version: 0, bindings: [] });
    expect((await store.location.read(aor(1))).bindings).toHaveLength(1);
  });

  test('emptied under us: a version known from before conflicts with version 0, and the next commit heals it', async () => {
    const version = await register(store, 20);
    const behind = inspect(redis);
    await behind.flushall();
    behind.disconnect();
    const bindings = [binding(store)];
    for (const kind of ['refreshed', 'registered'] as const) {
      const changes = [{ kind, binding: binding(store) }];
      const outcome = await store.location.commit({
        aor: aor(20),
        expectedVersion: version,
        bindings,
        changes,
      });
      expect(outcome).toEqual({ kind: 'conflict', snapshot: { version: 0, bindings: [] } });
    }
    const healed = await register(store, 20);
    expect(healed).not.toBe(version);
    const read = await store.location.read(aor(20));
    expect([read.version, read.bindings.length]).toEqual([healed, 1]);
  });

  test('scripts flushed: the server learns them again', async () => {
    const behind = inspect(redis);
    await behind.script('FLUSH');
    behind.disconnect();
    await Promise.all([30, 31, 32].map((n) => register(store, n)));
  });

  test('out of memory: StoreUnavailable, nothing half written', async () => {
    const behind = inspect(redis);
    await behind.config('SET', 'maxmemory', '1');
    await expect(register(store, 40)).rejects.toThrow(StoreUnavailable);
    await behind.config('SET', 'maxmemory', '0');
    expect(await store.location.read(aor(40))).toEqual({ version: 0, bindings: [] });
    behind.disconnect();
    await register(store, 40);
  });

  test('made a replica: StoreUnavailable; serves again as a primary', async () => {
    const behind = inspect(redis);
    await behind.call('REPLICAOF', '127.0.0.1', String(await freePort()));
    await expect(register(store, 50)).rejects.toThrow(StoreUnavailable);
    await behind.call('REPLICAOF', 'NO', 'ONE');
    behind.disconnect();
    await until(() => store.ready());
    await vi.waitFor(() => register(store, 50), { timeout: 5000 });
  });

  test('a wrong type behind a key is an error for its AoR alone', async () => {
    const behind = inspect(redis);
    await register(store, 60);
    const [key = ''] = await behind.keys('rc:*:r:sip:u60@*');
    await behind.del(key);
    await behind.lpush(key, 'x');
    await expect(store.location.read(aor(60))).rejects.toThrow(/WRONGTYPE/);
    await expect(register(store, 60)).rejects.toThrow(/WRONGTYPE/);
    await behind.set(key, '9from the future');
    await expect(store.location.read(aor(60))).rejects.toThrow(RangeError);
    behind.disconnect();
    await register(store, 61);
  });

  test('more calls than the bound fail at once, the others are served', async () => {
    const narrow = await connectStore({ url: redis.url, maxPending: 10 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, (_, n) => narrow.location.read(aor(n))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    await narrow.close();
  });
});

test('a store that is missing at the start is reported once, tried for ever, and found', async () => {
  const redis = await RedisProcess.start();
  await redis.kill();
  const store = await connectStore({ url: redis.url });
  const statuses: boolean[] = [];
  store.onStatus(({ up }) => statuses.push(up));
  expect(store.ready()).toBe(false);
  await expect(store.location.read(aor(1))).rejects.toThrow(StoreUnavailable);
  await sleep(500);
  expect(statuses).toEqual([]);
  await redis.begin();
  await until(() => store.ready());
  expect(statuses).toEqual([true]);
  await store.close();
  await redis.stop();
});
