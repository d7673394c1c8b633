import { describe, expect, test } from 'vitest';
import { ended } from '@rollcall/events';
import type { RuleAction } from '@rollcall/events';
import { World, alice, bob, shown, tagOf } from './harness/world.ts';

const rule = (action: RuleAction, watcher: string = alice) => [{ watcher, action }];

/** Sets rules as REST does, and lets presence act on them. */
async function set(world: World, ...args: Parameters<typeof rule>): Promise<void> {
  await world.events.putRules(bob, rule(...args));
  await world.work();
}

describe('S10 who may watch, RFC 6665 §4.2.1.3', () => {
  test.each([
    ['allow', 200, 'active;expires=600', 'open'],
    ['polite-block', 200, 'active;expires=600', 'closed'],
    ['confirm', 200, 'pending;expires=600', undefined],
    ['block', 403, undefined, undefined],
  ] as const)('a rule that says %s: %i, %s, %s', async (action, status, state, basic) => {
    const world = new World();
    await world.register('registered');
    await set(world, action);
    const response = await world.subscribe();
    expect(response.status).toBe(status);
    expect(world.notifies).toHaveLength(status === 200 ? 1 : 0);
    if (state === undefined) return;
    expect(shown(world.last).state).toBe(state);
    if (basic === undefined) expect(world.last.request.header('content-type')).toBeUndefined();
    else expect(shown(world.last).body).toContain(`<basic>${basic}</basic>`);
  });

  test('the domain says confirm, the user allow; the rule that names the watcher stands above both', async () => {
    const world = new World();
    world.domainWatchers = 'confirm';
    await world.subscribe({ callId: 'a' });
    expect(shown(world.last).state).toMatch(/^pending/);
    world.policies.set(bob, { watchers: 'allow' });
    for (const listener of world.changed) listener(bob);
    await world.settle();
    expect(shown(world.last).state).toMatch(/^active/);
    await set(world, 'block', '@example.test');
    expect(shown(world.last).state).toBe('terminated;reason=rejected');
    await world.events.putRules(bob, [...rule('block', '@example.test'), ...rule('allow')]);
    expect((await world.subscribe({ callId: 'b' })).status).toBe(200);
    expect((await world.subscribe({ callId: 'c', as: 'carol' })).status).toBe(403);
    expect((await world.subscribe({ callId: 'd', as: 'bob' })).status).toBe(200);
  });

  test('a rule that changes is applied to live subscriptions: pending, active, offline, active, rejected', async () => {
    const world = new World(2);
    await world.register('registered');
    await set(world, 'confirm');
    const toTag = tagOf(await world.subscribe());
    await world.register('refreshed');
    await world.publish('');
    expect(world.notifies).toHaveLength(1);
    const seen: string[] = [];
    for (const action of ['allow', 'polite-block', 'allow', 'block'] as const) {
      await set(world, action);
      const { state, body } = shown(world.last);
      seen.push(`${state.split(';')[0] ?? ''} ${/<basic>(\w+)/.exec(body)?.[1] ?? 'nothing'}`);
    }
    expect(seen).toEqual(['active open', 'active closed', 'active open', 'terminated nothing']);
    expect(shown(world.last).state).toBe('terminated;reason=rejected');
    expect(await world.events.watchers(bob)).toEqual([]);
    expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(481);
    const cseqs = world.notifies.map((notify) => shown(notify).cseq);
    expect(cseqs).toEqual(cseqs.map((_, n) => cseqs[0]! + n));
  });

  test('who is blocked politely learns of no change; who is pending neither', async () => {
    const world = new World();
    for (const action of ['polite-block', 'confirm'] as const) {
      await set(world, action);
      await world.subscribe({ callId: action });
      const before = world.notifies.length;
      await world.register('registered');
      await world.register('unregistered');
      expect(world.notifies).toHaveLength(before);
      await world.events.putRules(bob, []);
      await world.work();
    }
  });

  test('a replica that remembers other rules is told the true ones by the store', async () => {
    const world = new World(2);
    await world.subscribe({ callId: 'a' }, 1);
    await set(world, 'confirm');
    await world.subscribe({ callId: 'b' }, 1);
    expect(shown(world.last).state).toMatch(/^pending/);
    await world.events.putRules(bob, []);
    await world.subscribe({ callId: 'c' }, 1);
    expect(shown(world.last).state).toMatch(/^active/);
  });

  test('a fetch and a refresh rest on the rules too', async () => {
    const world = new World();
    await world.register('registered');
    const toTag = tagOf(await world.subscribe());
    await world.events.putRules(bob, rule('polite-block'));
    await world.subscribe({ expires: 0, callId: 'fetch' });
    expect(shown(world.last).body).toContain('<basic>closed</basic>');
    await world.subscribe({ toTag, cseq: 2 });
    expect(shown(world.last).body).toContain('<basic>closed</basic>');
    await world.events.putRules(bob, rule('block'));
    expect((await world.subscribe({ toTag, cseq: 3 })).status).toBe(403);
  });

  test('nobody confirmed for a week: giveup at the next refresh', async () => {
    const world = new World();
    await set(world, 'confirm');
    const toTag = tagOf(await world.subscribe({ expires: 3600 }));
    let cseq = 1;
    for (let hours = 0; hours <= 7 * 24; hours += 1) {
      world.time += 3_500_000;
      await world.subscribe({ toTag, cseq: (cseq += 1), expires: 3600 });
    }
    world.time += 3_500_000;
    while (!shown(world.last).state.startsWith('terminated')) {
      await world.subscribe({ toTag, cseq: (cseq += 1), expires: 3600 });
      world.time += 3_500_000;
    }
    expect(shown(world.last).state).toBe('terminated;reason=giveup');
  });
});

