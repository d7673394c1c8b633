import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { DEAD_LETTERS_KEPT, MAX_WEBHOOKS, MemoryWebhooks } from '@rollcall/location';
import type { Webhook, Webhooks } from '@rollcall/location';
import { connectStore } from '../src/index.ts';
import { RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const clock = { now: () => epochMs(Date.now()) };
const LONG_MS = 60_000;
const hook = (id: string, facts: Partial<Webhook> = {}): Webhook => ({
  ...{ id, url: 'https://a.example.test/ü', secret: 's', enabled: true, createdAt: epochMs(1) },
  ...facts,
});

async function onRedis(check: (webhooks: Webhooks) => Promise<void>): Promise<void> {
  const redis = await RedisProcess.start();
  const store = await untilReady(await connectStore({ url: redis.url }));
  await check(store.webhooks).finally(() => store.close());
  await redis.stop();
}

describe.each([
  ['in memory', (check: (webhooks: Webhooks) => Promise<void>) => check(new MemoryWebhooks(clock))],
  ['in Redis', onRedis],
])('A09 webhooks %s', (_, on) => {
  test('A09 are kept as they are, up to their bound', () =>
    on(async (webhooks) => {
      const one = hook('a', { kinds: ['expired'], domain: 'example.test', enabled: false });
      expect(await webhooks.put(one)).toBe(true);
      expect(await webhooks.find('a')).toEqual(one);
      for (let n = 1; n < MAX_WEBHOOKS; n += 1) await webhooks.put(hook(`b${String(n).padStart(3, '0')}`));
      expect(await webhooks.put(hook('c'))).toBe(false);
      expect(await webhooks.put(hook('a'))).toBe(true);
      expect(await webhooks.list()).toHaveLength(MAX_WEBHOOKS);
      expect([await webhooks.remove('a'), await webhooks.remove('a')]).toEqual([true, false]);
      expect(await webhooks.find('a')).toBeUndefined();
    }));

  test('A09 one holder at a time moves the position on, and nobody that of a webhook that is gone', () =>
    on(async (webhooks) => {
      await webhooks.put(hook('a'));
      expect(await webhooks.position('a')).toBeUndefined();
      expect(await webhooks.hold('a', 'x', LONG_MS)).toBe(true);
      expect(await webhooks.hold('a', 'x', LONG_MS)).toBe(true);
      expect(await webhooks.hold('a', 'y', LONG_MS)).toBe(false);
      expect(await webhooks.moveOn('a', 'y', '1')).toBe(false);
      expect(await webhooks.moveOn('a', 'x', '2')).toBe(true);
      expect(await webhooks.position('a')).toBe('2');
      await webhooks.release('a', 'y');
      expect(await webhooks.hold('a', 'y', LONG_MS)).toBe(false);
      await webhooks.release('a', 'x');
      expect(await webhooks.hold('a', 'y', LONG_MS)).toBe(true);
      await webhooks.remove('a');
      expect(await webhooks.moveOn('a', 'y', '3')).toBe(false);
      expect(await webhooks.position('a')).toBeUndefined();
    }));

  test('A09 dead letters are listed newest first, and bounded', () =>
    on(async (webhooks) => {
      await webhooks.put(hook('a'));
      for (let n = 0; n < 5; n += 1)
        await webhooks.bury('a', { body: `ä${n}`, attempts: n, reason: 'timeout' });
      const first = await webhooks.deadLetters('a', undefined, 3);
      expect(first.items.map(({ body, attempts }) => [body, attempts])).toEqual([['ä4', 4], ['ä3', 3], ['ä2', 2]]); // prettier-ignore
      const rest = await webhooks.deadLetters('a', first.cursor, 3);
      expect(rest.items.map(({ body }) => body)).toEqual(['ä1', 'ä0']);
      expect(rest.cursor).toBeUndefined();
      for (let n = 0; n < DEAD_LETTERS_KEPT * 1.5; n += 1)
        await webhooks.bury('a', { body: '', attempts: 1, reason: 'x' });
      const all = await webhooks.deadLetters('a', undefined, DEAD_LETTERS_KEPT * 2);
      // Redis trims its streams by whole nodes.
      expect(all.items.length).toBeLessThan(DEAD_LETTERS_KEPT * 1.2);
    }));
});
