import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId, ChangeKind } from '@rollcall/location';
import { openStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { RedisProcess } from '@rollcall/testkit';
import { FakeEdge } from './harness/fake-edge.ts';
import { Replica } from './harness/processes.ts';
import { tagOf } from './harness/world.ts';

/** Replicas of presence as processes, over a real Redis and real sockets; the edge is the test. */
let redis: RedisProcess;
let store: Store;
let edge: FakeEdge;
let replicas: Replica[];

const env = (): Record<string, string> => ({ ROLLCALL_REDIS_URL: redis.url });
const aorOf = (user: string): Aor => `sip:${user}@example.test` as Aor;

async function eventually(what: string, holds: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(10);
  }
}

async function addUser(user: string): Promise<void> {
  await store.users.put({ aor: aorOf(user), authUser: user, realm: 'example.test', ha1: {}, enabled: true });
}

async function register(user: string, kind: ChangeKind, trace?: string): Promise<void> {
  const aor = aorOf(user);
  const now = store.clock.now();
  const { version } = await store.location.read(aor);
  const binding: Binding = {
    id: 'b1' as BindingId,
    contact: 'sip:b@192.0.2.7',
    params: '',
    callId: 'r1',
    cseq: 1,
    path: [],
    registeredAt: now,
    refreshedAt: now,
    expiresAt: epochMs(now + 3_600_000),
  };
  const bindings = kind === 'unregistered' ? [] : [binding];
  const outcome = await store.location.commit({
    aor,
    expectedVersion: version,
    bindings,
    changes: [{ kind, binding }],
    trace,
  });
  expect(outcome.kind).toBe('committed');
}

const cseqs = (callId: string): number[] =>
  edge.of(callId).map(({ request }) => {
    const cseq = request.cseq();
    return cseq.ok ? cseq.value.seq : -1;
  });

beforeAll(async () => {
  redis = await RedisProcess.make();
  await redis.begin();
  store = openStore({ url: redis.url });
  await eventually('Redis is up', () => store.ready());
  edge = new FakeEdge();
  await edge.start();
  await store.edges.renew({ id: 'e1', epoch: 1, inner: edge.inner }, 600_000);
  await store.users.domains.put({ name: 'example.test' });
  replicas = await Promise.all([Replica.start(env()), Replica.start(env())]);
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await edge.stop();
  await store.close();
  await redis.stop();
});

