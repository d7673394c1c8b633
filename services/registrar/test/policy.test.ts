import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { DEFAULT_POLICY, FlowTokens, Gruus } from '@rollcall/location';
import type { Binding, Policy } from '@rollcall/location';
import { parseUri } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';
import { aorOf, register, Replica, START, World } from './support.ts';

const ALICE = aorOf('alice@example.test');
const CONTACT = 'Contact: <sip:a@10.0.0.1>';

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function started(world: World, policy: Partial<Policy> = {}): Promise<Replica> {
  const replica = new Replica(world, { ...DEFAULT_POLICY, ...policy });
  await settle();
  return replica;
}

const device = (n: number, lines: readonly string[] = []): string =>
  register({ callId: `d-${n.toString()}`, lines: [`Contact: <sip:a@10.0.1.${n.toString()}>`, ...lines] });

const listed = (answer: SipResponse): string[] =>
  answer.headers('contact').map((value) => value.slice(1, value.indexOf('>')));

describe('B19 the device limit, 20 devices at once over 3 registrars', () => {
  const rules = [
    { onLimit: 'reject', accepted: 4 },
    { onLimit: 'evict-oldest', accepted: 20 },
    { onLimit: 'evict-unreachable', accepted: 4 },
    { onLimit: 'replace', accepted: 20 },
  ] as const;
  test.each(rules)('B19 K22 $onLimit: the cap is never exceeded', async ({ onLimit, accepted }) => {
    const world = new World();
    const policy = { maxContacts: 4, onLimit };
    const replicas = await Promise.all([1, 2, 3].map(() => started(world, policy)));
    let most = 0;
    const commit = world.memory.commit.bind(world.memory);
    world.memory.commit = (asked) => {
      most = Math.max(most, asked.bindings.length);
      return commit(asked);
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => replicas[n % 3]!.send(device(n))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(accepted);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(20 - accepted);
    expect(most).toBeLessThanOrEqual(4);
    const { bindings } = await world.memory.read(ALICE);
    expect(bindings.length).toBeLessThanOrEqual(4);
    for (const answer of answers) expect(listed(answer).length).toBeLessThanOrEqual(4);
    for (const replica of replicas) expect(replica.handler.inFlight).toBe(0);
  });
});

describe('B19 who is unreachable', () => {
  const tokens = new FlowTokens('a secret of these tests');
  const path = (edge: string, epoch: number, flow: string): string =>
    `Path: <sip:${tokens.sign({ edge, epoch, flow })}@192.0.2.250;lr;ob>`;
  const policy = { maxContacts: 2, onLimit: 'evict-unreachable' } as const;
  const lease = (id: string, epoch: number) => ({ id, epoch, inner: '127.0.0.1:1' });

  test('B19 a binding whose edge has no lease makes room, and the edges are asked only then', async () => {
    const world = new World();
    world.leases.push(lease('edge-1', 7));
    const replica = await started(world, policy);
    await replica.send(device(1, [path('edge-1', 7, 't1')]));
    await replica.send(device(2, [path('edge-2', 7, 't1')]));
    expect(world.leaseReads).toBe(0);
    const answer = await replica.send(device(3, [path('edge-1', 7, 't2')]));
    expect(listed(answer)).toEqual(['sip:a@10.0.1.1', 'sip:a@10.0.1.3']);
    expect(world.leaseReads).toBe(1);
    expect(replica.counters.changes.rejected).toBe(1);
    expect((await replica.send(device(4, [path('edge-1', 7, 't3')]))).status).toBe(403);
  });

  test('B19 a connection of an earlier start of its edge is gone, a UDP flow is not', async () => {
    const world = new World();
    world.leases.push(lease('edge-1', 8));
    const replica = await started(world, policy);
    await replica.send(device(1, [path('edge-1', 7, 'u0-c0000201-5060')]));
    await replica.send(device(2, [path('edge-1', 7, 't1')]));
    const answer = await replica.send(device(3, [path('edge-1', 8, 't1')]));
    expect(listed(answer)).toEqual(['sip:a@10.0.1.1', 'sip:a@10.0.1.3']);
  });

  test('B19 what was found unreachable goes, and a device that registers again is reachable', async () => {
    const world = new World();
    world.leases.push(lease('edge-1', 8));
    const replica = await started(world, policy);
    const flow = path('edge-1', 8, 'u0-c0000201-5060');
    await replica.send(device(1, [flow]));
    await replica.send(device(2, [flow]));
    const mark = async (): Promise<void> => {
      const { version, bindings } = await world.memory.read(ALICE);
      const marked = bindings.map((one): Binding => ({
        ...one,
        reachability: { reachable: false, at: epochMs(START) },
      }));
      await world.memory.commit({ aor: ALICE, expectedVersion: version, bindings: marked, changes: [] });
    };
    await mark();
    await replica.send(register({ callId: 'd-1', cseq: 2, lines: ['Contact: <sip:a@10.0.1.1>', flow] }));
    const answer = await replica.send(device(3, [flow]));
    expect(listed(answer)).toEqual(['sip:a@10.0.1.1', 'sip:a@10.0.1.3']);
  });

  test('B21 the store away while the edges are asked: 503, nothing written', async () => {
    const world = new World();
    const replica = await started(world, policy);
    await replica.send(device(1));
    await replica.send(device(2));
    const { list } = world.edges;
    world.edges.list = () => {
      world.away = true;
      return list();
    };
    const answer = await replica.send(device(3));
    expect([answer.status, answer.header('retry-after')]).toEqual([503, '3']);
    world.away = false;
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(2);
  });
});

describe('A05 policies in force', () => {
  const own = (settings: object): string => `X-Rollcall-Policy: ${JSON.stringify(settings)}`;

  test('A05 the user overrides the domain, the domain the deployment, without a restart', async () => {
    const world = new World();
    world.domains[0] = { name: 'example.test', maxExpires: 600, minExpires: 30, defaultExpires: 300 };
    const replica = await started(world);
    let cseq = 0;
    const expires = async (lines: readonly string[]): Promise<string | undefined> => {
      cseq += 1;
      const answer = await replica.send(register({ cseq, lines: [CONTACT, ...lines] }));
      return /expires=([0-9]+)/.exec(answer.header('contact') ?? '')?.[1];
    };
    expect(await expires([])).toBe('300');
    expect(await expires(['Expires: 9999'])).toBe('600');
    expect(await expires(['Expires: 9999', own({ maxExpires: 1200 })])).toBe('1200');
    expect(await expires([own({ maxExpires: 120 })])).toBe('120');
    world.domains[0] = { name: 'example.test', defaultExpires: 90, minExpires: 30 };
    world.changed();
    await settle();
    expect(await expires(['Subject: again'])).toBe('90');
    expect(await expires([own({ maxExpires: 80 })])).toBe('80');
    expect(await expires(['X-Rollcall-Policy: {broken'])).toBe('90');
  });

  test('R08 for a third party the policy of the AoR holds, not their own', async () => {
    const world = new World();
    const bob = aorOf('bob@example.test');
    world.users.add(bob);
    world.granted.set(bob, [aorOf('secretary@example.test')]);
    world.policies.set(bob, { maxExpires: 100 });
    const replica = await started(world);
    const text = register({
      user: 'bob',
      identity: 'secretary',
      lines: [CONTACT, own({ maxExpires: 5000 })],
    });
    expect((await replica.send(text)).header('contact')).toContain(';expires=100');
    world.policies.set(bob, { thirdParty: false });
    const second = register({ user: 'bob', identity: 'secretary', cseq: 2, lines: [CONTACT] });
    expect((await replica.send(second)).status).toBe(403);
  });

  test('R14 R08 registrations for an alias stand under its user, by the owner and by a grant', async () => {
    const world = new World();
    world.users.add(ALICE);
    world.aliases.set(aorOf('al@example.test'), ALICE);
    world.granted.set(ALICE, [aorOf('secretary@example.test')]);
    const replica = await started(world);
    const as = (identity: string, n: number): string =>
      register({
        user: 'al',
        identity,
        callId: `${identity}${n.toString()}`,
        lines: [`Contact: <sip:${identity}@10.0.0.1>`],
      });
    expect((await replica.send(as('alice', 1))).status).toBe(200);
    expect((await replica.send(as('secretary', 1))).status).toBe(200);
    expect((await replica.send(as('mallory', 1))).status).toBe(403);
    expect((await world.memory.read(ALICE)).bindings).toHaveLength(2);
    expect((await world.memory.read(aorOf('al@example.test'))).bindings).toHaveLength(0);
    expect(world.audited.map(({ target }) => target)).toEqual([ALICE]);
  });

  test('B08 what a 200 says under jitter is what is stored, shown again, and ended', async () => {
    const world = new World();
    const replica = await started(world, { expiresJitter: 30 });
    const answers = await Promise.all(
      Array.from({ length: 9 }, (_, n) => replica.send(device(n, ['Expires: 1000']))),
    );
    const { bindings } = await world.memory.read(ALICE);
    const stored = new Map(bindings.map((one) => [one.contact, (one.expiresAt - START) / 1000]));
    expect(new Set(stored.values()).size).toBeGreaterThan(4);
    for (const answer of answers) {
      for (const value of answer.headers('contact')) {
        const [, uri = '', seconds = ''] = /^<([^>]+)>.*;expires=([0-9]+)$/.exec(value) ?? [];
        expect(stored.get(uri)).toBe(Number(seconds));
      }
    }
    const [soonest] = [...stored.values()].sort((a, b) => a - b);
    world.now = epochMs(START + (soonest ?? 0) * 1000);
    await replica.sweeper.sweep();
    expect((await world.memory.read(ALICE)).bindings.length).toBeLessThan(9);
  });

  test('B26 Flow-Timer: what the policy says on a connection, what NATs allow on UDP', async () => {
    const replica = await started(new World(), { outbound: 'supported', flowTimer: 90 });
    const lines = [
      'Contact: <sip:a@10.0.0.1>;+sip.instance="<urn:uuid:1>";reg-id=1',
      'Path: <sip:t@192.0.2.250;lr;ob>',
      'Supported: outbound',
    ];
    const text = register({ lines });
    expect((await replica.send(text)).header('flow-timer')).toBe('29');
    const tcp = register({ cseq: 2, lines }).replace('SIP/2.0/UDP', 'SIP/2.0/TCP');
    expect((await replica.send(tcp)).header('flow-timer')).toBe('90');
  });
});

describe('B28 GRUUs over replicas', () => {
  const gruus = new Gruus('a secret of these tests');
  const INSTANCE = '+sip.instance="<urn:uuid:1>"';
  const lines = (port: number, more = ''): string[] => [
    `Contact: <sip:a@10.0.0.1:${port.toString()}>;${INSTANCE}${more}`,
    'Supported: gruu, outbound',
    'Path: <sip:t@192.0.2.250;lr;ob>',
  ];
  const given = (answer: SipResponse, name: string): string =>
    new RegExp(`;${name}="([^"]+)"`).exec(answer.headers('contact').at(-1) ?? '')?.[1] ?? '';

  async function contactsOf(world: World, gruu: string): Promise<string[]> {
    const uri = parseUri(gruu);
    const resolved = uri.ok && uri.value.kind === 'sip' ? gruus.resolve(uri.value) : undefined;
    expect(resolved?.aor).toBe(ALICE);
    const { bindings } = await world.memory.read(ALICE);
    return (
      resolved?.select(bindings.filter((one) => one.expiresAt > world.now)).map((one) => one.contact) ?? []
    );
  }

  test('B28 both are routable; temporary ones add up until a new Call-ID, and end with the last binding', async () => {
    const world = new World();
    const [one, two] = [await started(world), await started(world)];
    const first = await one.send(register({ callId: 'c1', lines: lines(5060) }));
    const second = await two.send(register({ callId: 'c1', cseq: 2, lines: lines(5060) }));
    const temps = [first, second].map((answer) => given(answer, 'temp-gruu'));
    expect(new Set(temps).size).toBe(2);
    for (const gruu of [given(first, 'pub-gruu'), ...temps])
      expect(await contactsOf(world, gruu)).toEqual(['sip:a@10.0.0.1:5060']);
    const rebooted = await one.send(register({ callId: 'c2', lines: lines(5062) }));
    for (const gruu of temps) expect(await contactsOf(world, gruu)).toEqual([]);
    const third = given(rebooted, 'temp-gruu');
    for (const gruu of [given(first, 'pub-gruu'), third])
      expect(await contactsOf(world, gruu)).toEqual(['sip:a@10.0.0.1:5062']);
    await two.send(register({ callId: 'c2', cseq: 2, lines: ['Contact: *', 'Expires: 0'] }));
    expect(await contactsOf(world, given(first, 'pub-gruu'))).toEqual([]);
    world.now = epochMs(world.now + 10);
    await one.send(register({ callId: 'c2', cseq: 3, lines: lines(5062) }));
    expect(await contactsOf(world, third)).toEqual([]);
    expect(await contactsOf(world, given(first, 'pub-gruu'))).toEqual(['sip:a@10.0.0.1:5062']);
  });

  test('B28 a new Call-ID on one flow makes the temporary GRUUs of the other flow void too', async () => {
    const world = new World();
    const replica = await started(world, { outbound: 'supported' });
    await replica.send(register({ callId: 'f1', lines: lines(5060, ';reg-id=1') }));
    const flow2 = await replica.send(register({ callId: 'f2', cseq: 5, lines: lines(5060, ';reg-id=2') }));
    const old = given(flow2, 'temp-gruu');
    expect(await contactsOf(world, old)).toHaveLength(2);
    await replica.send(register({ callId: 'f1-again', lines: lines(5060, ';reg-id=1') }));
    expect(await contactsOf(world, old)).toEqual([]);
    const { bindings } = await world.memory.read(ALICE);
    expect(bindings.map(({ regId, gruu }) => [regId, gruu?.firstCseq])).toEqual([
      [1, 1],
      [2, 6],
    ]);
    const refreshed = await replica.send(
      register({ callId: 'f2', cseq: 6, lines: lines(5060, ';reg-id=2') }),
    );
    expect(await contactsOf(world, given(refreshed, 'temp-gruu'))).toHaveLength(2);
  });

  test('B28 a device that reboots without asking has none any more, and another is not touched', async () => {
    const world = new World();
    const replica = await started(world);
    const first = await replica.send(register({ callId: 'c1', lines: lines(5060) }));
    const other = ['Contact: <sip:b@10.0.0.2>;+sip.instance="<urn:uuid:2>"', 'Supported: gruu'];
    const others = await replica.send(register({ callId: 'o1', lines: other }));
    await replica.send(register({ callId: 'c9', lines: [`Contact: <sip:a@10.0.0.1:5060>;${INSTANCE}`] }));
    expect(await contactsOf(world, given(first, 'temp-gruu'))).toEqual([]);
    expect(await contactsOf(world, given(first, 'pub-gruu'))).toEqual(['sip:a@10.0.0.1:5060']);
    expect(await contactsOf(world, given(others, 'temp-gruu'))).toEqual(['sip:b@10.0.0.2']);
  });
});

describe('K30 a record that cannot be read', () => {
  test('K30 fails its own AoR with 500 and no other; nothing is overwritten', async () => {
    const world = new World();
    const replica = await started(world);
    const damaged = new RangeError('not a location record of a known format');
    const commit = world.location.commit.bind(world.location);
    const poisoned = (aor: string): void => {
      if (aor === ALICE) throw damaged;
    };
    Object.assign(world.location, {
      commit: async (asked: Parameters<typeof commit>[0]) => {
        await settle();
        poisoned(asked.aor);
        return commit(asked);
      },
    });
    expect((await replica.send(register({ lines: [CONTACT] }))).status).toBe(500);
    expect((await replica.send(register({ cseq: 2, lines: [CONTACT] }))).status).toBe(500);
    expect((await replica.send(register({ user: 'bob', lines: [CONTACT] }))).status).toBe(200);
    expect(replica.handler.inFlight).toBe(0);
  });
});
