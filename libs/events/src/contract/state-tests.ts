import { expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Publication, SubscriptionId } from '../model.ts';
import { freshResource } from './samples.ts';
import type { Open } from './under-test.ts';
import { stored, takeFor } from './under-test.ts';

export function documentTests(open: Open): void {
  test('rules are replaced, read with the state, told to watchers, and taken away', async () => {
    const { store, other } = await open();
    const { resource } = await stored(open);
    expect(await store.readRules(resource)).toEqual({ version: 0, rules: [] });
    const rules = [{ watcher: 'sip:b\u00e9a@example.test', action: 'polite-block' as const }];
    await store.putRules(resource, rules);
    const read = await other.readRules(resource);
    expect(read.rules).toEqual(rules);
    expect(await other.readState(resource, ['rules'])).toEqual({ resource, rules: read });
    const { mine } = await takeFor(store, resource);
    expect(mine.map(({ source }) => source)).toEqual(['rules']);
    await store.done(store.shardOf(resource), [mine[0]?.cursor ?? '']);
    await store.putRules(resource, []);
    expect(await other.readRules(resource)).toEqual({ version: 0, rules: [] });
    const after = (await takeFor(store, resource)).mine;
    await store.done(store.shardOf(resource), [after[0]?.cursor ?? '']);
  });

  test('lists are kept, listed in order, told to their subscribers, and removed', async () => {
    const { store, other } = await open();
    const { resource } = await stored(open);
    const list = {
      name: 'Fr\u00e9unde',
      entries: [{ uri: freshResource(), name: 'A' }],
      watchers: ['sip:a@b'],
    };
    await store.putList(resource, list);
    expect(await other.readList(resource)).toMatchObject(list);
    expect(await other.lists(undefined, 1_000)).toContain(resource);
    expect(await other.lists(resource, 1_000)).not.toContain(resource);
    const { mine } = await takeFor(store, resource);
    expect(mine.map(({ source }) => source)).toEqual(['list']);
    await store.done(store.shardOf(resource), [mine[0]?.cursor ?? '']);
    expect(await other.removeList(resource)).toBe(true);
    expect(await store.removeList(resource)).toBe(false);
    expect(await store.readList(resource)).toBeUndefined();
    expect(await store.lists(undefined, 1_000)).not.toContain(resource);
    const after = (await takeFor(store, resource)).mine;
    await store.done(store.shardOf(resource), [after[0]?.cursor ?? '']);
  });

  test('a list that came with a subscription is kept under its id', async () => {
    const { store, other, clock } = await open();
    const { subscription } = await stored(open);
    const entries = [{ uri: freshResource() }, { uri: freshResource(), name: 'B' }];
    expect(await store.readAdhoc(subscription.id)).toBeUndefined();
    const until = epochMs(clock.now() + 60_000);
    await store.keepAdhoc(subscription.id, entries, until);
    await other.keepAdhoc(subscription.id, undefined, until);
    expect((await other.readAdhoc(subscription.id))?.entries).toEqual(entries);
  });

  test('a subscription of another shard watches an entry, and is read with others', async () => {
    const { store, other, clock, changeLocation } = await open();
    const { subscription } = await stored(open);
    const { subscription: second } = await stored(open);
    const entry = freshResource();
    await store.watch(entry, subscription.id, epochMs(clock.now() + 60_000));
    expect(await other.watchers(entry)).toEqual([subscription.id]);
    await changeLocation(entry, 'registered');
    const { mine } = await takeFor(other, entry);
    expect(mine).toHaveLength(1);
    await store.done(store.shardOf(entry), [mine[0]?.cursor ?? '']);
    const read = await store.readMany([subscription.id, second.id]);
    expect(read.map((each) => each?.subscription)).toEqual([subscription, second]);
    await store.unwatch(entry, subscription.id);
    expect(await other.watchers(entry)).toEqual([]);
  });

  test('what a watcher subscribes to is found under the watcher, page by page', async () => {
    const { store, other, clock } = await open();
    const watcher = freshResource();
    const ids = (await Promise.all([stored(open), stored(open), stored(open)])).map(
      ({ subscription }) => subscription.id,
    );
    for (const id of ids) await store.index(watcher, id, epochMs(clock.now() + 60_000));
    const sorted = [...ids].sort();
    expect(await other.watchesOf(watcher)).toEqual(sorted);
    expect(await other.watchesOf(watcher, sorted[0], 1)).toEqual([sorted[1]]);
    await store.index(watcher, sorted[0] as SubscriptionId, undefined);
    expect(await other.watchesOf(watcher)).toHaveLength(2);
  });
}

