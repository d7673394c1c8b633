import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { BindingId } from '@rollcall/location';
import { SHARDS, World, alice, bob, dialogOf, shown, tagOf } from './harness/world.ts';

describe('NOTIFY on change', () => {
  test('S14 registers, expires, unregisters: one NOTIFY each; a refresh or a second look: none', async () => {
    const world = new World(2);
    await world.subscribe();
    await world.register('registered');
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    await world.register('refreshed', {}, bob, 1);
    await world.work(0);
    expect(world.notifies).toHaveLength(2);
    await world.register('expired', {}, bob, 1);
    expect(shown(world.last).body).toContain('<basic>closed</basic>');
    await world.register('registered', { id: 'b2' as BindingId });
    await world.register('unregistered', { id: 'b2' as BindingId });
    const cseqs = world.notifies.map((notify) => shown(notify).cseq);
    expect(cseqs).toEqual(cseqs.map((_, n) => cseqs[0]! + n));
    expect(world.notifies).toHaveLength(5);
  });

  test('S13 a tuple for each device; two flows of one instance are one device', async () => {
    const world = new World();
    await world.subscribe();
    const instance = '<urn:uuid:00000000-0000-1000-8000-000A95A0E128>';
    await world.register('registered', { id: 'f1' as BindingId, instance, regId: 1 });
    await world.register('registered', { id: 'f2' as BindingId, instance, regId: 2 });
    await world.register('registered', { id: 'd2' as BindingId, q: 500 });
    expect(shown(world.last).body.match(/<tuple /g)).toHaveLength(2);
    expect(shown(world.last).body).toContain('<contact priority="0.5">sip:bob@example.test</contact>');
  });

  test('S18 reg: full with version 0, then partial with what happened, version rising by one', async () => {
    const world = new World();
    await world.subscribe({ to: 'alice', event: 'reg', expires: 600 });
    expect(shown(world.last).body).toMatch(
      /version="0" state="full">\r\n<registration aor="sip:alice@example.test" id="\w+" state="init">/,
    );
    await world.register('registered', { params: ';+sip.instance="<urn:uuid:1>"' }, alice);
    expect(shown(world.last).body).toContain('version="1" state="partial"');
    expect(shown(world.last).body).toContain(
      'state="active" event="registered" duration-registered="0" expires="3600" callid="r1" cseq="1"><uri>sip:bob@192.0.2.7:5060</uri><unknown-param name="+sip.instance">&quot;&lt;urn:uuid:1&gt;&quot;</unknown-param>',
    );
    await world.register('refreshed', {}, alice);
    expect(shown(world.last).body).toContain('event="refreshed"');
    await world.register('unregistered', {}, alice);
    expect(shown(world.last).body).toContain('version="3" state="partial"');
    expect(shown(world.last).body).toMatch(
      /state="terminated">\r\n<contact id="b1" state="terminated" event="unregistered">/,
    );
  });

  test('S27 a mailbox that changes is told', async () => {
    const world = new World();
    await world.subscribe({ to: 'alice', event: 'message-summary' });
    await world.events.putMailbox(alice, {
      counts: { 'voice-message': { fresh: 2, old: 8, urgentFresh: 0, urgentOld: 2 } },
    });
    await world.work();
    expect(shown(world.last).body).toBe(
      `Messages-Waiting: yes\r\nMessage-Account: ${alice}\r\nVoice-Message: 2/8 (0/2)\r\n`,
    );
  });

  test('one NOTIFY in flight; changes meanwhile are told once, the newest state', async () => {
    const world = new World(2);
    world.autoAnswer = undefined;
    await world.subscribe();
    for (let n = 0; n < 3; n += 1)
      await world.register('registered', { id: `b${String(n)}` as BindingId }, bob, n % 2);
    expect(world.notifies).toHaveLength(1);
    world.last.status(200);
    await world.settle();
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).body.match(/<tuple /g)).toHaveLength(3);
    world.last.status(200);
    await world.settle();
    await world.work(1);
    expect(world.notifies).toHaveLength(2);
  });

  test('a change that was undone before the NOTIFY was answered is not told', async () => {
    const world = new World();
    world.autoAnswer = undefined;
    await world.subscribe();
    await world.register('registered');
    await world.register('unregistered');
    world.last.status(200);
    await world.settle();
    expect(world.notifies).toHaveLength(1);
  });

  test('a SUBSCRIBE while one is in flight is owed a NOTIFY of its own', async () => {
    const world = new World();
    world.autoAnswer = undefined;
    const toTag = tagOf(await world.subscribe());
    expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(200);
    expect(world.notifies).toHaveLength(1);
    world.last.status(200);
    await world.settle();
    expect(world.notifies).toHaveLength(2);
  });

  test('an end while one is in flight is told after it, and nothing after that', async () => {
    const world = new World();
    world.autoAnswer = undefined;
    const toTag = tagOf(await world.subscribe());
    await world.subscribe({ toTag, cseq: 2, expires: 0 });
    await world.register('registered');
    world.last.status(200);
    await world.settle();
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).state).toBe('terminated;reason=timeout');
    world.last.status(200);
    await world.settle();
    await world.register('unregistered');
    expect(world.notifies).toHaveLength(2);
    expect(await world.events.watchers(bob)).toEqual([]);
  });

  test('many watchers of one resource are all told', async () => {
    const world = new World();
    for (let n = 0; n < 300; n += 1) await world.subscribe({ callId: `c${String(n)}` });
    await world.register('registered');
    expect(world.notifies).toHaveLength(600);
  });
});

