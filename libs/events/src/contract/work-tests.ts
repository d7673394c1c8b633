import { expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { WORK_LEASE_MS } from '../ports.ts';
import type { PublicationClaims } from '../ports.ts';
import { freshResource, sampleSubscription } from './samples.ts';
import type { Open } from './under-test.ts';
import { stored, takeFor } from './under-test.ts';

export function dirtyTests(open: Open): void {
  test('a change of a watched resource is given to one replica, with what happened and the trace', async () => {
    const { store, other, changeLocation } = await open();
    const { resource } = await stored(open);
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const change = await changeLocation(resource, 'registered', trace);
    const taken = await Promise.all([takeFor(store, resource), takeFor(other, resource)]);
    const entries = taken.flatMap(({ mine }) => mine);
    expect(entries).toEqual([
      { cursor: expect.any(String) as string, resource, source: 'location', changes: [change], trace },
    ]);
    await store.done(store.shardOf(resource), [entries[0]?.cursor ?? '']);
  });

  test('what changed and is watched by nobody makes no work', async () => {
    const { store, changeLocation } = await open();
    const resource = freshResource();
    await changeLocation(resource, 'registered');
    expect((await takeFor(store, resource)).mine).toEqual([]);
  });

  test('an entry that its taker did not finish is given to another after the lease, one that is done is not', async () => {
    const { store, other, changeLocation, pass } = await open();
    const { resource } = await stored(open);
    await changeLocation(resource, 'registered');
    const first = (await takeFor(store, resource)).mine;
    expect(first).toHaveLength(1);
    expect((await takeFor(other, resource)).mine).toEqual([]);
    await pass(WORK_LEASE_MS + 100);
    const second = (await takeFor(other, resource)).mine;
    expect(second).toEqual(first);
    await other.done(other.shardOf(resource), [second[0]?.cursor ?? '']);
    await pass(WORK_LEASE_MS + 100);
    expect((await takeFor(store, resource)).mine).toEqual([]);
  });

  test('only what is new, when only that is asked for', async () => {
    const { store, changeLocation, clock, pass } = await open();
    const { resource, subscription } = await stored(open, {
      delivery: 'inFlight',
      until: epochMs(clock.now() - 1),
    });
    await changeLocation(resource, 'registered');
    const take = async (onlyNew: boolean) => {
      const { dirty, due } = await store.take(store.shardOf(resource), 100, onlyNew);
      return {
        dirty: dirty.filter((entry) => entry.resource === resource),
        due: due.filter((id) => id === subscription.id),
      };
    };
    expect(await take(true)).toMatchObject({ dirty: [{ resource }], due: [] });
    await pass(WORK_LEASE_MS + 100);
    expect(await take(true)).toEqual({ dirty: [], due: [] });
    const { dirty, due } = await take(false);
    expect([dirty.length, due.length]).toEqual([1, 1]);
    await store.done(store.shardOf(resource), [dirty[0]?.cursor ?? '']);
  });

  test('the bell rings for the shard', async () => {
    const { store, other, changeLocation } = await open();
    const { resource } = await stored(open);
    const rung = new Promise<number>((resolve) => {
      const stop = other.onBell((shard) => {
        if (shard !== store.shardOf(resource)) return;
        stop();
        resolve(shard);
      });
    });
    await changeLocation(resource, 'registered');
    expect(await rung).toBe(store.shardOf(resource));
    const { mine } = await takeFor(store, resource);
    await store.done(
      store.shardOf(resource),
      mine.map((entry) => entry.cursor),
    );
  });
}

export function dueTests(open: Open): void {
  test('a subscription is due at the end of its claim, to one replica at a time', async () => {
    const { store, other, clock } = await open();
    const past = epochMs(clock.now() - 1);
    const { resource, subscription, version } = await stored(open, { delivery: 'inFlight', until: past });
    const taken = await Promise.all([takeFor(store, resource), takeFor(other, resource)]);
    expect(taken.flatMap(({ work }) => work.due).filter((id) => id === subscription.id)).toHaveLength(1);
    await store.rearm(subscription.id);
    expect((await takeFor(other, resource)).work.due).toContain(subscription.id);
    await store.rearm(subscription.id);
    await store.commit({ id: subscription.id, resource, expectedVersion: version, next: undefined });
    await store.rearm(subscription.id);
    expect((await takeFor(other, resource)).work.due).not.toContain(subscription.id);
  });

  test('one that is settled is not due before it expires', async () => {
    const { store } = await open();
    const { resource, subscription } = await stored(open);
    expect((await takeFor(store, resource)).work.due).not.toContain(subscription.id);
  });
}

export function settleTests(open: Open): void {
  test('many at once, each by itself: those that conflict are told what there is', async () => {
    const { store, other } = await open();
    const made = await Promise.all(Array.from({ length: 40 }, () => stored(open)));
    const commits = made.map(({ resource, subscription, version }, n) => ({
      id: subscription.id,
      resource,
      expectedVersion: n === 7 ? version - 1 : version,
      next: n === 8 ? undefined : { ...subscription, localCseq: 200 },
    }));
    const outcomes = await store.settle(commits);
    expect(outcomes.map(({ kind }, n) => (kind === 'conflict' ? n : -1)).filter((n) => n >= 0)).toEqual([7]);
    const current = { version: made[7]?.version, subscription: made[7]?.subscription };
    expect(outcomes[7]).toEqual({ kind: 'conflict', current });
    const read = await other.readMany(commits.map(({ id }) => id));
    expect(read.map((each) => each?.subscription.localCseq)).toEqual(
      commits.map((_, n) => (n === 7 ? 100 : n === 8 ? undefined : 200)),
    );
    outcomes.forEach((outcome, n) => {
      if (outcome.kind === 'committed' && n !== 8) expect(read[n]?.version).toBe(outcome.version);
    });
  });

  test('a SUBSCRIBE commits and reads; under other rules it changes nothing and is told them', async () => {
    const { store, other, clock } = await open();
    const resource = freshResource();
    const next = sampleSubscription(resource, store.shardOf(resource), clock.now());
    const commit = {
      id: next.id,
      resource,
      expectedVersion: 0,
      next,
      sources: ['location', 'mailbox'] as const,
    };
    await other.putRules(resource, [{ watcher: '*', action: 'confirm' }]);
    const rules = await store.readRules(resource);
    expect(await store.subscribe({ ...commit, rules: 0 })).toEqual({ kind: 'rules', rules });
    expect(await store.read(next.id)).toBeUndefined();
    await store.putMailbox(resource, { counts: { 'voice-message': { fresh: 1, old: 2 } } });
    const outcome = await store.subscribe({ ...commit, rules: rules.version });
    expect(outcome).toMatchObject({
      kind: 'committed',
      state: {
        location: { version: 0, bindings: [] },
        mailbox: { counts: { 'voice-message': { fresh: 1 } } },
      },
    });
    expect(await other.watchers(resource)).toEqual([next.id]);
    expect(await store.subscribe({ ...commit, rules: 0 })).toMatchObject({ kind: 'conflict' });
    expect(await store.subscribe(commit)).toMatchObject({
      kind: 'conflict',
      current: { subscription: next },
    });
  });

  test('who publishes for few watchers is to tell them; if that is not done another is told so after the lease', async () => {
    const { store, other, clock, pass } = await open();
    const { resource, subscription, version } = await stored(open);
    const publish = async (expectedVersion: number) =>
      store.commitPublications({ resource, expectedVersion, publications: [], changed: true, tells: 2 });
    const outcome = await publish(0);
    const telling = outcome.kind === 'committed' ? outcome.telling : undefined;
    expect(telling).toMatchObject({ watchers: [subscription.id], location: { version: 0, bindings: [] } });
    expect((await takeFor(other, resource)).mine).toEqual([]);
    const untold = async () =>
      (await takeFor(other, resource)).work.untold.filter((duty) => duty.resource === resource);
    expect(await untold()).toEqual([]);
    await pass(WORK_LEASE_MS + 100);
    const [duty] = await untold();
    expect(duty).toBeDefined();
    const commit = { id: subscription.id, resource, expectedVersion: version, next: subscription };
    // The first one's duty is another's now; the other's is done with the claim.
    await store.settle([commit], telling?.duty);
    await pass(WORK_LEASE_MS + 100);
    const [again] = await untold();
    expect(again).toBeDefined();
    await other.settle([], again);
    await pass(WORK_LEASE_MS + 100);
    expect(await untold()).toEqual([]);
    expect(clock.now()).toBeGreaterThan(0);
  });

  test('all watchers are claimed with the publication, or none of them and there is a duty', async () => {
    const { store, other, clock, pass } = await open();
    const { resource, subscription, version } = await stored(open);
    const { id } = subscription;
    let published = 0;
    const publish = async (claims: PublicationClaims, changed = true) => {
      const publication = {
        etag: 'e1',
        package: 'presence',
        expiresAt: epochMs(clock.now() + 60_000),
        body: 'x',
      };
      const commit = {
        resource,
        expectedVersion: published,
        publications: [publication],
        changed,
        tells: 2,
        claims,
      };
      const outcome = await store.commitPublications(commit);
      if (outcome.kind !== 'committed') throw new Error('a publication conflicts');
      published = outcome.version;
      await store.settle([], outcome.telling?.duty);
      return outcome;
    };
    const next = (cseq: number) => ({
      ...subscription,
      localCseq: cseq,
      delivery: 'inFlight' as const,
      until: epochMs(clock.now() + 1_000),
    });
    const claim = (expectedVersion: number, cseq: number) => ({
      watchers: [id],
      location: 0,
      commits: [{ id, resource, expectedVersion, next: next(cseq), holds: false }],
    });
    const first = await publish(claim(version, 101));
    expect(first.telling).toBeUndefined();
    const claimed = await other.read(id);
    expect(claimed).toMatchObject({ version: first.told?.[0], subscription: { localCseq: 101 } });
    expect(claimed?.version).toBeGreaterThan(version);
    const now = claimed?.version ?? 0;
    const untouched = async (claims: PublicationClaims): Promise<void> => {
      const { told, telling } = await publish(claims);
      expect(told).toBeUndefined();
      expect(telling?.watchers).toContain(id);
      expect(await other.read(id)).toEqual(claimed);
    };
    await untouched(claim(version, 102));
    await untouched({ ...claim(now, 102), watchers: [] });
    await untouched({ ...claim(now, 102), location: 5 });
    const commits = claim(now, 102).commits.map((commit) => ({ ...commit, holds: true }));
    const held = await publish({ ...claim(now, 102), commits });
    expect(held).toMatchObject({ told: [now] });
    expect((await publish(claim(now, 102), false)).told).toBeUndefined();
    expect(await other.read(id)).toEqual(claimed);
    // What was claimed with a publication is due like any other claim.
    await pass(1_500);
    expect((await takeFor(other, resource)).work.due).toContain(id);
  });

  test('many watchers are told through the stream', async () => {
    const { store } = await open();
    const { resource } = await stored(open);
    const outcome = await store.commitPublications({
      resource,
      expectedVersion: 0,
      publications: [],
      changed: true,
      tells: 0,
    });
    expect(outcome).toEqual({ kind: 'committed', version: 0 });
    const { mine } = await takeFor(store, resource);
    expect(mine).toHaveLength(1);
    await store.done(store.shardOf(resource), [mine[0]?.cursor ?? '']);
  });
}
