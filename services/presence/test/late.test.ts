import { describe, expect, test, vi } from 'vitest';
import { World, alice, bob, shown, tagOf } from './harness/world.ts';

const pidf = (basic: string): string =>
  `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:bob@example.test"><tuple id="t1"><status><basic>${basic}</basic></status></tuple></presence>`;

const deliveryOf = async (world: World): Promise<string | undefined> => {
  const [id] = await world.events.watchers(bob);
  return id === undefined ? undefined : (await world.events.read(id))?.subscription.delivery;
};
const settleAll = (world: World) =>
  Promise.all(world.replicas.map(({ notifier }) => notifier.settleLate())).then(() => world.settle());
const rising = (world: World): void => {
  const cseqs = world.notifies.map((notify) => shown(notify).cseq);
  expect(cseqs).toEqual(cseqs.map((_, n) => cseqs[0]! + n));
};

describe('NOTIFYs that are settled late', () => {
  test('what arrived is written a moment later; a next step before then goes on from it', async () => {
    const world = new World(1, true);
    await world.subscribe();
    expect(await deliveryOf(world)).toBe('inFlight');
    await world.publish(pidf('open'));
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    expect(world.notifies).toHaveLength(2);
    await settleAll(world);
    expect(await deliveryOf(world)).toBe('settled');
    expect(world.replicas[0]!.notifier.unsettled).toBe(0);
    await world.publish(pidf('open'), { headers: 'Expires: 600\r\n' });
    rising(world);
  });

  test('S15 a NOTIFY arrives while a publication leaves word for it: what it is owed is told at once', async () => {
    const world = new World(1, true);
    world.autoAnswer = undefined;
    await world.subscribe();
    const commit = world.events.commitPublications.bind(world.events);
    vi.spyOn(world.events, 'commitPublications').mockImplementation(async (publication) => {
      const outcome = await commit(publication);
      world.last.status(200);
      await world.settle();
      return outcome;
    });
    await world.publish(pidf('open'));
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    world.last.status(200);
    await world.settle();
    await settleAll(world);
    expect(await deliveryOf(world)).toBe('settled');
    rising(world);
  });

  test('S03 another replica leaves word meanwhile: the state of then is told once the first has settled', async () => {
    const world = new World(2, true);
    await world.subscribe({}, 0);
    await world.register('registered', {}, bob, 1);
    expect(world.notifies).toHaveLength(1);
    expect(await deliveryOf(world)).toBe('stale');
    await settleAll(world);
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    await settleAll(world);
    expect(await deliveryOf(world)).toBe('settled');
    rising(world);
  });

  test('S04 a refresh through another replica meanwhile is owed its NOTIFY and gets it', async () => {
    const world = new World(2, true);
    const toTag = tagOf(await world.subscribe({}, 0));
    await world.subscribe({ toTag, cseq: 2 }, 1);
    await settleAll(world);
    expect(world.notifies).toHaveLength(2);
    await world.subscribe({ toTag, cseq: 3, expires: 0 }, 1);
    await settleAll(world);
    await settleAll(world);
    expect(shown(world.last).state).toBe('terminated;reason=timeout');
    expect(await world.events.watchers(bob)).toEqual([]);
    rising(world);
  });

  test('S24 a replica that dies with it unwritten: another sends the state once more, with the next CSeq', async () => {
    const world = new World(2, true);
    await world.subscribe({}, 0);
    world.kill(0);
    await world.pass(5_000, 1);
    expect(world.notifies).toHaveLength(2);
    expect(world.last.replica).toBe(1);
    expect(shown(world.last).body).toBe(shown(world.notifies[0]!).body);
    rising(world);
  });

  test('S24 a replica that published and died before it told: another tells after the lease', async () => {
    const world = new World(2);
    await world.subscribe({}, 1);
    await world.events.commitPublications({
      resource: bob,
      expectedVersion: 0,
      publications: [],
      changed: true,
      tells: 16,
    });
    await world.location.commit({ aor: bob, expectedVersion: 0, bindings: [], changes: [] });
    await world.events.putRules(bob, [{ watcher: alice, action: 'polite-block' }]);
    await world.pass(4_000, 1);
    const before = world.notifies.length;
    await world.register('registered', { id: 'b2' as never });
    expect(world.notifies.length).toBe(before);
    await world.events.putRules(bob, []);
    await world.pass(2_000, 1);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    expect((await world.events.take(world.events.shardOf(bob), 10)).untold).toEqual([]);
  });

  test('the store goes away before it is written: nothing is lost when it is back', async () => {
    const world = new World(1, true);
    await world.subscribe();
    world.storeUp = false;
    await settleAll(world);
    world.storeUp = true;
    await world.pass(6_000);
    await world.register('registered');
    await settleAll(world);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    await settleAll(world);
    expect(await deliveryOf(world)).toBe('settled');
    rising(world);
  });

  test('S15 a change is claimed with the publication itself, and otherwise where the store knows better', async () => {
    const world = new World(2, true);
    const commits = vi.spyOn(world.events, 'settle');
    await world.subscribe({}, 0);
    await settleAll(world);
    commits.mockClear();
    await world.publish(pidf('open'));
    await world.publish(pidf('closed'));
    expect(commits).not.toHaveBeenCalled();
    expect(shown(world.last).body).toContain('<basic>closed</basic>');
    // Somebody has come by way of another replica, and a device has registered: both are told, and told of.
    await settleAll(world);
    await world.subscribe({ as: 'carol', callId: 'c2' }, 1);
    await settleAll(world);
    await world.register('registered', {}, bob, 1);
    await settleAll(world);
    const before = world.notifies.length;
    await world.publish(pidf('open'));
    expect(world.notifies).toHaveLength(before + 2);
    for (const { request } of world.notifies.slice(before))
      expect(request.body).toContain('<basic>open</basic>');
    expect((await world.events.take(world.events.shardOf(bob), 10)).untold).toEqual([]);
  });

  test('S24 a replica that dies when it has claimed with a publication: another sends the state after the claim', async () => {
    const world = new World(2, true);
    world.autoAnswer = undefined;
    await world.subscribe({}, 0);
    world.last.status(200);
    await settleAll(world);
    await world.publish(pidf('open'));
    world.kill(0);
    world.autoAnswer = 200;
    await world.pass(5_000, 1);
    expect(world.last.replica).toBe(1);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    rising(world);
  });
});
