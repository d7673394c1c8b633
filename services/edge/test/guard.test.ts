import { describe, expect, it } from 'vitest';
import { drain } from '../src/drain.ts';
import { BusyFlows } from '../src/busy-flows.ts';
import { GUARD_DEFAULTS } from '../src/guess-guard.ts';
import { LoopDelay } from '../src/loop-delay.ts';
import { Networks } from '../src/trusted-peers.ts';
import { bobWith, call, statuses } from './call-world.ts';
import { authorization, draft, FakeFlow, nonceOf, settle, world } from './world.ts';
import type { World } from './world.ts';

const guard = {
  ...GUARD_DEFAULTS,
  ...{ guessesPerName: 5, guessesPerAddress: 8, scansPerAddress: 50, exempt: [] as readonly string[] },
};

async function edgeWith(change: Partial<typeof guard> = {}): Promise<World> {
  const edge = await world({ guard: { ...guard, ...change } });
  for (const name of ['alice', 'bob', 'carol']) edge.store.addUser(name, 'secret');
  return edge;
}

const at = (address: string): FakeFlow => new FakeFlow(`u0-${address}`, 'udp', { address, port: 5062 });

/** Nonces are fetched from places of their own, so that only answers count. */
let asked = 0;

/** A REGISTER of `username` with this password; its status. */
async function attempt(edge: World, flow: FakeFlow, username: string, password: string): Promise<number> {
  const uri = `<sip:${username}@example.test>`;
  const nonce = nonceOf(
    edge.send(draft({ from: uri, to: uri }), at(`2001:db8:1::${(asked += 1).toString(16)}`)).answer,
  );
  const credentials = authorization({ nonce, username, password });
  const before = edge.registrar.requests.length;
  const transaction = edge.send(draft({ from: uri, to: uri, headers: credentials }), flow);
  await settle();
  if (edge.registrar.requests.length > before)
    edge.registrar.answer(200, 'Contact: <sip:x@192.0.2.1>;expires=60\r\n');
  return transaction.answer.status;
}

