import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor, Binding, BindingId } from '@rollcall/location';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { SHARDS, shardOf } from '../src/keys.ts';
import { SHARD_SLOTS } from '../src/redis-location.ts';
import { RedisClusterProcesses } from './harness/redis-cluster.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const TIMEOUT_MS = 500;

const aors = Array.from({ length: SHARDS }, (_, shard): Aor => {
  for (let n = 0; ; n += 1) {
    const aor = `sip:u${String(n)}@example.test` as Aor;
    if (shardOf(aor) === shard) return aor;
  }
});

async function commit(store: Store, aor: Aor, cseq: number): Promise<void> {
  const now = store.clock.now();
  const binding: Binding = {
    id: 'b' as BindingId,
    contact: 'sip:u@192.0.2.1',
    params: '',
    callId: 'c',
    cseq,
    path: [],
    registeredAt: now,
    refreshedAt: now,
    expiresAt: epochMs(now + 60_000),
  };
  const { version } = await store.location.read(aor);
  const changes = [{ kind: 'registered', binding }] as const;
  const outcome = await store.location.commit({
    aor,
    expectedVersion: version,
    bindings: [binding],
    changes,
  });
  if (outcome.kind === 'conflict') throw new Error('conflict where nobody else writes');
}
const cseqOf = async (store: Store, aor: Aor): Promise<number | undefined> =>
  (await store.location.read(aor)).bindings[0]?.cseq;

test('Cluster: a slot that moves is followed; a node that dies takes only its shards, and they come back', async () => {
  const cluster = await RedisClusterProcesses.start();
  const store = await untilReady(
    await connectStore({ cluster: { nodes: cluster.endpoints }, commandTimeoutMs: TIMEOUT_MS }),
  );
  await Promise.all(aors.map((aor) => commit(store, aor, 1)));

  // Move the slot of shard 5 from its node to the next one, as `redis-cli --cluster reshard` does.
  const slot = SHARD_SLOTS[5] ?? 0;
  const links = cluster.nodes.map((node) => inspect(node));
  const ids = await Promise.all(links.map((link) => link.call('CLUSTER', 'MYID')));
  const from = Math.floor(slot / Math.ceil(16_384 / 3));
  const to = (from + 1) % 3;
  await links[to]?.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', String(ids[from]));
  await links[from]?.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', String(ids[to]));
  const moving = (await links[from]?.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000')) as string[];
  await links[from]?.call(
    'MIGRATE',
    ...['127.0.0.1', String(cluster.nodes[to]?.port), '', '0', '5000', 'KEYS', ...moving],
  );
  for (const link of links) await link.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', String(ids[to]));
  await commit(store, aors[5] ?? ('' as Aor), 2);
  expect(await cseqOf(store, aors[5] ?? ('' as Aor))).toBe(2);
  for (const link of links) link.disconnect();

  const dead = cluster.nodes[2];
  await dead?.kill();
  const start = performance.now();
  const during = await Promise.allSettled(aors.map((aor) => store.location.read(aor)));
  expect(performance.now() - start).toBeLessThan(TIMEOUT_MS * 3);
  const failed = during.filter((outcome) => outcome.status === 'rejected');
  expect(failed.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(SHARDS);
  for (const { reason } of failed) expect(reason).toBeInstanceOf(StoreUnavailable);

  await dead?.begin();
  await vi.waitFor(
    async () => {
      await Promise.all(aors.map((aor) => commit(store, aor, 3)));
    },
    { timeout: 20_000, interval: 100 },
  );

  dead?.pause();
  const stalled = await Promise.allSettled(aors.map((aor) => store.location.read(aor)));
  expect(stalled.filter(({ status }) => status === 'rejected')).toHaveLength(failed.length);
  const again = performance.now();
  await Promise.allSettled(aors.map((aor) => store.location.read(aor)));
  expect(performance.now() - again).toBeLessThan(TIMEOUT_MS);
  dead?.resume();
  await vi.waitFor(
    async () => {
      await Promise.all(aors.map((aor) => commit(store, aor, 4)));
    },
    { timeout: 20_000, interval: 100 },
  );
  await store.close();
  await cluster.stop();
}, 60_000);

test('K05 Sentinel: the primary dies, its replica takes over, what was replicated is there', async () => {
  const primary = await RedisProcess.start();
  const replica = await RedisProcess.start(['--replicaof', '127.0.0.1', String(primary.port)]);
  const sentinel = await RedisProcess.start(['--sentinel'], async (directory) => {
    const file = join(directory, 'sentinel.conf');
    await writeFile(file, `sentinel monitor main 127.0.0.1 ${String(primary.port)} 1\n`);
    await appendFile(
      file,
      'sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n',
    );
    return file;
  });
  const store = await connectStore({
    sentinel: { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'main' },
    commandTimeoutMs: TIMEOUT_MS,
  });
  await vi.waitUntil(() => store.ready(), { timeout: 10_000 });
  const behind = inspect(replica);
  const sentinelLink = inspect(sentinel);
  await vi.waitFor(
    async () => {
      const seen = await sentinelLink.call('SENTINEL', 'REPLICAS', 'main');
      expect(seen).toHaveLength(1);
      expect(await behind.info('replication')).toContain('master_link_status:up');
    },
    { timeout: 20_000, interval: 100 },
  );
  const [aor = '' as Aor] = aors;
  await commit(store, aor, 1);
  await vi.waitFor(async () => {
    expect(await behind.dbsize()).toBeGreaterThan(0);
  });
  await primary.kill();
  await expect(store.location.read(aor)).rejects.toThrow(StoreUnavailable);
  await vi.waitFor(() => commit(store, aor, 2), { timeout: 20_000, interval: 100 });
  expect(await cseqOf(store, aor)).toBe(2);
  behind.disconnect();
  sentinelLink.disconnect();
  await store.close();
  await Promise.all([primary, replica, sentinel].map((process) => process.stop()));
}, 90_000);
