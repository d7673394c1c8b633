import { test } from 'vitest';
import { connectStore } from '../../src/index.ts';
import { shardAmong } from '../../src/keys.ts';
import { RedisClusterProcesses } from '../harness/redis-cluster.ts';
import { untilReady } from '../harness/until-ready.ts';
import { ReshardScene, withSubscriptions } from './reshard-scene.ts';

test('more shards in a Cluster while phones register: values go from node to node, nothing acknowledged is lost', async () => {
  const cluster = await RedisClusterProcesses.start();
  const store = await untilReady(await connectStore({ cluster: { nodes: cluster.endpoints } }));
  const scene = new ReshardScene(store);
  await scene.fill();
  await withSubscriptions(store, 96, () => scene.reshard(96), shardAmong);
  await scene.check();
  scene.stop();
  await store.close();
  await cluster.stop();
}, 120_000);
