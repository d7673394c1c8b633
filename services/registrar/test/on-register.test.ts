import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { MAX_IN_FLIGHT } from '../src/on-register.ts';
import { aorOf, register, Replica, START, World } from './support.ts';

const ALICE = aorOf('alice@example.test');
const CONTACT = 'Contact: <sip:a@10.0.0.1>';

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('one round trip where nothing stands against it', () => {
  test('B01 B03 a first registration and a refresh are one commit each, without reading', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    expect((await replica.send(register({ lines: [CONTACT] }))).status).toBe(200);
    expect((await replica.send(register({ cseq: 2, lines: [CONTACT] }))).status).toBe(200);
    expect([world.commits, world.reads]).toEqual([2, 0]);
    expect(replica.counters).toMatchObject({ assumed: 1, remembered: 1, conflicts: 0 });
  });

  test('what is remembered may be behind: the conflict brings the truth and nothing is lost', async () => {
    const world = new World();
    const [one, two] = [new Replica(world), new Replica(world)];
    await settle();
    await one.send(register({ callId: 'c1', lines: [CONTACT] }));
    await two.send(register({ callId: 'c2', lines: ['Contact: <sip:b@10.0.0.2>'] }));
    const answer = await one.send(register({ callId: 'c1', cseq: 2, lines: [CONTACT] }));
    expect(answer.headers('contact')).toHaveLength(2);
    expect(one.counters.conflicts).toBe(1);
  });

  test('B02 a query is answered by the store, not by what is remembered', async () => {
    const world = new World();
    const [one, two] = [new Replica(world), new Replica(world)];
    await settle();
    await one.send(register({ lines: [CONTACT] }));
    await two.send(register({ cseq: 2, lines: ['Contact: *', 'Expires: 0'] }));
    expect((await one.send(register({ cseq: 3 }))).headers('contact')).toEqual([]);
  });

  test('B07 B12 a refusal by state is decided on the true state', async () => {
    const world = new World();
    const [one, two] = [new Replica(world), new Replica(world)];
    await settle();
    await one.send(register({ cseq: 9, lines: [CONTACT] }));
    await two.send(register({ callId: 'other', lines: ['Contact: *', 'Expires: 0'] }));
    // replica one remembers CSeq 9 of this Call-ID, but that binding is gone
    expect((await one.send(register({ cseq: 8, lines: [CONTACT] }))).status).toBe(200);
    expect((await two.send(register({ cseq: 7, lines: [CONTACT] }))).status).toBe(500);
  });

  test('B12 a request that another replica has carried out is answered again, and nothing is written', async () => {
    const world = new World();
    const [one, two] = [new Replica(world), new Replica(world)];
    await settle();
    const text = register({ cseq: 5, lines: [CONTACT, 'Expires: 600'] });
    const first = await one.send(text);
    const before = await world.memory.read(ALICE);
    expect((await two.send(text)).raw).toBe(first.raw);
    expect((await one.send(text)).raw).toBe(first.raw);
    expect(await world.memory.read(ALICE)).toEqual(before);
  });
});

describe('many at once', () => {
  test('B20 20 REGISTERs of one instance over 3 replicas leave one binding', async () => {
    const world = new World();
    const replicas = [new Replica(world), new Replica(world), new Replica(world)];
    await settle();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        replicas[index % 3]!.send(
          register({
            callId: `boot-${index.toString()}`,
            lines: [`Contact: <sip:a@10.0.0.1:${(6000 + index).toString()}>;+sip.instance="<urn:uuid:1>"`],
          }),
        ),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(1);
    for (const replica of replicas) expect(replica.handler.inFlight).toBe(0);
  });

  test('B19 20 devices at once never exceed the limit', async () => {
    const world = new World();
    const replicas = [new Replica(world), new Replica(world), new Replica(world)];
    await settle();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        replicas[index % 3]!.send(
          register({
            callId: `d-${index.toString()}`,
            lines: [`Contact: <sip:a@10.0.1.${index.toString()}>`],
          }),
        ),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(10);
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(10);
  });

  test('requests of one AoR are carried out in the order that they came (RFC 3261 §10.3)', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((cseq) => replica.send(register({ cseq, lines: [CONTACT] }))),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(replica.counters.conflicts).toBe(0);
  });

  test('past the limit of waiting requests the answer is 503 with Retry-After', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    const text = register({ lines: [CONTACT] });
    const waiting = Array.from({ length: MAX_IN_FLIGHT }, () => replica.send(text));
    const refused = await replica.send(text);
    expect([refused.status, refused.header('retry-after')]).toEqual([503, '3']);
    await Promise.all(waiting);
    expect(replica.handler.inFlight).toBe(0);
  });
});

