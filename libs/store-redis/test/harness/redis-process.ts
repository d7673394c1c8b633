import { Redis } from 'ioredis';
import { afterAll } from 'vitest';
import { RedisProcess } from '@rollcall/test-redis';

export { freePort, RedisProcess } from '@rollcall/test-redis';

afterAll(() => RedisProcess.stopAll());

/** A plain connection, for looking behind the store's back; the caller disconnects it. */
export const inspect = (server: RedisProcess): Redis =>
  new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: 3 });
