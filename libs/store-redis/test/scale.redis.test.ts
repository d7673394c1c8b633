import { expect, test } from 'vitest';
import { sampleBinding } from '@rollcall/location/contract';
import type { Aor } from '@rollcall/location';
import type { Redis } from 'ioredis';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const FEW = 5_000;
const MANY = 50_000;
const TOGETHER = 1000;
const PAGE = 50;
const SAMPLES = 200;

async function register(store: Store, n: number): Promise<void> {
  const aor = `sip:u${String(n)}@example.test` as Aor;
  const binding = sampleBinding(store.clock.now(), { id: `b${String(n)}` as never });
  const { version } = await store.location.read(aor);
  const changes = [{ kind: version === 0 ? 'registered' : 'refreshed', binding }] as const;
  await store.location.commit({ aor, expectedVersion: version, bindings: [binding], changes });
}

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += TOGETHER) {
    await Promise.all(Array.from({ length: TOGETHER }, (_, i) => register(store, n + i)));
  }
}

/** Commands that Redis ran meanwhile, those within scripts included; what runs by the clock is left out. */
async function commands(behind: Redis, work: () => Promise<void>): Promise<Record<string, number>> {
  await behind.config('RESETSTAT');
  await work();
  const ran: Record<string, number> = {};
  for (const [, name = '', calls] of (await behind.info('commandstats')).matchAll(
    /cmdstat_([^:]+):calls=(\d+)/g,
  )) {
    if (!/^(?:config|info|time|ping|client|hello|select|command|eval$)/.test(name)) ran[name] = Number(calls);
  }
  return ran;
}

test('P05 a refresh runs the same commands in Redis among 50,000 bindings as among 5,000, a page no more', async () => {
  const redis = await RedisProcess.start();
  const store = await untilReady(await connectStore({ url: redis.url, commandTimeoutMs: 10_000 }));
  const behind = inspect(redis);
  const refreshes = () =>
    commands(behind, async () => {
      for (let n = 0; n < SAMPLES; n += 1) await register(store, n);
    });
  const page = async () => {
    const ran = await commands(behind, async () => {
      const { items } = await store.location.list({ domain: 'example.test' }, undefined, PAGE);
      expect(items).toHaveLength(PAGE);
    });
    return Object.values(ran).reduce((sum, calls) => sum + calls, 0);
  };
  await fill(store, 0, FEW);
  const [fewRefreshes, fewPage] = [await refreshes(), await page()];
  await fill(store, FEW, MANY);
  const [manyRefreshes, manyPage] = [await refreshes(), await page()];
  expect(manyRefreshes).toEqual(fewRefreshes);
  expect(Object.keys(fewRefreshes).length).toBeGreaterThan(1);
  expect(manyPage).toBeLessThanOrEqual(fewPage);
  behind.disconnect();
  await store.close();
  await redis.stop();
}, 120_000);