describe('B21 the store goes', () => {
  test('503 with Retry-After, nothing written, and all is well when it is back', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    world.away = true;
    for (const text of [
      register({ lines: [CONTACT] }),
      register({}),
      register({ user: 'bob', identity: 'alice', lines: [CONTACT] }),
    ]) {
      const answer = await replica.send(text);
      expect([answer.status, answer.header('retry-after')]).toEqual([503, '3']);
    }
    world.away = false;
    expect(await world.memory.read(ALICE)).toEqual({ version: 0, bindings: [] });
    expect((await replica.send(register({ cseq: 2, lines: [CONTACT] }))).status).toBe(200);
  });

  test('a commit whose answer is lost is 503; the phone asks again and finds it done', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    world.answersLost = true;
    expect((await replica.send(register({ lines: [CONTACT] }))).status).toBe(503);
    world.answersLost = false;
    const again = await replica.send(register({ lines: [CONTACT] }));
    expect([again.status, again.headers('contact').length]).toEqual([200, 1]);
  });

  test('before the domains have been read nobody is told that a domain is not ours', async () => {
    const replica = new Replica(new World());
    expect((await replica.send(register({ lines: [CONTACT] }))).status).toBe(503);
  });

  test('a fault of ours is 500, is logged, and the next request of the AoR goes on', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    world.location.commitThen = (_commit, done) => {
      done(new TypeError('a bug'), undefined);
    };
    const answers = await Promise.all(
      [1, 2].map((cseq) => replica.send(register({ cseq, lines: [CONTACT] }))),
    );
    expect(answers.map(({ status }) => status)).toEqual([500, 500]);
    expect(replica.handler.inFlight).toBe(0);
  });
});

describe('who may', () => {
  test('R08 a third party with a grant, and the audit record names it', async () => {
    const world = new World();
    world.users.add('sip:bob@example.test');
    world.granted.set('sip:bob@example.test', [ALICE]);
    const replica = new Replica(world);
    await settle();
    const answer = await replica.send(register({ user: 'bob', identity: 'alice', lines: [CONTACT] }));
    expect(answer.status).toBe(200);
    expect(world.audited).toEqual([
      {
        actor: 'sip:alice@example.test',
        action: 'register.third-party',
        target: 'sip:bob@example.test',
        detail: 'registered sip:a@10.0.0.1',
      },
    ]);
  });

  test('R08 R10 without a grant 403, for an AoR that does not exist 404, and nothing is stored', async () => {
    const world = new World();
    world.users.add('sip:bob@example.test');
    const replica = new Replica(world);
    await settle();
    const status = async (user: string): Promise<number> =>
      (await replica.send(register({ user, identity: 'alice', lines: [CONTACT] }))).status;
    expect([await status('bob'), await status('nosuch')]).toEqual([403, 404]);
    expect(world.commits).toBe(0);
    expect(world.audited).toEqual([]);
  });

  test('only REGISTER is served (RFC 3261 §10.3)', async () => {
    const replica = new Replica(new World());
    await settle();
    const answer = await replica.send(register({ method: 'OPTIONS' }));
    expect([answer.status, answer.header('allow')]).toEqual([405, 'REGISTER']);
  });

  test('the policy of a domain overrides the usual one', async () => {
    const world = new World();
    world.domains[0] = {
      name: 'example.test',
      minExpires: 120,
      maxExpires: 600,
      defaultExpires: 300,
      maxContacts: 1,
    };
    const replica = new Replica(world);
    await settle();
    const brief = await replica.send(register({ lines: [CONTACT, 'Expires: 60'] }));
    expect([brief.status, brief.header('min-expires')]).toEqual([423, '120']);
    const capped = await replica.send(register({ cseq: 2, lines: [CONTACT, 'Expires: 3600'] }));
    expect(capped.header('contact')).toBe('<sip:a@10.0.0.1>;expires=600');
    expect(
      (await replica.send(register({ callId: 'c2', lines: ['Contact: <sip:b@10.0.0.2>'] }))).status,
    ).toBe(403);
  });
});

