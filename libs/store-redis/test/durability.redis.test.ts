import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { sampleBinding } from '@rollcall/location/contract';
import { connectStore } from '../src/index.ts';
import type { Store, StoreStatus } from '../src/index.ts';
import { RedisClusterProcesses } from './harness/redis-cluster.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const TIMEOUT_MS = 800;
const aor = (n: number): Aor => `sip:u${String(n)}@example.test` as Aor;

function register(store: Store, n: number): Promise<{ readonly kind: string }> {
  const now = store.clock.now();
  const binding = sampleBinding(now, { expiresAt: epochMs(now + 60_000) });
  const changes = [{ kind: 'registered', binding }] as const;
  return store.location.commit({ aor: aor(n), expectedVersion: 0, bindings: [binding], changes });
}

const until = (check: () => boolean | Promise<boolean>): Promise<unknown> =>
  vi.waitUntil(check, { timeout: 20_000, interval: 20 });

async function startPair(): Promise<{ primary: RedisProcess; replica: RedisProcess }> {
  const primary = await RedisProcess.start();
  const replica = await RedisProcess.start(['--replicaof', '127.0.0.1', String(primary.port)]);
  const link = inspect(replica);
  await until(async () => (await link.info('replication')).includes('master_link_status:up'));
  link.disconnect();
  return { primary, replica };
}

describe('durability replica', () => {
  let primary: RedisProcess;
  let replica: RedisProcess;
  let store: Store;
  const statuses: StoreStatus[] = [];

  beforeAll(async () => {
    ({ primary, replica } = await startPair());
    const options = { url: primary.url, commandTimeoutMs: TIMEOUT_MS, durability: 'replica' } as const;
    store = await untilReady(await connectStore(options));
    store.onStatus((status) => statuses.push(status));
  });
  afterAll(async () => {
    await store.close();
    await Promise.all([primary.stop(), replica.stop()]);
  });

  test('F02 what is told as accepted is on the replica by then; one WAIT stands for many writes', async () => {
    const COMMITS = 2000;
    const [front, behind] = [inspect(primary), inspect(replica)];
    await front.call('CONFIG', 'RESETSTAT');
    let missing = 0;
    const [key = ''] = await register(store, 1).then(() => front.keys('rc:*:r:*'));
    expect(await behind.exists(key)).toBe(1);
    await Promise.all(
      Array.from({ length: COMMITS }, async (_, i) => {
        const n = 10 + i;
        expect((await register(store, n)).kind).toBe('committed');
        if (n % 100 === 0 && (await behind.keys(`rc:*:r:${aor(n)}`)).length === 0) missing += 1;
      }),
    );
    expect(missing).toBe(0);
    const waits = Number(/cmdstat_wait:calls=(\d+)/.exec(await front.info('commandstats'))?.[1]);
    expect(waits).toBeGreaterThan(0);
    expect(waits).toBeLessThan(COMMITS / 10);
    for (const link of [front, behind]) link.disconnect();
  });

  test('F02 a replica that is stopped: the write fails in time, further ones at once, reads go on; it is back by itself', async () => {
    statuses.length = 0;
    replica.pause();
    const began = performance.now();
    await expect(register(store, 3)).rejects.toThrow(StoreUnavailable);
    expect(performance.now() - began).toBeLessThan(TIMEOUT_MS * 2);
    await until(() => statuses.some((status) => status.up && status.short !== undefined));
    const again = performance.now();
    await expect(register(store, 4)).rejects.toThrow(StoreUnavailable);
    expect(performance.now() - again).toBeLessThan(TIMEOUT_MS / 4);
    expect((await store.location.read(aor(1))).bindings).toHaveLength(1);
    // What was refused at once was not even sent.
    expect((await store.location.read(aor(4))).version).toBe(0);
    expect(store.ready()).toBe(true);
    expect(store.stats().unconfirmed).toBeGreaterThan(0);
    replica.resume();
    await vi.waitFor(() => register(store, 5), { timeout: 10_000, interval: 100 });
    expect(statuses.at(-1)).toEqual({ up: true });
  });

  test('F02 what others have written without a replica is not told as kept', async () => {
    expect((await store.location.read(aor(1), { confirmed: true })).bindings).toHaveLength(1);
    replica.pause();
    // Somebody else's write, which nobody has confirmed.
    const link = inspect(primary);
    await link.set('other', 'x');
    await expect(store.location.read(aor(1), { confirmed: true })).rejects.toThrow(StoreUnavailable);
    expect((await store.location.read(aor(1))).bindings).toHaveLength(1);
    link.disconnect();
    replica.resume();
    await vi.waitFor(() => store.location.read(aor(1), { confirmed: true }), {
      timeout: 10_000,
      interval: 100,
    });
  });

  test('F02 killed between the write and the answer: the caller is told that it does not know', async () => {
    replica.pause();
    const outcome = register(store, 6).then(
      () => 'accepted',
      (error: unknown) => error,
    );
    await until(async () => await primaryHas(primary, aor(6)));
    await primary.kill();
    expect(await outcome).toBeInstanceOf(StoreUnavailable);
    replica.resume();
    await primary.begin();
    await until(() => store.ready());
    await vi.waitFor(() => register(store, 7), { timeout: 20_000, interval: 100 });
  });

  test('what is no promise to anybody is not held up: leases go on without a replica', async () => {
    replica.pause();
    await store.edges.renew({ id: 'e1', epoch: 1, inner: 'x:1' }, 15_000);
    expect(await store.edges.find('e1')).toBeDefined();
    replica.resume();
    await vi.waitFor(() => register(store, 8), { timeout: 20_000, interval: 100 });
  });
});