describe('NOTIFY that fails, RFC 6665 §4.2.2', () => {
  test.each([404, 405, 410, 416, 480, 481, 485, 489, 501, 604])(
    'S11 %i removes the subscription',
    async (status) => {
      const world = new World();
      const toTag = tagOf(await world.subscribe());
      world.autoAnswer = status;
      await world.register('registered');
      expect(await world.events.watchers(bob)).toEqual([]);
      expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(481);
    },
  );

  test.each([408, 500, 503])(
    'S11 %i: kept, and tried again with a growing pause and the next CSeq',
    async (status) => {
      const world = new World();
      await world.subscribe();
      world.autoAnswer = status;
      await world.register('registered');
      const before = world.notifies.length;
      await world.pass(1_000);
      expect(world.notifies).toHaveLength(before);
      await world.pass(1_000);
      expect(world.notifies).toHaveLength(before + 1);
      await world.pass(2_000);
      expect(world.notifies).toHaveLength(before + 1);
      world.autoAnswer = 200;
      await world.pass(2_000);
      expect(world.notifies).toHaveLength(before + 2);
      expect(shown(world.last).cseq).toBe(shown(world.notifies[0]!).cseq + before + 1);
      expect(shown(world.last).body).toContain('<basic>open</basic>');
      await world.pass(60_000);
      expect(world.notifies).toHaveLength(before + 2);
    },
  );

  test('S11 Retry-After is obeyed', async () => {
    const world = new World();
    world.autoAnswer = undefined;
    await world.subscribe();
    world.last.status(503, 'Retry-After: 30 (later)\r\n');
    await world.settle();
    await world.pass(29_000);
    expect(world.notifies).toHaveLength(1);
    await world.pass(1_000);
    expect(world.notifies).toHaveLength(2);
  });

  test('after many failures in a row the subscription goes', async () => {
    const world = new World();
    world.autoAnswer = 503;
    await world.subscribe({ expires: 3600 });
    for (let n = 0; n < 30; n += 1) await world.pass(60_000);
    expect(world.notifies).toHaveLength(10);
    expect(await world.events.watchers(bob)).toEqual([]);
  });

  test('430 flow failed: no NOTIFY until the subscriber comes back over another flow', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe({ flow: 't1' }));
    world.autoAnswer = 430;
    await world.register('registered');
    await world.pass(30_000);
    expect(world.notifies).toHaveLength(2);
    world.autoAnswer = 200;
    await world.subscribe({ toTag, cseq: 2, flow: 't2' });
    expect(world.notifies).toHaveLength(3);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
  });

  test('430 and no refresh: the subscription ends without a word', async () => {
    const world = new World();
    await world.subscribe({ expires: 60 });
    world.autoAnswer = 430;
    await world.register('registered');
    await world.pass(61_000);
    expect(world.notifies).toHaveLength(2);
    expect(await world.events.watchers(bob)).toEqual([]);
  });
});

