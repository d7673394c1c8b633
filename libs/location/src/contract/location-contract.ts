import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { DUE_LEASE_MS } from '../ports.ts';
import type { DueReader, LocationReader, LocationWatcher, LocationWriter, StoreClock } from '../ports.ts';
import type { LocationLister } from '../listing.ts';
import { listingTests } from './listing-contract.ts';
import { collectEvents, commitOnce, freshAor, sampleBinding } from './samples.ts';

/** What an adapter hands to the contract suite. */
export interface LocationUnderTest {
  readonly store: LocationReader & LocationWriter & LocationLister & LocationWatcher & DueReader;
  readonly clock: StoreClock;
  /** Called once after the last test. */
  close?(): Promise<void>;
}

const HOUR_MS = 3_600_000;

/**
 * The contract of the location ports, as vitest tests. Every adapter runs the very same suite: the one in memory, Redis,
 * Redis Cluster. `makeStore` is called once. Each test works on AoRs of its own, so the store need not be empty; nothing
 * else may use it meanwhile, because `takeDue` takes for everybody.
 */
export function locationContract(name: string, makeStore: () => Promise<LocationUnderTest>): void {
  describe(`location contract: ${name}`, () => {
    let made: Promise<LocationUnderTest> | undefined;
    const open = (): Promise<LocationUnderTest> => (made ??= makeStore());

    describe('commit is compare-and-set', () => {
      commitTests(open);
    });
    describe('the due-set is lazy and survives its takers', () => {
      dueTests(open);
    });
    describe('the change stream', () => {
      watchTests(open);
    });
    describe('the listing', () => {
      listingTests(open);
    });
    test('closes', async () => {
      await (await open()).close?.();
    });
  });
}

type Open = () => Promise<LocationUnderTest>;

function commitTests(open: Open): void {
  test('an AoR without a record reads as version 0 without bindings', async () => {
    const { store } = await open();
    expect(await store.read(freshAor())).toEqual({ version: 0, bindings: [] });
  });

  test('what is committed is read back, octet for octet, with the version that the commit gave', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const binding = sampleBinding(clock.now(), {
      contact: 'sip:%61lice@[2001:db8::1]:5060;transport=tcp;x="|{}\\n:\u00e9\u00ff"',
      params:
        ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1;methods="INVITE,ACK"',
      q: 700,
      instance: '<urn:uuid:00000000-0000-1000-8000-000A95A0E128>',
      regId: 1,
      path: ['<sip:t@192.0.2.7:5060;lr;ob>', '<sip:p2.example.test;lr>'],
      userAgent: 'x "y" <z>\u00e4|{}',
      source: 'udp:192.0.2.1:5060',
    });
    const outcome = await store.commit({
      aor,
      expectedVersion: 0,
      bindings: [binding, sampleBinding(clock.now())],
      changes: [],
    });
    expect(outcome.kind).toBe('committed');
    const snapshot = await store.read(aor);
    expect(snapshot.version).toBe(outcome.kind === 'committed' ? outcome.version : -1);
    expect(snapshot.version).toBeGreaterThan(0);
    expect(snapshot.bindings[0]).toEqual(binding);
    expect(snapshot.bindings).toHaveLength(2);
  });

  test('each commit gives another, higher version', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const first = await commitOnce(store, aor, 0, [sampleBinding(clock.now())]);
    const second = await commitOnce(store, aor, first, [sampleBinding(clock.now())]);
    expect(second).toBeGreaterThan(first);
  });

  test('a commit on another version changes nothing and answers with the state as it is', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const kept = sampleBinding(clock.now());
    const version = await commitOnce(store, aor, 0, [kept]);
    for (const expectedVersion of [0, version + 1]) {
      const outcome = await store.commit({
        aor,
        expectedVersion,
        bindings: [sampleBinding(clock.now())],
        changes: [],
      });
      expect(outcome).toEqual({ kind: 'conflict', snapshot: { version, bindings: [kept] } });
    }
    expect(await store.read(aor)).toEqual({ version, bindings: [kept] });
  });

  test('a commit that expects a record where there is none conflicts with version 0', async () => {
    const { store, clock } = await open();
    const outcome = await store.commit({
      aor: freshAor(),
      expectedVersion: 7,
      bindings: [sampleBinding(clock.now())],
      changes: [],
    });
    expect(outcome).toEqual({ kind: 'conflict', snapshot: { version: 0, bindings: [] } });
  });

  test('committing no bindings deletes the record', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const version = await commitOnce(store, aor, 0, [sampleBinding(clock.now())]);
    const outcome = await store.commit({ aor, expectedVersion: version, bindings: [], changes: [] });
    expect(outcome).toEqual({ kind: 'committed', version: 0 });
    expect(await store.read(aor)).toEqual({ version: 0, bindings: [] });
  });

  test('a record made anew does not take a version that its predecessor had', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const before = await commitOnce(store, aor, 0, [sampleBinding(clock.now())]);
    await commitOnce(store, aor, before, []);
    const after = await commitOnce(store, aor, 0, [sampleBinding(clock.now())]);
    expect(after).not.toBe(before);
  });

  test('of many commits at once on one version exactly one wins', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        store.commit({ aor, expectedVersion: 0, bindings: [sampleBinding(clock.now())], changes: [] }),
      ),
    );
    expect(outcomes.filter((outcome) => outcome.kind === 'committed')).toHaveLength(1);
    expect((await store.read(aor)).bindings).toHaveLength(1);
  });

  test('AoRs with braces, colons, bars, blanks and names of object properties are keys like any other', async () => {
    const { store, clock } = await open();
    for (const user of ['{a}', '__proto__', 'a:b|c', '%0d%0a', '*?[x]', 'x'.repeat(2000)]) {
      const aor = freshAor(user);
      const binding = sampleBinding(clock.now());
      const version = await commitOnce(store, aor, 0, [binding]);
      expect(await store.read(aor)).toEqual({ version, bindings: [binding] });
    }
  });
}

