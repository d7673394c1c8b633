import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { Publication, ResourceChange, SubscriptionId } from '../model.ts';
import { WORK_LEASE_MS } from '../ports.ts';
import type { WatcherChange } from '../watchers.ts';
import type {
  DirtyEntry,
  Mailboxes,
  PublicationClaims,
  Publications,
  ResourceLists,
  ResourceStates,
  ShardWork,
  SubscriptionReader,
  SubscriptionWriter,
  WatcherRuleStore,
  WorkQueue,
} from '../ports.ts';
import { freshResource, sampleSubscription } from './samples.ts';

export type EventsStore = SubscriptionReader &
  SubscriptionWriter &
  WorkQueue &
  ResourceStates &
  Mailboxes &
  Publications &
  WatcherRuleStore &
  ResourceLists;

/** What an adapter hands to the contract suite. */
export interface EventsUnderTest {
  readonly store: EventsStore;
  /** The store as another replica sees it. */
  readonly other: EventsStore;
  readonly clock: Clock;
  /** Registers or unregisters a binding, as the registrar's commit does. */
  readonly changeLocation: (
    resource: Aor,
    kind: 'registered' | 'unregistered',
    trace?: string,
  ) => Promise<ResourceChange>;
  /** Lets time pass: for real, or by turning the clock. */
  readonly pass: (ms: number) => Promise<void>;
  close?(): Promise<void>;
}

type Open = () => Promise<EventsUnderTest>;

/**
 * The contract of the ports of events, as vitest tests; every adapter runs the very same suite. Each test works on resources
 * of its own, but `take` takes for everybody: nothing else may use the store meanwhile.
 */
export function eventsContract(name: string, makeStore: () => Promise<EventsUnderTest>): void {
  describe(`events contract: ${name}`, () => {
    let made: Promise<EventsUnderTest> | undefined;
    const open: Open = () => (made ??= makeStore());
    describe('subscriptions', () => {
      subscriptionTests(open);
    });
    describe('dirty resources', () => {
      dirtyTests(open);
    });
    describe('watchers of watchers', () => {
      watcherTests(open);
    });
    describe('what is due', () => {
      dueTests(open);
    });
    describe('claims and duties', () => {
      settleTests(open);
    });
    describe('rules and lists', () => {
      documentTests(open);
    });
    describe('publications and mailboxes', () => {
      stateTests(open);
    });
    test('closes', async () => {
      await (await open()).close?.();
    });
  });
}

async function stored(open: Open, change: Parameters<typeof sampleSubscription>[3] = {}) {
  const { store, clock } = await open();
  const resource = freshResource();
  const subscription = sampleSubscription(resource, store.shardOf(resource), clock.now(), change);
  const outcome = await store.commit({
    id: subscription.id,
    resource,
    expectedVersion: 0,
    next: subscription,
  });
  if (outcome.kind !== 'committed') throw new Error('a first commit conflicts');
  return { resource, subscription, version: outcome.version };
}

function subscriptionTests(open: Open): void {
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

async function takeFor(store: EventsStore, resource: Aor): Promise<{ mine: DirtyEntry[]; work: ShardWork }> {
  const work = await store.take(store.shardOf(resource), 100);
  return { mine: work.dirty.filter((entry) => entry.resource === resource), work };
}

function dirtyTests(open: Open): void {
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

function watcherTests(open: Open): void {
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

function dueTests(open: Open): void {
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

function settleTests(open: Open): void {
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
    expect(await publish(claim(now, 102), false)).not.toHaveProperty('told');
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

function documentTests(open: Open): void {
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

function stateTests(open: Open): void {
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