describe('B22 the sweepers', () => {
  test('three of them at once end each binding once, at its time', async () => {
    const world = new World();
    const replicas = [new Replica(world), new Replica(world), new Replica(world)];
    await settle();
    const told: string[] = [];
    const stop = new AbortController();
    void world.memory.watch(undefined, (events) => told.push(...events.map(({ kind }) => kind)), stop.signal);
    for (let index = 0; index < 30; index++) {
      const lines = [`Contact: <sip:a@10.0.0.1>`, `Expires: ${index < 10 ? '60' : '3600'}`];
      await replicas[index % 3]!.send(
        register({ user: `u${index.toString()}`, identity: `u${index.toString()}`, lines }),
      );
    }
    world.now = epochMs(START + 59_999);
    await Promise.all(replicas.map((replica) => replica.sweeper.sweep()));
    expect(told.filter((kind) => kind === 'expired')).toHaveLength(0);
    world.now = epochMs(START + 60_000);
    await Promise.all(replicas.map((replica) => replica.sweeper.sweep()));
    expect(told.filter((kind) => kind === 'expired')).toHaveLength(10);
    expect(replicas.reduce((sum, { counters }) => sum + counters.swept, 0)).toBe(10);
    world.now = epochMs(START + 3_600_000);
    await Promise.all(replicas.map((replica) => replica.sweeper.sweep()));
    expect(told.filter((kind) => kind === 'expired')).toHaveLength(30);
    stop.abort();
  });

  test('a binding that was refreshed meanwhile stays, and is looked at again when it is due', async () => {
    const world = new World();
    const replica = new Replica(world);
    await settle();
    await replica.send(register({ lines: [CONTACT, 'Expires: 60'] }));
    world.now = epochMs(START + 50_000);
    await replica.send(register({ cseq: 2, lines: [CONTACT, 'Expires: 60'] }));
    world.now = epochMs(START + 60_000);
    await replica.sweeper.sweep();
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(1);
    world.now = epochMs(START + 110_000);
    await replica.sweeper.sweep();
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(0);
  });
});

describe('K30 a record that cannot be read', () => {
  const POISON = aorOf('poison@example.test');

  /** A world in which the store throws at one AoR, as the codec does at a record of another format. */
  function poisoned(): World {
    const world = new World();
    const whole = { ...world.location };
    const refuse = (aor: string): void => {
      if (aor === POISON) throw new RangeError('not a location record of a known format');
    };
    world.location.read = async (aor) => {
      refuse(aor);
      return whole.read(aor);
    };
    world.location.commit = async (wanted) => {
      refuse(wanted.aor);
      return whole.commit(wanted);
    };
    return world;
  }

  test('K30 is 500 for its AoR, whether written or asked for, and everybody else is served', async () => {
    const replica = new Replica(poisoned());
    await settle();
    const poison = { user: 'poison', identity: 'poison' };
    for (const [cseq, lines] of [
      [1, [CONTACT]],
      [2, []],
      [3, [CONTACT]],
    ] as const) {
      expect((await replica.send(register({ ...poison, cseq, lines: [...lines] }))).status).toBe(500);
    }
    expect((await replica.send(register({ lines: [CONTACT] }))).status).toBe(200);
    expect(replica.handler.inFlight).toBe(0);
  });

  test('K30 does not keep the sweeper from the others that are due', async () => {
    const world = poisoned();
    const replica = new Replica(world);
    await settle();
    await replica.send(register({ lines: [CONTACT, 'Expires: 60'] }));
    const { bindings } = await world.memory.read(ALICE);
    await world.memory.commit({ aor: POISON, expectedVersion: 0, bindings, changes: [] });
    world.now = epochMs(START + 60_000);
    expect(await replica.sweeper.sweep()).toBe(2);
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(0);
    expect(replica.counters.swept).toBe(1);
  });
});
