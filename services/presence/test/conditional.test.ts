import { describe, expect, test } from 'vitest';
import { World, alice, bob, shown, tagOf } from './harness/world.ts';

const etagOf = (world: World): string => world.last.request.header('sip-etag') ?? '';
const ifMatch = (tag: string) => ({ headers: `Suppress-If-Match: ${tag}\r\n` });

describe('S22 conditional notification, RFC 5839', () => {
  test('every NOTIFY carries an entity-tag: another for another state, the same for the same', async () => {
    const world = new World();
    await world.subscribe();
    const closed = etagOf(world);
    expect(closed).toMatch(/^[A-Za-z0-9.!%*_+`'~-]+$/);
    await world.register('registered');
    const open = etagOf(world);
    await world.subscribe({ callId: 'other' });
    expect(etagOf(world)).toBe(open);
    expect(open).not.toBe(closed);
  });

  test('§6.3 a refresh that has the state: 204 with Expires, no NOTIFY; the next change is told', async () => {
    const world = new World(2);
    const toTag = tagOf(await world.subscribe());
    const tag = etagOf(world);
    const response = await world.subscribe({ toTag, cseq: 2, expires: 900, ...ifMatch(tag) }, 1);
    expect([response.status, response.header('expires')]).toEqual([204, '900']);
    expect(world.notifies).toHaveLength(1);
    await world.pass(700_000);
    expect(world.notifies).toHaveLength(1);
    await world.register('registered');
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last)).toMatchObject({ state: 'active;expires=200' });
  });

  test('a refresh that has an older state: 200 and NOTIFY as always', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    const tag = etagOf(world);
    await world.register('registered');
    expect((await world.subscribe({ toTag, cseq: 2, ...ifMatch(tag) })).status).toBe(200);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
  });

  test('§6.2 outside a dialog only the body is left away: resumed, and fetched', async () => {
    const world = new World();
    await world.subscribe();
    const tag = etagOf(world);
    for (const [callId, expires] of [
      ['resumed', 600],
      ['fetched', 0],
    ] as const) {
      expect((await world.subscribe({ callId, expires, ...ifMatch(tag) })).status).toBe(200);
      expect(shown(world.last).body).toBe('');
      expect(world.last.request.header('content-type')).toBeUndefined();
      expect(etagOf(world)).toBe(tag);
    }
  });

  test('§5.7 it is ended by who has the state: 204, no NOTIFY, and nothing is left', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    const response = await world.subscribe({ toTag, cseq: 2, expires: 0, ...ifMatch(etagOf(world)) });
    expect([response.status, response.header('expires')]).toEqual([204, '0']);
    expect(world.notifies).toHaveLength(1);
    expect(await world.events.watchers(bob)).toEqual([]);
    expect(await world.events.watchesOf(alice)).toEqual([]);
  });

  test('§5.2 * puts it to sleep: no change is told, a rule that ends it is; a refresh without wakes it', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    expect((await world.subscribe({ toTag, cseq: 2, ...ifMatch('*') })).status).toBe(204);
    await world.register('registered');
    await world.register('unregistered');
    expect(world.notifies).toHaveLength(1);
    await world.register('registered');
    await world.subscribe({ toTag, cseq: 3 });
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    await world.subscribe({ toTag, cseq: 4, ...ifMatch('*') });
    await world.events.putRules(bob, [{ watcher: alice, action: 'block' }]);
    await world.work();
    expect(shown(world.last).state).toBe('terminated;reason=rejected');
  });

  test('what is no entity-tag, or two of them: 400', async () => {
    const world = new World();
    expect((await world.subscribe(ifMatch('a b'))).status).toBe(400);
    const two = 'Suppress-If-Match: a\r\nSuppress-If-Match: b\r\n';
    expect((await world.subscribe({ headers: two })).status).toBe(400);
  });
});

describe('S23 notification rate, RFC 6446', () => {
  const event = 'presence;max-rate=0.1';

  test('§5.2 no two changes within ten seconds; the last state is told when they are over', async () => {
    const world = new World(2);
    await world.subscribe({ event });
    expect(shown(world.last).state).toBe('active;expires=600;max-rate=0.1');
    await world.register('registered');
    await world.register('unregistered');
    await world.register('registered');
    expect(world.notifies).toHaveLength(1);
    await world.pass(9_000, 1);
    expect(world.notifies).toHaveLength(1);
    await world.pass(1_000, 1);
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    await world.pass(30_000);
    expect(world.notifies).toHaveLength(2);
    await world.register('unregistered');
    expect(world.notifies).toHaveLength(3);
  });

  test('what was undone within the pause is not told', async () => {
    const world = new World();
    await world.subscribe({ event });
    await world.register('registered');
    await world.register('unregistered');
    await world.pass(20_000);
    expect(world.notifies).toHaveLength(1);
    await world.register('registered');
    expect(world.notifies).toHaveLength(2);
  });

  test('SUBSCRIBE, consent and the end are told at once', async () => {
    const world = new World();
    await world.events.putRules(bob, [{ watcher: alice, action: 'confirm' }]);
    const toTag = tagOf(await world.subscribe({ event }));
    await world.events.putRules(bob, []);
    await world.work();
    expect(world.notifies.map((notify) => shown(notify).state.split(';')[0])).toEqual(['pending', 'active']);
    await world.subscribe({ toTag, cseq: 2, event });
    await world.subscribe({ toTag, cseq: 3, event, expires: 0 });
    expect(world.notifies).toHaveLength(4);
  });

  test('§5.3 a rate that would tell nothing is raised to once before the end; another rate with another SUBSCRIBE, none without', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe({ event: 'presence;max-rate=0.0001', expires: 500 }));
    expect(shown(world.last).state).toBe('active;expires=500;max-rate=0.002');
    await world.subscribe({ toTag, cseq: 2, event: 'presence;max-rate=2' });
    expect(shown(world.last).state).toBe('active;expires=600;max-rate=2');
    await world.subscribe({ toTag, cseq: 3 });
    expect(shown(world.last).state).toBe('active;expires=600');
    for (const wrong of ['0', '-1', 'x', '1e3']) {
      await world.subscribe({ callId: wrong, event: `presence;max-rate=${wrong}` });
      expect(shown(world.last).state).toBe('active;expires=600');
    }
  });

  test('§5.1 the Event of a 2xx changes it', async () => {
    const world = new World();
    world.autoAnswer = undefined;
    await world.subscribe({ event });
    world.last.status(200, 'Event: presence;max-rate=0.5\r\n');
    await world.settle();
    await world.register('registered');
    await world.pass(2_000);
    expect(shown(world.last).state).toBe('active;expires=598;max-rate=0.5');
  });
});