describe('presence over Redis', () => {
  test('S02 S03 S04 S05 a dialog over two replicas: 200, NOTIFY at once, CSeq by one, full state, end', async () => {
    await addUser('ann');
    const first = await edge.subscribe(replicas[0]!.inner, { user: 'ann', callId: 'ann-1', cseq: 1 });
    expect(first.status).toBe(200);
    await eventually('the first NOTIFY', () => edge.of('ann-1').length === 1, 500);
    const toTag = tagOf(first);
    expect(
      (await edge.subscribe(replicas[1]!.inner, { user: 'ann', callId: 'ann-1', cseq: 2, toTag })).status,
    ).toBe(200);
    await eventually('the NOTIFY of the refresh', () => edge.of('ann-1').length === 2, 500);
    const end = await edge.subscribe(replicas[0]!.inner, {
      user: 'ann',
      callId: 'ann-1',
      cseq: 3,
      toTag,
      expires: 0,
    });
    expect(end.status).toBe(200);
    await eventually('the last NOTIFY', () => edge.of('ann-1').length === 3, 500);
    const [a = 0, b, c] = cseqs('ann-1');
    expect([b, c]).toEqual([a + 1, a + 2]);
    expect(edge.of('ann-1')[2]?.request.header('subscription-state')).toBe('terminated;reason=timeout');
    await eventually('nothing is left', async () => (await store.events.watchers(aorOf('ann'))).length === 0);
    const late = await edge.subscribe(replicas[1]!.inner, { user: 'ann', callId: 'ann-1', cseq: 4, toTag });
    expect(late.status).toBe(481);
  });

  test('S14 registers and unregisters: one NOTIFY each within a second; a refresh: none', async () => {
    await addUser('ben');
    await edge.subscribe(replicas[0]!.inner, { user: 'ben', callId: 'ben-1', cseq: 1 });
    await eventually('the first NOTIFY', () => edge.of('ben-1').length === 1);
    await register('ben', 'registered');
    await eventually('a NOTIFY of the registration', () => edge.of('ben-1').length === 2, 1_000);
    expect(edge.of('ben-1')[1]?.request.body).toContain('<basic>open</basic>');
    await register('ben', 'refreshed');
    await register('ben', 'refreshed');
    await sleep(1_200);
    expect(edge.of('ben-1')).toHaveLength(2);
    await register('ben', 'unregistered');
    await eventually('a NOTIFY of the end', () => edge.of('ben-1').length === 3, 1_000);
    expect(edge.of('ben-1')[2]?.request.body).toContain('<basic>closed</basic>');
  });

  test('S06 not refreshed: NOTIFY terminated within a second of the expiry, exactly one', async () => {
    await addUser('cid');
    const response = await edge.subscribe(replicas[0]!.inner, {
      user: 'cid',
      callId: 'cid-1',
      cseq: 1,
      expires: 60,
    });
    expect(response.header('expires')).toBe('60');
    await eventually('settled', async () => (await states('cid')) === 'settled');
    // The minute is shortened in the store, as if it had passed.
    const [id] = await store.events.watchers(aorOf('cid'));
    const stored = await store.events.read(id!);
    const expiresAt = epochMs(store.clock.now() + 1_000);
    await store.events.commit({
      id: id!,
      resource: aorOf('cid'),
      expectedVersion: stored!.version,
      next: { ...stored!.subscription, expiresAt },
    });
    await eventually('the last NOTIFY', () => edge.of('cid-1').length === 2, 4_000);
    const last = edge.of('cid-1')[1]!;
    expect(last.request.header('subscription-state')).toBe('terminated;reason=timeout');
    expect(Math.abs(last.at - expiresAt)).toBeLessThan(1_500);
    await sleep(1_500);
    expect(edge.of('cid-1')).toHaveLength(2);
  });

  test('S24 kill -9 with a NOTIFY in flight: another sends the next CSeq in the same dialog within 7 s', async () => {
    await addUser('dan');
    edge.answers = undefined;
    const doomed = await Replica.start(env());
    const response = await edge.subscribe(doomed.inner, { user: 'dan', callId: 'dan-1', cseq: 1 });
    await eventually('the first NOTIFY', () => edge.of('dan-1').length === 1);
    await doomed.kill();
    edge.answers = 200;
    await register('dan', 'registered');
    await eventually('a NOTIFY from another', () => edge.of('dan-1').length === 2, 7_000);
    const [a = 0, b] = cseqs('dan-1');
    expect(b).toBe(a + 1);
    const second = edge.of('dan-1')[1]!.request;
    expect(second.header('from')).toBe(`<sip:dan@example.test>;tag=${tagOf(response)}`);
    expect(second.body).toContain('<basic>open</basic>');
    await register('dan', 'unregistered');
    await eventually('and it goes on', () => edge.of('dan-1').length === 3, 1_000);
  });

  test('S24 kill -9 of an idle replica: the next change is told by another within a second', async () => {
    await addUser('eve');
    const doomed = await Replica.start(env());
    await edge.subscribe(doomed.inner, { user: 'eve', callId: 'eve-1', cseq: 1 });
    await eventually('settled', async () => (await states('eve')) === 'settled');
    await doomed.kill();
    await register('eve', 'registered');
    await eventually('a NOTIFY from another', () => edge.of('eve-1').length === 2, 1_000);
    const [a = 0, b] = cseqs('eve-1');
    expect(b).toBe(a + 1);
  });

  test('a replica that stops in order loses nothing and takes no work with it', async () => {
    await addUser('fay');
    const leaving = await Replica.start(env());
    await edge.subscribe(leaving.inner, { user: 'fay', callId: 'fay-1', cseq: 1 });
    await leaving.stop();
    expect(leaving.exitCode).toBe(0);
    expect(leaving.lines.at(-1)?.msg).toBe('stopped');
    await register('fay', 'registered');
    await eventually('a NOTIFY from another', () => edge.of('fay-1').length === 2, 1_000);
  });

  test('O04 the trace of the REGISTER goes on in the NOTIFY and in the spans of presence', async () => {
    await addUser('gil');
    const others = replicas;
    replicas = [await Replica.start({ ...env(), OTEL_TRACES_EXPORTER: 'console' })];
    await Promise.all(others.map((replica) => replica.stop()));
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const trace = `00-${traceId}-b7ad6b7169203331-01`;
    await edge.subscribe(replicas[0]!.inner, { user: 'gil', callId: 'gil-1', cseq: 1 });
    await eventually('settled', async () => (await states('gil')) === 'settled');
    await register('gil', 'registered', trace);
    await eventually('the NOTIFY', () => edge.of('gil-1').length === 2, 1_500);
    expect(edge.of('gil-1')[1]?.request.header('traceparent')).toMatch(`00-${traceId}-`);
    expect(edge.of('gil-1')[1]?.request.header('traceparent')).not.toBe(trace);
    await replicas[0]!.stop();
    expect(JSON.stringify(replicas[0]!.lines)).toContain(traceId);
    replicas = [await Replica.start(env()), await Replica.start(env())];
  });

  test('O03 health, readiness and metrics', async () => {
    const replica = replicas[0]!;
    expect([await replica.status('/healthz'), await replica.status('/readyz')]).toEqual([200, 200]);
    await edge.subscribe(replica.inner, { user: 'ann', callId: 'ann-9', cseq: 1 });
    await eventually('settled', async () => (await states('ann')) === 'settled');
    expect(await replica.metrics()).toMatch(
      /rollcall_notifications_total\{event="presence",status="200"\} [1-9]/,
    );
  });
});