describe('why a subscription ends, RFC 6665 §4.1.3', () => {
  test('a user that is removed: noresource', async () => {
    const world = new World(2);
    const toTag = tagOf(await world.subscribe());
    world.removed.add(bob);
    for (const listener of world.changed) listener(bob);
    await world.settle();
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last)).toMatchObject({ state: 'terminated;reason=noresource', body: '' });
    expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(481);
  });

  test.each([
    ['deactivated', 0, 'terminated;reason=deactivated'],
    ['probation', 30, 'terminated;reason=probation;retry-after=30'],
    ['giveup', 60, 'terminated;reason=giveup;retry-after=60'],
    ['deactivated', 30, 'terminated;reason=deactivated'],
  ] as const)('S10 an operator ends it: %s after %i s', async (reason, retryAfter, state) => {
    for (const answered of [true, false]) {
      const world = new World();
      if (!answered) world.autoAnswer = undefined;
      await world.subscribe();
      const [id] = await world.events.watchers(bob);
      const { version, subscription } = (await world.events.read(id!))!;
      const next = ended(subscription, reason, retryAfter, world.clock.now());
      await world.events.commit({ id: id!, resource: bob, expectedVersion: version, next });
      await world.work();
      if (!answered) world.last.status(200);
      await world.settle();
      expect(world.notifies).toHaveLength(2);
      expect(shown(world.last).state).toBe(state);
    }
  });
});

describe('A04 the last NOTIFY and its answer', () => {
  test.each([200, 503])('answered %i', async (status) => {
    const world = new World();
    world.autoAnswer = status;
    await world.subscribe();
    const [id] = await world.events.watchers(bob);
    expect((await world.events.read(id!))?.subscription).toMatchObject({
      answered: status,
      notifiedAt: world.time,
    });
  });

  test('no answer at all is a 408', async () => {
    const world = new World();
    world.autoAnswer = undefined;
    await world.subscribe();
    world.last.answer({ kind: 'timeout' });
    await world.settle();
    const [id] = await world.events.watchers(bob);
    expect((await world.events.read(id!))?.subscription.answered).toBe(408);
  });

  test('what a watcher subscribes to is found under the watcher', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    await world.subscribe({ to: 'alice', event: 'message-summary', callId: 'own' });
    expect(await world.events.watchesOf(alice)).toEqual([toTag]);
    await world.subscribe({ toTag, cseq: 2, expires: 0 });
    expect(await world.events.watchesOf(alice)).toEqual([]);
  });

  test('a subscription to an alias is one to the user', async () => {
    const world = new World();
    await world.subscribe({ to: 'alias1' });
    expect(await world.events.watchers(bob)).toHaveLength(1);
  });
});