function dueTests(open: Open): void {
  /** Takes all that is due, and keeps of it what this test made. */
  const take = async (
    { store }: LocationUnderTest,
    at: number,
    mine: ReadonlySet<string>,
  ): Promise<string[]> => {
    const mineDue: string[] = [];
    for (;;) {
      const due = await store.takeDue(epochMs(at), 500);
      if (due.length === 0) return mineDue.sort();
      mineDue.push(...due.filter((aor) => mine.has(aor)));
      await Promise.all(due.filter((aor) => !mine.has(aor)).map((aor) => store.rearm(aor, undefined)));
    }
  };

  test('an AoR comes up when its earliest binding expires, not before', async () => {
    const under = await open();
    const now = under.clock.now();
    const aor = freshAor();
    const soon = sampleBinding(now, { expiresAt: epochMs(now + HOUR_MS) });
    const late = sampleBinding(now, { expiresAt: epochMs(now + 2 * HOUR_MS) });
    await commitOnce(under.store, aor, 0, [late, soon]);
    expect(await take(under, now + HOUR_MS - 1, new Set([aor]))).toEqual([]);
    expect(await take(under, now + HOUR_MS, new Set([aor]))).toEqual([aor]);
    await under.store.rearm(aor, undefined);
  });

  test('an earlier expiry committed later brings the AoR up earlier', async () => {
    const under = await open();
    const now = under.clock.now();
    const aor = freshAor();
    const version = await commitOnce(under.store, aor, 0, [
      sampleBinding(now, { expiresAt: epochMs(now + 3 * HOUR_MS) }),
    ]);
    await commitOnce(under.store, aor, version, [sampleBinding(now, { expiresAt: epochMs(now + HOUR_MS) })]);
    expect(await take(under, now + HOUR_MS, new Set([aor]))).toEqual([aor]);
    await under.store.rearm(aor, undefined);
  });

  test('what is taken is taken once, and comes up again only after the lease', async () => {
    const under = await open();
    const now = under.clock.now();
    const aor = freshAor();
    await commitOnce(under.store, aor, 0, [sampleBinding(now, { expiresAt: epochMs(now + HOUR_MS) })]);
    const at = now + 10 * HOUR_MS;
    expect(await take(under, at, new Set([aor]))).toEqual([aor]);
    expect(await take(under, at + DUE_LEASE_MS - 1, new Set([aor]))).toEqual([]);
    expect(await take(under, at + DUE_LEASE_MS, new Set([aor]))).toEqual([aor]);
    await under.store.rearm(aor, undefined);
    expect(await take(under, at + 3 * DUE_LEASE_MS, new Set([aor]))).toEqual([]);
  });

  test('rearm puts it back for its time, and the lease no longer counts', async () => {
    const under = await open();
    const now = under.clock.now();
    const aor = freshAor();
    await commitOnce(under.store, aor, 0, [sampleBinding(now, { expiresAt: epochMs(now + HOUR_MS) })]);
    expect(await take(under, now + HOUR_MS, new Set([aor]))).toEqual([aor]);
    await under.store.rearm(aor, epochMs(now + 20 * HOUR_MS));
    expect(await take(under, now + 20 * HOUR_MS - 1, new Set([aor]))).toEqual([]);
    expect(await take(under, now + 20 * HOUR_MS, new Set([aor]))).toEqual([aor]);
    await under.store.rearm(aor, undefined);
  });

  test('rearm never delays what a commit has armed since the take', async () => {
    const under = await open();
    const now = under.clock.now();
    const aor = freshAor();
    const version = await commitOnce(under.store, aor, 0, [
      sampleBinding(now, { expiresAt: epochMs(now + HOUR_MS) }),
    ]);
    expect(await take(under, now + HOUR_MS, new Set([aor]))).toEqual([aor]);
    await commitOnce(under.store, aor, version, [
      sampleBinding(now, { expiresAt: epochMs(now + 2 * HOUR_MS) }),
    ]);
    await under.store.rearm(aor, epochMs(now + 9 * HOUR_MS));
    expect(await take(under, now + 2 * HOUR_MS, new Set([aor]))).toEqual([aor]);
    await under.store.rearm(aor, undefined);
  });
}