export function stateTests(open: Open): void {
  const publication = (at: number, change: Partial<Publication> = {}): Publication => ({
    etag: 'e1',
    package: 'presence',
    expiresAt: epochMs(at),
    body: 't1\t<status><basic>open</basic></status>\u00e9',
    ...change,
  });

  test('a publication is read back, told to watchers, and refused upon another version', async () => {
    const { store, other, clock } = await open();
    const { resource } = await stored(open);
    const publications = [
      publication(clock.now() + 60_000),
      publication(clock.now() + 60_000, { etag: 'e2' }),
    ];
    const commit = { resource, expectedVersion: 0, publications, changed: true };
    const outcome = await store.commitPublications(commit);
    expect(outcome).toMatchObject({ kind: 'committed' });
    const set = await other.readPublications(resource);
    expect(set.publications).toEqual(publications);
    expect(await other.commitPublications(commit)).toEqual({ kind: 'conflict', current: set });
    const { mine } = await takeFor(store, resource);
    expect(mine.map((entry) => entry.source)).toEqual(['publications']);
    await store.done(
      store.shardOf(resource),
      mine.map((entry) => entry.cursor),
    );
    const state = await other.readState(resource, ['location', 'publications']);
    expect(state).toEqual({ resource, location: { version: 0, bindings: [] }, publications: set });
  });

  test('the packages that changed come with the entry', async () => {
    const { store, clock } = await open();
    const { resource } = await stored(open);
    const publications = [publication(clock.now() + 60_000, { package: 'dialog' })];
    const packages = ['dialog', 'presence'];
    await store.commitPublications({ resource, expectedVersion: 0, publications, changed: true, packages });
    const { mine } = await takeFor(store, resource);
    expect(mine).toMatchObject([{ source: 'publications', packages }]);
    await store.done(store.shardOf(resource), [mine[0]?.cursor ?? '']);
  });

  test('a refreshed publication is no change', async () => {
    const { store, clock } = await open();
    const { resource } = await stored(open);
    const publications = [publication(clock.now() + 60_000)];
    await store.commitPublications({ resource, expectedVersion: 0, publications, changed: false });
    expect((await takeFor(store, resource)).mine).toEqual([]);
  });

  test('a lapsed publication makes work, until the set is committed without it', async () => {
    const { store, clock } = await open();
    const resource = freshResource();
    const publications = [publication(clock.now() - 1)];
    await store.commitPublications({ resource, expectedVersion: 0, publications, changed: false });
    expect((await takeFor(store, resource)).work.lapsed).toContain(resource);
    const { version } = await store.readPublications(resource);
    await store.commitPublications({ resource, expectedVersion: version, publications: [], changed: true });
    expect(await store.readPublications(resource)).toEqual({ version: 0, publications: [] });
  });

  test('a mailbox is read back and told to watchers', async () => {
    const { store, other } = await open();
    const { resource } = await stored(open);
    const mailbox = {
      account: resource,
      counts: { 'voice-message': { fresh: 2, old: 8, urgentFresh: 1, urgentOld: 0 } },
    };
    await store.putMailbox(resource, mailbox);
    expect(await other.readMailbox(resource)).toEqual(mailbox);
    expect(await other.readState(resource, ['mailbox'])).toEqual({ resource, mailbox });
    const { mine } = await takeFor(store, resource);
    expect(mine.map((entry) => entry.source)).toEqual(['mailbox']);
    await store.done(
      store.shardOf(resource),
      mine.map((entry) => entry.cursor),
    );
    await store.putMailbox(resource, undefined);
    expect(await other.readMailbox(resource)).toBeUndefined();
  });
}
