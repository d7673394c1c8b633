import { expect, test } from 'vitest';
import { connectStore, Reshard } from '../../src/index.ts';
import { shardAmong } from '../../src/keys.ts';
import { currentLayout } from '../../src/layout.ts';
import { inspect, RedisProcess } from '../harness/redis-process.ts';
import { untilReady } from '../harness/until-ready.ts';
import { ReshardScene, withSubscriptions } from './reshard-scene.ts';

test('more shards, then fewer, while phones register: nothing acknowledged is lost, and all is where it belongs', async () => {
  const redis = await RedisProcess.start();
  const store = await untilReady(await connectStore({ url: redis.url }));
  const scene = new ReshardScene(store);
  await scene.fill();
  expect(currentLayout()).toEqual({ shards: 64, everShards: 64, generation: 1 });

  await withSubscriptions(store, 128, () => scene.reshard(128), shardAmong);
  expect(currentLayout()).toEqual({ shards: 128, everShards: 128, generation: 2 });
  // It was closed for a while, and no longer.
  expect(scene.refused).toBeGreaterThan(0);
  await scene.check();

  await scene.reshard(48);
  expect(currentLayout()).toEqual({ shards: 48, everShards: 128, generation: 3 });
  await scene.check();
  scene.stop();

  // Whoever starts now finds the layout, and a store that was emptied is given it back.
  const late = await untilReady(await connectStore({ url: redis.url }));
  expect(
    (await late.location.list({ domain: 'reshard.test' }, undefined, 1000)).items.length,
  ).toBeGreaterThan(100);
  const behind = inspect(redis);
  expect(await behind.keys('rc:*:moving')).toEqual([]);
  await late.close();
  await expect(new Reshard(store, () => undefined).run(0)).rejects.toThrow(RangeError);
  behind.disconnect();
  await store.close();
  await redis.stop();
}, 120_000);
