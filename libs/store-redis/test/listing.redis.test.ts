import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleBinding } from '@rollcall/location/contract';
import type { Aor, ListingFilter } from '@rollcall/location';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const COUNT = 20_000;
const TOGETHER = 1000;
/** A call this long is a bad listing; what a crowded machine makes of a short one is not. */
const TOO_LONG_US = 10_000;

let redis: RedisProcess;
let store: Store;

beforeAll(async () => {
  redis = await RedisProcess.start();
  store = await untilReady(await connectStore({ url: redis.url, commandTimeoutMs: 10_000 }));
  for (let n = 0; n < COUNT; n += TOGETHER) {
    await Promise.all(Array.from({ length: TOGETHER }, (_, i) => register(n + i)));
  }
});
afterAll(async () => {
  await store.close();
  await redis.stop();
});

async function register(n: number): Promise<void> {
  const aor = `sip:u${String(n)}@${n % 100 === 0 ? 'few' : 'many'}.test` as Aor;
  const binding = sampleBinding(store.clock.now(), {
    source: `${n % 2 === 0 ? 'udp' : 'tcp'}:192.0.2.1:5060`,
    userAgent: n % 50 === 0 ? 'Rare Phone' : 'Common Phone',
  });
  const { version } = await store.location.read(aor);
  const changes = [{ kind: 'registered', binding }] as const;
  await store.location.commit({ aor, expectedVersion: version, bindings: [binding], changes });
}

async function walk(filter: ListingFilter): Promise<{ seen: Set<string>; pages: number }> {
  const seen = new Set<string>();
  let pages = 0;
  let cursor: string | undefined;
  do {
    const page = await store.location.list(filter, cursor, 500);
    for (const { aor } of page.items) seen.add(aor);
    pages += 1;
    ({ cursor } = page);
    // Others write meanwhile: refreshes, and AoRs that come.
    await Promise.all([register(pages), register(1_000_000 + pages)]);
  } while (cursor !== undefined);
  return { seen, pages };
}

test('A02 20,000 AoRs page by page while others write: each is there, and no page looks at more than it may', async () => {
  const behind = inspect(redis);
  await behind.config('RESETSTAT');
  const all = await walk({});
  for (let n = 0; n < COUNT; n += 97) {
    expect(all.seen).toContain(`sip:u${String(n)}@${n % 100 === 0 ? 'few' : 'many'}.test`);
  }
  expect(all.seen.size).toBeGreaterThanOrEqual(COUNT);
  expect([...(await walk({ domain: 'few.test' })).seen].length).toBeGreaterThanOrEqual(COUNT / 100);
  expect((await walk({ domain: 'none.test' })).seen.size).toBe(0);
  const rare = await walk({ userAgent: 'rare phone', transport: 'udp' });
  expect(rare.seen.size).toBeGreaterThanOrEqual(COUNT / 50);
  expect((await walk({ domain: 'many.test', prefix: 'u199' })).seen.size).toBeGreaterThan(100);

  // The mean says what a call costs; single calls of a crowded machine may be held up by others.
  const stats = await behind.info('commandstats');
  for (const command of ['evalsha', 'mget']) {
    const mean = Number(new RegExp(`cmdstat_${command}:.*usec_per_call=([\\d.]+)`).exec(stats)?.[1]);
    expect(mean, command).toBeGreaterThan(0);
    expect(mean, command).toBeLessThan(TOO_LONG_US);
  }
  behind.disconnect();
}, 60_000);