describe('presence without Redis', () => {
  test('missing at start and gone later: one line each, 503 with Retry-After, ready again by itself', async () => {
    const own = await RedisProcess.make();
    const replica = await Replica.start({ ROLLCALL_REDIS_URL: own.url });
    try {
      const warnings = (): string[] =>
        replica.lines.flatMap(({ msg = '' }) => (msg.startsWith('the store') ? [msg] : []));
      expect(warnings()).toEqual(['the store is away, requests get 503']);
      expect([await replica.status('/healthz'), await replica.status('/readyz')]).toEqual([200, 503]);
      const refused = await edge.subscribe(replica.inner, { user: 'ann', callId: 'away', cseq: 1 });
      expect([refused.status, Number(refused.header('retry-after')) > 0]).toEqual([503, true]);
      await own.begin();
      await eventually('ready', async () => (await replica.status('/readyz')) === 200);
      expect(warnings().at(-1)).toBe('the store is back');
      expect(warnings()).toHaveLength(2);
    } finally {
      await replica.stop();
      await own.stop();
    }
  });

  test('a busy port and a wrong setting are one line and an exit code', async () => {
    const busy = await Replica.start({ ...env(), ROLLCALL_INNER_PORT: String(replicas[0]!.inner) });
    expect(busy.exitCode).toBe(1);
    expect(busy.stderr).toMatch(/^rollcall-presence: 127\.0\.0\.1:\d+ \(tcp\) is already in use\n$/);
    const wrong = await Replica.start({ ...env(), ROLLCALL_SUBSCRIPTION_MIN: 'soon' });
    expect(wrong.exitCode).toBe(78);
    expect(wrong.stderr).toMatch(/^rollcall-presence: ROLLCALL_SUBSCRIPTION_MIN: "soon" is not .*\n$/);
  });
});

/** Delivery state of the only subscription to a user. */
async function states(user: string): Promise<string | undefined> {
  const ids = await store.events.watchers(aorOf(user));
  return (await store.events.readMany(ids))[0]?.subscription.delivery;
}
