import { expect, test } from 'vitest';
import type { Subscription } from '@rollcall/events';
import { epochMs } from '@rollcall/kernel';
import type { FoundLease } from '@rollcall/location';
import { EdgeFinder } from '../src/edge-finder.ts';
import { recordRoute } from './harness/world.ts';

const lease = (leftMs: number): FoundLease => ({ id: 'e1', epoch: 1, inner: '127.0.0.1:7001', leftMs });

test.each([
  ['to the end of the lease', 700, 700],
  ['for two seconds of a longer one', 15_000, 2_000],
])('E11 where an edge is reached is believed %s', async (_, leftMs, believedMs) => {
  let now = 1_000_000;
  let found: FoundLease | undefined = lease(leftMs);
  const finder = new EdgeFinder({ find: () => Promise.resolve(found) }, { now: () => epochMs(now) });
  const subscription = { route: [recordRoute('u0-c0000201-5060')] } as unknown as Subscription;
  const hop = async () => (await finder.nextHop(subscription))?.port;
  expect(await hop()).toBe(7001);
  found = undefined;
  now += believedMs - 1;
  expect(await hop()).toBe(7001);
  now += 1;
  expect(await hop()).toBeUndefined();
});
