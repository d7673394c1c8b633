import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { sampleSubscription } from '@rollcall/events/contract';
import type { Aor, Binding, BindingId } from '@rollcall/location';
import { connectStore } from '../src/index.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';

const BINDINGS = 100_000;
const LIMIT_BYTES = 600;
const TOGETHER = 1000;
const SUBSCRIPTIONS = 30_000;
const SUBSCRIPTION_LIMIT_BYTES = 1_100;

/** A phone as phones are: Call-ID of 30 characters, a Path of ours of 75. */
function phone(n: number, now: number): { aor: Aor; binding: Binding } {
  const user = `u${String(n).padStart(5, '0')}`;
  const port = String(20_000 + (n % 40_000));
  return {
    aor: `sip:${user}@example.test` as Aor,
    binding: {
      id: `b${String(n).padStart(5, '0')}k3v9fQ` as BindingId,
      contact: `sip:${user}@127.0.0.1:${port}`,
      params: '',
      callId: `${String(n).padStart(5, '0')}-0123456789@127.0.0.1:555`.padEnd(30, 'x'),
      cseq: 2,
      path: [`<sip:e1~mabc123~u0-7f000001-${port}~Zk3v9fQ2x1AbC${user}@127.0.0.1:15500;lr;ob>`],
      userAgent: 'Acme Softphone 5.4.2',
      source: `udp:127.0.0.1:${port}`,
      registeredAt: epochMs(now),
      refreshedAt: epochMs(now),
      expiresAt: epochMs(now + 3_600_000),
    },
  };
}

const usedMemory = async (redis: Redis): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);

test('P04 a binding takes at most 600 bytes of Redis at 100,000 bindings, all included', async () => {
  const redis = await RedisProcess.start();
  const store = await connectStore({ url: redis.url, commandTimeoutMs: 10_000 });
  const behind = inspect(redis);
  const before = await usedMemory(behind);
  for (let n = 0; n < BINDINGS; n += TOGETHER) {
    const commits = Array.from({ length: TOGETHER }, (_, i) => {
      const { aor, binding } = phone(n + i, store.clock.now());
      const changes = [{ kind: 'registered', binding }] as const;
      return store.location.commit({ aor, expectedVersion: 0, bindings: [binding], changes, actor: aor });
    });
    await Promise.all(commits);
  }
  const each = ((await usedMemory(behind)) - before) / BINDINGS;
  console.log(`${each.toFixed(0)} bytes of Redis for each of ${String(BINDINGS)} bindings`);
  expect(await behind.dbsize()).toBeGreaterThan(BINDINGS);
  expect(each).toBeLessThan(LIMIT_BYTES);
  // Every record has a time to live: what no sweeper ever sees goes by itself.
  expect(await behind.pttl((await behind.keys('rc:*:r:sip:u00001@*'))[0] ?? '')).toBeGreaterThan(3_600_000);
  behind.disconnect();
  await store.close();
  await redis.stop();
}, 120_000);

test('P04 a subscription takes at most 1,100 bytes of Redis, all included', async () => {
  const redis = await RedisProcess.start();
  const store = await connectStore({ url: redis.url, commandTimeoutMs: 10_000 });
  const behind = inspect(redis);
  const { events } = store;
  const before = await usedMemory(behind);
  for (let n = 0; n < SUBSCRIPTIONS; n += TOGETHER) {
    const commits = Array.from({ length: TOGETHER }, (_, i) => {
      const resource = `sip:u${String(n + i).padStart(5, '0')}@example.test` as Aor;
      const next = sampleSubscription(resource, events.shardOf(resource), store.clock.now());
      return events.commit({ id: next.id, resource, expectedVersion: 0, next });
    });
    await Promise.all(commits);
  }
  const each = ((await usedMemory(behind)) - before) / SUBSCRIPTIONS;
  console.log(`${each.toFixed(0)} bytes of Redis for each of ${String(SUBSCRIPTIONS)} subscriptions`);
  expect(await behind.dbsize()).toBeGreaterThan(SUBSCRIPTIONS);
  expect(each).toBeLessThan(SUBSCRIPTION_LIMIT_BYTES);
  behind.disconnect();
  await store.close();
  await redis.stop();
}, 120_000);
