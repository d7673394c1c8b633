import { locationContract } from '@rollcall/location/contract';
import { connectStore } from '../src/index.ts';
import { RedisClusterProcesses } from './harness/redis-cluster.ts';
import { RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

locationContract('Redis', async () => {
  const redis = await RedisProcess.start();
  const store = await untilReady(await connectStore({ url: redis.url }));
  return {
    store: store.location,
    clock: store.clock,
    close: async () => {
      await store.close();
      await redis.stop();
    },
  };
});

locationContract('Redis Cluster', async () => {
  const cluster = await RedisClusterProcesses.start();
  const store = await untilReady(await connectStore({ cluster: { nodes: cluster.endpoints } }));
  return {
    store: store.location,
    clock: store.clock,
    close: async () => {
      await store.close();
      await cluster.stop();
    },
  };
});