describe('replicas that die', () => {
  test('S24 P17 killed with a NOTIFY in flight: another goes on in the dialog with the next CSeq once the claim lapses', async () => {
    const world = new World(2);
    await world.subscribe();
    world.autoAnswer = undefined;
    await world.register('registered', {}, bob, 0);
    const claimed = shown(world.last);
    world.kill(0);
    await world.pass(4_000, 1);
    expect(world.notifies).toHaveLength(2);
    await world.pass(2_000, 1);
    expect(world.notifies).toHaveLength(3);
    expect(world.last.replica).toBe(1);
    expect(shown(world.last)).toEqual({ ...claimed, cseq: claimed.cseq + 1, state: 'active;expires=594' });
    expect(dialogOf(world).callId).toBe('c1');
  });

  test('S24 killed idle: a change is told by another at once', async () => {
    const world = new World(2);
    await world.subscribe();
    world.kill(0);
    await world.register('registered', {}, bob, 1);
    expect(world.notifies).toHaveLength(2);
    expect(world.last.replica).toBe(1);
  });

  test('S24 killed after it took the change and before it acted: another is given the change after the lease', async () => {
    const world = new World(2);
    await world.subscribe();
    const tuple = 't\ta\t\t\t<status><basic>open</basic></status>';
    const expiresAt = epochMs(world.time + 60_000);
    const publications = [{ etag: 'e', package: 'presence', expiresAt, body: tuple }];
    await world.events.commitPublications({ resource: bob, expectedVersion: 0, publications, changed: true });
    for (let shard = 0; shard < SHARDS; shard += 1) await world.events.take(shard, 10);
    world.kill(0);
    await world.pass(4_000, 1);
    expect(world.notifies).toHaveLength(1);
    await world.pass(2_000, 1);
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
  });

  test('S03 S24 stopped until its claim had lapsed: it sends nothing any more, and another tells', async () => {
    const world = new World(2);
    await world.subscribe();
    const { events } = world;
    const [settle, commit] = [events.settle.bind(events), events.commit.bind(events)];
    const stopped = <T>(outcome: T): T => {
      world.time += 6_000;
      return outcome;
    };
    events.settle = async (...all) => stopped(await settle(...all));
    events.commit = async (...all) => stopped(await commit(...all));
    await world.register('registered', {}, bob, 0);
    Object.assign(events, { settle, commit });
    expect(world.notifies).toHaveLength(1);
    await world.pass(6_000, 1);
    expect(world.notifies).toHaveLength(2);
    expect(world.last.replica).toBe(1);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    expect(world.replicas[0]!.notifier.outstanding).toBe(0);
  });

  test('a late answer to a NOTIFY that was taken over changes nothing', async () => {
    const world = new World(2);
    world.autoAnswer = undefined;
    await world.subscribe();
    const first = world.last;
    await world.pass(11_000, 1);
    expect(world.notifies).toHaveLength(2);
    first.status(481);
    await world.settle();
    expect(await world.events.watchers(bob)).toHaveLength(1);
    world.last.status(200);
    await world.settle();
    expect((await world.events.readMany(await world.events.watchers(bob)))[0]?.subscription.delivery).toBe(
      'settled',
    );
  });

  test('a phone that takes its time is no dead replica: the claim is prolonged', async () => {
    const world = new World(2);
    world.autoAnswer = undefined;
    await world.subscribe();
    for (let n = 0; n < 32; n += 1) {
      await world.replicas[0]!.notifier.prolong();
      await world.pass(1_000, 1);
    }
    expect(world.notifies).toHaveLength(1);
    world.last.status(200);
    await world.settle();
    expect((await world.events.readMany(await world.events.watchers(bob)))[0]?.subscription.delivery).toBe(
      'settled',
    );
  });

  test('two replicas that are told of one change send one NOTIFY', async () => {
    const world = new World(2);
    await world.subscribe();
    await world.location.commit({ aor: bob, expectedVersion: 0, bindings: [], changes: [] });
    await world.events.commitPublications({
      resource: bob,
      expectedVersion: 0,
      changed: true,
      publications: [{ etag: 'e', package: 'presence', expiresAt: world.clock.now(), body: '' }],
    });
    await Promise.all([world.work(0), world.work(1)]);
    expect(world.notifies).toHaveLength(1);
    expect(world.warnings).toEqual([]);
  });
});
