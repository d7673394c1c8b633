import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { commitOnce, sampleBinding } from '@rollcall/location/contract';
import type { Aor } from '@rollcall/location';
import { connectStore, Repair } from '../../src/index.ts';
import type { RepairReport, Store } from '../../src/index.ts';
import { indexMember, keys, shardOf } from '../../src/keys.ts';
import { inspect, RedisProcess } from '../harness/redis-process.ts';
import { untilReady } from '../harness/until-ready.ts';

const aor = (n: number): Aor => `sip:u${String(n)}@repair.test` as Aor;
const COUNT = 300;

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

const register = (n: number): Promise<number> =>
  commitOnce(store.location, aor(n), 0, [sampleBinding(store.clock.now())]);

async function damage(): Promise<Readonly<Record<string, number>>> {
  const due = (n: number): string => keys.due(shardOf(aor(n)), aor(n));
  const index = (n: number): string => keys.index(shardOf(aor(n)), aor(n));
  const record = (n: number): string => keys.record(shardOf(aor(n)), aor(n));
  await behind.zrem(due(1), aor(1));
  await behind.zadd(due(2), Date.now() + 9e9, aor(2));
  await behind.zrem(index(3), indexMember(aor(3)));
  await behind.persist(record(4));
  await behind.set(record(5), '9from the future', 'KEEPTTL');
  await behind.del(record(6));
  await behind.rpush(record(6), 'damage');
  await behind.del(record(7));
  const ghost = aor(9999);
  await behind.zadd(keys.index(shardOf(ghost), ghost), 0, indexMember(ghost));
  // A record where nobody looks for it: taken home, and an older one that is not needed any more.
  const elsewhere = (n: number): string => keys.record((shardOf(aor(n)) + 1) % 64, aor(n));
  await behind.rename(record(8), elsewhere(8));
  await behind.copy(record(9), elsewhere(9));
  const stream = keys.changes(shardOf(aor(10)));
  await behind.del(stream);
  await behind.set(stream, 'damage');
  return {
    'not-due': 1,
    'due-late': 1,
    'not-indexed': 1,
    forever: 1,
    unreadable: 2,
    misplaced: 2,
    'wrong-type': 1,
  };
}

test('repair names what is wrong and writes nothing; with fix it is mended, and REGISTERs go on meanwhile', async () => {
  for (let n = 0; n < COUNT; n += 1) await register(n);
  expect(await new Repair(store, false).run()).toEqual({ records: COUNT, faults: {} });
  const damaged = await damage();

  const found = await new Repair(store, false).run();
  // The AoRs of records 7 and 8 are in the sets without a record; the ghost is in the index alone.
  expect(found.faults).toEqual({ ...damaged, 'due-without-record': 2, 'indexed-without-record': 3 });
  expect(await new Repair(store, false).run()).toEqual(found);

  const told: string[] = [];
  const writing = { on: true };
  const written = (async () => {
    for (let n = COUNT; writing.on; n += 1) await register(n);
  })();
  await new Repair(store, true, (fault, what) => told.push(`${fault} ${what}`)).run();
  writing.on = false;
  await written;
  expect(told).toContain(`unreadable ${aor(5)}`);

  const clean: RepairReport = await new Repair(store, false).run();
  expect(clean.faults).toEqual({});
  for (const n of [1, 2, 3, 4, 8, 9, 10]) {
    expect((await store.location.read(aor(n))).bindings, String(n)).toHaveLength(1);
  }
  for (const n of [5, 6, 7]) {
    expect((await store.location.read(aor(n))).bindings, String(n)).toEqual([]);
    expect(await register(n)).toBeGreaterThan(0);
  }
  expect(await behind.pttl(keys.record(shardOf(aor(4)), aor(4)))).toBeGreaterThan(0);
});

test('a store of before there was an index gets one', async () => {
  const sets = await behind.keys('rc:*:aors:*');
  await behind.del(...sets);
  expect((await store.location.list({}, undefined, 10)).items).toEqual([]);
  const { faults } = await new Repair(store, true).run();
  expect(faults['not-indexed']).toBeGreaterThan(COUNT - 10);
  expect(
    (await store.location.list({ domain: 'repair.test', prefix: 'u1' }, undefined, 1000)).items.length,
  ).toBeGreaterThan(100);
});
