import { expect, test } from 'vitest';
import type { SubscriptionId } from '../model.ts';
import type { WatcherChange } from '../watchers.ts';
import { freshResource, sampleSubscription } from './samples.ts';
import type { Open } from './under-test.ts';
import { stored, takeFor } from './under-test.ts';

export function subscriptionTests(open: Open): void {
  test('one that was never stored is not there', async () => {
    const { store } = await open();
    expect(await store.read('1.AAAAAAAAAAAAAAAA' as SubscriptionId)).toBeUndefined();
  });

  test('what is committed is read back by any replica, octet for octet', async () => {
    const { store, other } = await open();
    const odd = { localUri: 'sip:%61|{}"\u00e9\u00ff@example.test', eventId: 'a b', route: [] as string[] };
    const { resource, subscription, version } = await stored(open, odd);
    expect(await other.read(subscription.id)).toEqual({ version, subscription });
    expect(await store.readMany([subscription.id, `${store.shardOf(resource)}.A` as SubscriptionId])).toEqual(
      [{ version, subscription }, undefined],
    );
    expect(await other.watchers(resource)).toEqual([subscription.id]);
  });

  test('of two commits upon one version one wins, and the other is told what there is', async () => {
    const { store, other } = await open();
    const { resource, subscription, version } = await stored(open);
    const commit = (cseq: number) => ({
      id: subscription.id,
      resource,
      expectedVersion: version,
      next: { ...subscription, localCseq: cseq },
    });
    const outcomes = await Promise.all([store.commit(commit(101)), other.commit(commit(201))]);
    expect(outcomes.map((each) => each.kind).sort()).toEqual(['committed', 'conflict']);
    const loser = outcomes.find((each) => each.kind === 'conflict');
    expect(loser).toMatchObject({ current: await store.read(subscription.id) });
  });

  test('a removed one is gone, from the watchers too, and a late commit cannot bring it back', async () => {
    const { store } = await open();
    const { resource, subscription, version } = await stored(open);
    const removal = { id: subscription.id, resource, expectedVersion: version, next: undefined };
    expect(await store.commit(removal)).toMatchObject({ kind: 'committed' });
    expect(await store.read(subscription.id)).toBeUndefined();
    expect(await store.watchers(resource)).toEqual([]);
    const late = await store.commit({ ...removal, next: subscription });
    expect(late).toEqual({ kind: 'conflict', current: undefined });
  });

  test('watchers come in the order of their ids', async () => {
    const { store, clock } = await open();
    const resource = freshResource();
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const next = sampleSubscription(resource, store.shardOf(resource), clock.now());
      ids.push(next.id);
      await store.commit({ id: next.id, resource, expectedVersion: 0, next });
    }
    const sorted = [...ids].sort();
    expect(await store.watchers(resource)).toEqual(sorted);
    expect(await store.watchers(resource, sorted[1] as SubscriptionId, 2)).toEqual(sorted.slice(2, 4));
  });
}

export function watcherTests(open: Open): void {
  const watching: WatcherChange = {
    id: '1.AAAAAAAAAAAAAAAA' as SubscriptionId,
    package: 'presence',
    watcher: 'sip:b\u00e9a@example.test',
    from: undefined,
    to: 'active',
    event: 'subscribe',
  };

  test('a watcher that comes or goes is told where somebody watches the watchers', async () => {
    const { store, other } = await open();
    const { resource, subscription, version } = await stored(open, { package: 'presence.winfo' });
    const next = { ...subscription, localCseq: 101 };
    await store.commit({ id: subscription.id, resource, expectedVersion: version, next, watching });
    const { mine } = await takeFor(other, resource);
    expect(mine).toMatchObject([{ resource, source: 'watchers', changes: [], watching }]);
    await store.done(store.shardOf(resource), [mine[0]?.cursor ?? '']);
    const state = await other.readState(resource, ['watchers']);
    expect(state).toEqual({ resource, watchers: [next] });
  });

  test('and makes no work where nobody does, or when the commit conflicts', async () => {
    const { store } = await open();
    const { resource, subscription, version } = await stored(open);
    const commit = { id: subscription.id, resource, next: subscription, watching };
    await store.commit({ ...commit, expectedVersion: version });
    expect((await takeFor(store, resource)).mine).toEqual([]);
    const watched = await stored(open, { package: 'presence.winfo' });
    await store.commit({ ...commit, ...watched, id: watched.subscription.id, expectedVersion: 7 });
    expect((await takeFor(store, watched.resource)).mine).toEqual([]);
  });
}