describe('F09 password guessing', () => {
  it('F09 an address that guesses is banned for a time; others, and who has proved themselves from there, are not', async () => {
    const edge = await edgeWith({ guessesPerName: 1_000 });
    const attacker = at('203.0.113.1');
    expect(await attempt(edge, attacker, 'carol', 'secret')).toBe(200);
    const seen: number[] = [];
    for (let i = 0; i < 15; i += 1) seen.push(await attempt(edge, attacker, 'alice', `guess${String(i)}`));
    expect(seen.slice(0, 9)).toEqual(Array(9).fill(401));
    expect(seen.slice(9)).toEqual(Array(6).fill(403));
    // The right password does not help any more, and its bearer learns nothing.
    expect(await attempt(edge, attacker, 'alice', 'secret')).toBe(403);
    expect(await attempt(edge, attacker, 'carol', 'secret')).toBe(200);
    expect(await attempt(edge, at('203.0.113.2'), 'alice', 'secret')).toBe(200);
    expect(edge.core.guard.counters.guessing).toBe(1);
    expect(edge.core.guard.banned()).toBe(1);
    edge.hand.turn(guard.banMs + 1);
    expect(await attempt(edge, attacker, 'alice', 'secret')).toBe(200);
    expect(edge.core.guard.banned()).toBe(0);
  });

  it('F09 K27 guesses for one user from many addresses are not looked at past a rate; the user goes on from where they are', async () => {
    const edge = await edgeWith();
    const home = at('192.0.2.77');
    expect(await attempt(edge, home, 'alice', 'secret')).toBe(200);
    const before = edge.core.counters.digest.wrong;
    for (let i = 0; i < 100; i += 1) await attempt(edge, at(`198.51.100.${String(i)}`), 'alice', 'guess');
    expect(edge.core.counters.digest.wrong - before).toBe(5);
    const throttled = await attempt(edge, at('198.51.100.200'), 'alice', 'guess');
    expect(throttled).toBe(503);
    expect(await attempt(edge, home, 'alice', 'secret')).toBe(200);
    // Nobody else notices, and a user that does not exist is treated like one that does.
    expect(await attempt(edge, at('198.51.100.201'), 'bob', 'secret')).toBe(200);
    for (let i = 0; i < 100; i += 1) await attempt(edge, at(`198.51.100.${String(i)}`), 'nobody', 'guess');
    expect(await attempt(edge, at('198.51.100.202'), 'nobody', 'guess')).toBe(503);
    edge.hand.turn(60_001);
    expect(await attempt(edge, at('198.51.100.203'), 'alice', 'secret')).toBe(200);
  });

  it('F09 an address that asks for users and never answers a challenge is banned; a site full of phones is not', async () => {
    const edge = await edgeWith();
    const scanner = at('203.0.113.1');
    const scan = (name: string, flow: FakeFlow): number =>
      edge.send(draft({ from: `<sip:${name}@example.test>`, to: `<sip:${name}@example.test>` }), flow).answer
        .status;
    const seen = Array.from({ length: 80 }, (_, i) => scan(`u${String(i)}`, scanner));
    expect(seen.filter((status) => status === 401)).toHaveLength(51);
    expect(seen.at(-1)).toBe(403);
    expect(edge.core.guard.counters.scanning).toBe(1);

    const site = at('203.0.113.9');
    for (let i = 0; i < 100; i += 1) {
      expect(scan('bob', site)).toBe(401);
      expect(await attempt(edge, site, 'bob', 'secret')).toBe(200);
    }
    expect(edge.core.guard.counters.scanning).toBe(1);
  });

  it('F09 balancers that hide everybody behind one address are exempt', async () => {
    const edge = await edgeWith({ exempt: ['203.0.113.0/24', '2001:db8::/32'] });
    for (const flow of [at('203.0.113.1'), at('2001:db8::5')]) {
      for (let i = 0; i < 30; i += 1) expect(await attempt(edge, flow, 'alice', 'guess')).toBe(401);
    }
    expect(edge.core.guard.banned()).toBe(0);
  });

  it('F06 K21 a flood of spoofed sources leaves nothing but what is bounded, and writes nothing', async () => {
    const edge = await edgeWith();
    const flow = at('192.0.2.1');
    for (let i = 0; i < 60_000; i += 1) {
      const address = `10.${String(i >> 16)}.${String((i >> 8) & 255)}.${String(i & 255)}`;
      edge.core.guard.challenged(address);
      edge.core.guard.wrong(address, 'example.test', `u${String(i)}`);
    }
    expect(edge.core.guard.size).toBeLessThanOrEqual(edge.core.guard.limit);
    expect(edge.registrar.requests).toHaveLength(0);
    expect(await attempt(edge, flow, 'alice', 'secret')).toBe(200);
  });

  it('networks are read as they are written', () => {
    const networks = new Networks(['192.0.2.0/30', '2001:db8::1']);
    expect([networks.has('192.0.2.3'), networks.has('192.0.2.4'), networks.has('2001:db8::1')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('F07 amplification', () => {
  it('F07 K19 AMP a packet without authentication gets one answer at most, without state, and no larger than its challenges make it', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    const flow = at('203.0.113.1');
    for (const method of [
      'REGISTER',
      'SUBSCRIBE',
      'PUBLISH',
      'INVITE',
      'MESSAGE',
      'OPTIONS',
      'NOTIFY',
      'BYE',
      'REFER',
      'FOO',
    ]) {
      const message = draft({
        method,
        uri: 'sip:bob@example.test',
        to: '<sip:bob@example.test>',
        headers: 'Event: presence\r\n',
      });
      const { answers } = edge.send(message, flow);
      await settle();
      expect(answers, method).toHaveLength(1);
      expect(answers[0]?.stateless, method).toBe(true);
      const growth = (answers[0]?.response.raw.length ?? 0) - message.length;
      // Three challenges, of which two are twice the size of the third.
      expect(growth, method).toBeLessThan(700);
    }
    edge.send(draft({ method: 'ACK', uri: 'sip:bob@example.test' }), flow);
    expect(flow.sent).toHaveLength(0);
    expect(edge.front.sent).toHaveLength(0);
    expect(edge.presence.requests).toHaveLength(0);
  });
});

describe('F03 overload', () => {
  it('F03 new work is refused first, with Retry-After, work that was begun last; and all is served when the load is gone', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    const { admission } = edge.core;
    const fresh = (): number =>
      edge.send(draft({ method: 'INVITE', uri: 'sip:bob@example.test' })).answer.status;
    expect(fresh()).toBe(407);
    edge.load.lagMs = 1_300;
    for (let i = 0; i < 20; i += 1) admission.tick();
    expect(admission.load).toBeGreaterThan(0.5);
    const refused = edge.send(draft({ method: 'INVITE', uri: 'sip:bob@example.test' })).answer;
    expect(refused.status).toBe(503);
    expect(refused.header('retry-after')).toMatch(/^\d+$/);
    expect(statuses(edge.send(draft({ headers: 'Authorization: Digest realm="x"\r\n' })))).not.toContain(503);
    const inDialog = draft({
      method: 'BYE',
      uri: 'sip:bob@example.test',
      to: '<sip:bob@example.test>;tag=1',
    });
    expect(edge.send(inDialog).answer.status).not.toBe(503);
    edge.load.lagMs = 0;
    for (let i = 0; i < 40; i += 1) admission.tick();
    expect(admission.load).toBe(0);
    expect(fresh()).toBe(407);
    expect(admission.shed).toBe(1);
    edge.load.waiting = 1;
    for (let i = 0; i < 40; i += 1) admission.tick();
    expect(fresh()).toBe(503);
    expect(statuses(await call(edge).catch(() => edge.send(draft())))).toEqual([503]);
  });

  it('F03 only ticks that are late one after the other are a load, not a pause', () => {
    const delay = new LoopDelay(100);
    let now = 0;
    const tick = (lag: number): void => {
      now += 100 + lag;
      delay.tick(now);
    };
    for (let i = 0; i < 12; i += 1) tick(0);
    tick(3_000);
    expect(delay.lag()).toBe(0);
    for (let i = 0; i < 10; i += 1) tick(300 + i);
    expect(delay.lag()).toBe(300);
    tick(0);
    expect(delay.lag()).toBe(0);
  });
});

describe('E12 drain', () => {
  interface Run {
    readonly closedAt: ReadonlyMap<string, number>;
    readonly tookMs: number;
  }

  async function run(
    count: number,
    graceMs: number,
    rate: number,
    busyUntil = new Map<string, number>(),
  ): Promise<Run> {
    let now = 0;
    const closedAt = new Map<string, number>();
    const busy = new BusyFlows();
    const flows = Array.from({ length: count }, (_, i) => {
      const flow = new FakeFlow(`t${String(i)}`, 'tcp', { address: '192.0.2.1', port: i });
      flow.close = () => {
        flow.open = false;
        closedAt.set(flow.id, now);
      };
      if (busyUntil.has(flow.id)) busy.enter(flow);
      return flow;
    });
    const sleep = (ms: number): Promise<void> => {
      now += ms;
      for (const flow of flows) if (busy.has(flow) && (busyUntil.get(flow.id) ?? 0) <= now) busy.leave(flow);
      return Promise.resolve();
    };
    let accepting = true;
    await drain(
      {
        stopAccepting: () => {
          accepting = false;
        },
        streams: () => flows,
        pending: () => 0,
        busy,
        sleep,
        now: () => now,
        random: Math.random,
      },
      { waitMs: 0, graceMs, rate },
    );
    expect(accepting).toBe(false);
    return { closedAt, tookMs: now };
  }

  it('E12 K26 connections are closed at a bounded rate, in random order', async () => {
    const { closedAt, tookMs } = await run(1_000, 60_000, 100);
    expect(closedAt.size).toBe(1_000);
    expect(tookMs).toBeGreaterThan(9_000);
    const perSecond = new Map<number, number>();
    for (const at of closedAt.values())
      perSecond.set(Math.floor(at / 1_000), (perSecond.get(Math.floor(at / 1_000)) ?? 0) + 1);
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(110);
    const order = [...closedAt.keys()].map((id) => Number(id.slice(1)));
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });

  it('E12 the grace time is kept whatever the rate, and few connections do not wait for it', async () => {
    expect((await run(10_000, 5_000, 10)).closedAt.size).toBe(10_000);
    expect((await run(3, 60_000, 100)).tookMs).toBeLessThan(1_000);
  });

  it('E12 a flow with a request in progress is closed when that is over; one that never ends does not hold up the end', async () => {
    const { closedAt, tookMs } = await run(
      10,
      10_000,
      1_000,
      new Map([
        ['t3', 4_000],
        ['t4', Infinity],
      ]),
    );
    expect(closedAt.get('t3')).toBeGreaterThanOrEqual(4_000);
    expect(closedAt.has('t4')).toBe(false);
    expect(tookMs).toBeLessThanOrEqual(10_050);
  });

  it('E12 who registers while it drains gets a short interval, so that it soon comes back through another edge', async () => {
    const edge = await world();
    edge.store.addUser('alice', 'secret');
    edge.core.shortenRegistrations(60);
    const nonce = nonceOf(edge.send(draft()).answer);
    const contact =
      '<sip:a@192.0.2.1>;q=0.5;+sip.instance="<urn:uuid:1>";expires=3600, <sip:b@192.0.2.1>;expires=0';
    edge.send(draft({ contact, headers: `Expires: 1800\r\n${authorization({ nonce })}` }));
    await settle();
    const { only } = edge.registrar;
    expect(only.headers('contact')).toEqual([
      '<sip:a@192.0.2.1>;+sip.instance="<urn:uuid:1>";q=0.5;expires=60',
      '<sip:b@192.0.2.1>;expires=0',
    ]);
    expect(only.headers('expires')).toEqual(['60']);
  });
});