async function primaryHas(primary: RedisProcess, name: Aor): Promise<boolean> {
  const link = inspect(primary);
  const found = await link.keys(`rc:*:r:${name}`);
  link.disconnect();
  return found.length > 0;
}

test('F02 durability replica in a Cluster: each node waits for its own replica, and only its shards lack one', async () => {
  const cluster = await RedisClusterProcesses.startWithReplicas();
  const store = await untilReady(
    await connectStore({
      cluster: { nodes: cluster.endpoints },
      commandTimeoutMs: TIMEOUT_MS,
      durability: 'replica',
    }),
  );
  await Promise.all(Array.from({ length: 300 }, (_, n) => register(store, n)));
  const links = cluster.replicas.map((replica) => inspect(replica));
  const sizes = await Promise.all(links.map((link) => link.dbsize()));
  for (const size of sizes) expect(size).toBeGreaterThan(0);
  const records = await Promise.all(links.map((link) => link.keys('rc:*:r:*')));
  expect(records.flat()).toHaveLength(300);
  cluster.replicas[0]?.pause();
  const outcomes = await Promise.allSettled(Array.from({ length: 300 }, (_, n) => register(store, 1000 + n)));
  const failed = outcomes.filter(({ status }) => status === 'rejected').length;
  expect(failed).toBeGreaterThan(30);
  expect(failed).toBeLessThan(270);
  cluster.replicas[0]?.resume();
  await vi.waitFor(() => Promise.all(Array.from({ length: 64 }, (_, n) => register(store, 2000 + n))), {
    timeout: 20_000,
    interval: 200,
  });
  for (const link of links) link.disconnect();
  await store.close();
  await cluster.stop();
}, 90_000);

test('F02 durability everysec: a Redis without an append-only file takes no writes, until it keeps one', async () => {
  const redis = await RedisProcess.start(['--appendonly', 'no']);
  const store = await untilReady(await connectStore({ url: redis.url, durability: 'everysec' }));
  const statuses: StoreStatus[] = [];
  store.onStatus((status) => statuses.push(status));
  await vi.waitFor(() => expect(register(store, 1)).rejects.toThrow(/append-only/), { timeout: 5000 });
  expect(await store.location.read(aor(99))).toEqual({ version: 0, bindings: [] });
  const behind = inspect(redis);
  await behind.call('CONFIG', 'SET', 'appendonly', 'yes');
  await vi.waitFor(() => register(store, 2), { timeout: 15_000, interval: 100 });
  expect(statuses.at(-1)).toEqual({ up: true });
  behind.disconnect();
  await store.close();
  await redis.stop();
});