function watchTests(open: Open): void {
  test('B22 each change is told once, in order for its AoR, with kind, contact and actor', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const one = sampleBinding(clock.now());
    const two = sampleBinding(clock.now());
    const watching = await collectEvents(store, undefined, aor);
    const first = await commitOnce(store, aor, 0, [one], [{ kind: 'registered', binding: one }], 'sip:a@b');
    const second = await commitOnce(store, aor, first, [one, two], [{ kind: 'registered', binding: two }]);
    await commitOnce(
      store,
      aor,
      second,
      [],
      [
        { kind: 'expired', binding: one },
        { kind: 'unregistered', binding: two },
      ],
    );
    const events = await watching.until(4);
    expect(events.map((event) => [event.kind, event.bindingId, event.contact])).toEqual([
      ['registered', one.id, one.contact],
      ['registered', two.id, two.contact],
      ['expired', one.id, one.contact],
      ['unregistered', two.id, two.contact],
    ]);
    expect(events[0]?.actor).toBe('sip:a@b');
  });

  test('a commit that conflicts tells nobody', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const binding = sampleBinding(clock.now());
    const loser = sampleBinding(clock.now());
    const watching = await collectEvents(store, undefined, aor);
    const version = await commitOnce(store, aor, 0, [binding], [{ kind: 'registered', binding }]);
    await store.commit({
      aor,
      expectedVersion: 0,
      bindings: [loser],
      changes: [{ kind: 'registered', binding: loser }],
    });
    await commitOnce(store, aor, version, [], [{ kind: 'unregistered', binding }]);
    const events = await watching.until(2);
    expect(events.map((event) => event.kind)).toEqual(['registered', 'unregistered']);
  });

  test('A06 a cursor resumes after the event that it came with: none lost, none twice', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const bindings = Array.from({ length: 6 }, () => sampleBinding(clock.now()));
    const watching = await collectEvents(store, undefined, aor);
    let version = 0;
    for (const binding of bindings) {
      version = await commitOnce(store, aor, version, [binding], [{ kind: 'registered', binding }]);
    }
    const all = await watching.until(bindings.length);
    const resumed = await collectEvents(store, all[2]?.cursor, aor);
    const rest = await resumed.until(3);
    expect(rest.map((event) => event.contact)).toEqual(bindings.slice(3).map((binding) => binding.contact));
  });

  test('A06 a watch says at once where it begins: who drops before the first event resumes there and misses none', async () => {
    const { store, clock } = await open();
    const aor = freshAor();
    const fresh = await collectEvents(store, undefined, aor);
    expect(await fresh.until(0)).toEqual([]);
    const binding = sampleBinding(clock.now());
    await commitOnce(store, aor, 0, [binding], [{ kind: 'registered', binding }]);
    const resumed = await collectEvents(store, fresh.start, aor);
    const [event] = await resumed.until(1);
    expect(event?.contact).toBe(binding.contact);
    // A watch that resumes where nothing has happened since begins where it was told to.
    const again = await collectEvents(store, event?.cursor, aor);
    expect(again.start).toBe(event?.cursor);
    expect(await again.until(0)).toEqual([]);
  });
}
