import { afterAll, beforeAll } from 'vitest';
import { messagesContract } from '@rollcall/location/contract';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

let redis: RedisProcess;
let store: Store;
let other: Store;

beforeAll(async () => {
  redis = await RedisProcess.start();
  store = await connectStore({ url: redis.url });
  other = await connectStore({ url: redis.url });
  await untilReady(store);
  await untilReady(other);
});
afterAll(async () => {
  await store.close();
  await other.close();
  await redis.stop();
});

messagesContract('redis', () =>
  Promise.resolve({ messages: store.messages, elsewhere: other.messages, now: () => store.clock.now() }),
);
