import { setTimeout as sleep } from 'node:timers/promises';
import type { SipResponse } from '@rollcall/sip';
import type { Aor } from '@rollcall/location';
import {
  ALICE,
  BOB,
  CAROL,
  answerChallenge,
  readChallenge,
  TestSystem,
  token,
  type Phone,
} from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCOUNTS,
  contactLine,
  contactsOf,
  expectEverywhere,
  freshAccount,
  ok,
  refused,
  TRANSPORTS,
  urisOf,
} from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, replicas: { edge: 2 } });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const parameter = (value: string, name: string): string | undefined => readChallenge(value).get(name);

/** A challenge must be complete: RFC 7616 §3.3, RFC 8760 §2.3. */
function expectChallenge(response: SipResponse): string[] {
  expect(response.status).toBe(401);
  const challenges = response.headers('www-authenticate');
  expect(challenges.map((one) => parameter(one, 'algorithm'))).toEqual(['SHA-512-256', 'SHA-256', 'MD5']);
  for (const challenge of challenges) {
    expect(challenge.startsWith('Digest ')).toBe(true);
    expect(parameter(challenge, 'realm')).toBe('example.test');
    expect(parameter(challenge, 'nonce')).toMatch(/\S{16}/);
    expect(parameter(challenge, 'qop')).toBe('auth');
  }
  const to = response.to();
  expect(to.ok && to.value.tag).toBeTruthy();
  return [...challenges];
}

/** An Authorization line for a REGISTER, each part of it replaceable. */
function credentials(
  phone: Phone,
  change: (value: string) => string = (value) => value,
  uri = `sip:${system.domain}`,
): string {
  if (phone.challenge === undefined) throw new Error('no challenge yet');
  const { user, password } = phone.options;
  return `Authorization: ${change(answerChallenge(phone.challenge, { method: 'REGISTER', uri, user, password }))}`;
}

const withContact = (phone: Phone, ...lines: string[]): string[] => [
  contactLine(`<${phone.contact}>`),
  ...lines,
];

describe.each(TRANSPORTS)('REGISTER identity over %s', (transport) => {
  const open = (account: typeof ALICE, edge = 1) => system.phone(account, { transport, edge });
  const challenged = async (account: typeof ALICE) => {
    const phone = await open(account);
    const first = await phone.transact(phone.build('REGISTER', { headers: withContact(phone) }));
    expectChallenge(first);
    phone.learn(first);
    return { phone, first };
  };

  it('R01 REGISTER without credentials: 401 with every algorithm, strongest first, and nothing is stored', async () => {
    const account = freshAccount();
    const { phone, first } = await challenged(account);
    const via = first.topVia();
    expect(via.ok && via.value.received).toBe('127.0.0.1');
    expect(via.ok && via.value.rport).toBe(phone.wire.local.port);
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
  });

  it('R02 answered challenge: 200 with every binding, its expires, and Date', async () => {
    const phone = await open(freshAccount());
    const answer = await ok(phone.register(600));
    const [contact, ...more] = contactsOf(answer);
    expect(more).toEqual([]);
    expect(contact?.uri).toBe(phone.contact);
    expect(contact?.expires).toBeGreaterThanOrEqual(599);
    expect(contact?.expires).toBeLessThanOrEqual(600);
    expect(Math.abs(Date.parse(answer.header('date') ?? '') - Date.now())).toBeLessThan(5000);
    await expectEverywhere(system, phone, [phone.contact]);
  });

  it('R03 wrong password: 401 with a fresh nonce, without stale, counted, nothing stored', async () => {
    const account = freshAccount();
    const { phone, first } = await challenged({ ...account, password: 'wrong' });
    const before = await system.metric('edge', 'rollcall_digest_outcomes_total', { outcome: 'wrong' });
    const again = await phone.transact(phone.build('REGISTER', { headers: withContact(phone) }));
    const challenges = expectChallenge(again);
    expect(challenges.some((one) => /stale=true/i.test(one))).toBe(false);
    expect(parameter(challenges[0] ?? '', 'nonce')).not.toBe(
      parameter(first.headers('www-authenticate')[0] ?? '', 'nonce'),
    );
    expect(
      await system.metric('edge', 'rollcall_digest_outcomes_total', { outcome: 'wrong' }),
    ).toBeGreaterThan(before);
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
  });

  it('R05 the same credentials under a new branch: 401 stale=true from the same edge and from another, binding unchanged', async () => {
    const phone = await open(freshAccount());
    const { first } = {
      first: await phone.transact(phone.build('REGISTER', { headers: withContact(phone) })),
    };
    phone.learn(first);
    const raw = phone.build('REGISTER', { headers: withContact(phone, 'Expires: 600') });
    await ok(phone.transact(raw));
    const before = await system.admin.bindings(phone.aor);
    const again = raw.replace(/branch=z9hG4bK\w+/, `branch=z9hG4bK${token()}`);
    const same = await phone.transact(again);
    expect(expectChallenge(same).every((one) => /stale=true/i.test(one))).toBe(true);
    const other = await open({ ...ALICE, user: phone.options.user }, 2);
    const elsewhere = await other.transact(
      again
        .replace(/branch=z9hG4bK\w+/, `branch=z9hG4bK${token()}`)
        .replace(/(Via: \S+ )[\d.:]+/, `$1${other.hostPort}`),
    );
    expect(expectChallenge(elsewhere).every((one) => /stale=true/i.test(one))).toBe(true);
    const after = await system.admin.bindings(phone.aor);
    expect(after.map((one) => [one.contact, one.id])).toEqual(before.map((one) => [one.contact, one.id]));
  });

  it.each(['MD5', 'SHA-256', 'SHA-512-256'])('R06 a phone that knows only %s', async (algorithm) => {
    const phone = await system.phone(freshAccount(), { transport, algorithms: [algorithm] });
    await ok(phone.register());
    expect(phone.challenge?.get('algorithm')).toBe(algorithm);
  });

  it('R06 userhash is honoured or challenged again, never a server error', async () => {
    const { phone } = await challenged(freshAccount());
    if (phone.challenge === undefined) throw new Error('no challenge');
    const { user, password } = phone.options;
    const value = answerChallenge(phone.challenge, {
      method: 'REGISTER',
      uri: `sip:${system.domain}`,
      user,
      password,
      userhash: true,
    });
    const answer = await phone.transact(
      phone.build('REGISTER', { auth: false, headers: withContact(phone, `Authorization: ${value}`) }),
    );
    expect([200, 401, 403]).toContain(answer.status);
  });

  it.each<readonly [string, (value: string) => string]>([
    ['another uri', (value) => value.replace(/uri="[^"]*"/, 'uri="sip:elsewhere.test"')],
    ['an unknown qop', (value) => value.replace('qop=auth', 'qop=auth-conf')],
    ['no cnonce', (value) => value.replace(/cnonce="[^"]*", /, '')],
    ['a nonce count that is no hex number', (value) => value.replace(/nc=\w+/, 'nc=zzzzzzzz')],
    ['a forged nonce', (value) => value.replace(/nonce="[^"]*"/, 'nonce="0123456789abcdef0123456789abcdef"')],
  ])('R07 credentials with %s: 400 or 401, nothing stored', async (_, change) => {
    const { phone } = await challenged(freshAccount());
    const answer = await phone.transact(
      phone.build('REGISTER', { auth: false, headers: withContact(phone, credentials(phone, change)) }),
    );
    expect([400, 401]).toContain(answer.status);
    expect(answer.headers('www-authenticate').some((one) => one.includes('stale=true'))).toBe(false);
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
  });

  it('R07 of two Authorization headers the one for our realm is taken', async () => {
    const { phone } = await challenged(freshAccount());
    const foreign = credentials(phone, (value) =>
      value.replace(/realm="[^"]*"/, 'realm="elsewhere.test"').replace(/nonce="[^"]*"/, 'nonce="abc"'),
    );
    await ok(
      phone.transact(
        phone.build('REGISTER', { auth: false, headers: withContact(phone, foreign, credentials(phone)) }),
      ),
    );
  });

  it('R08 identity alice, To bob: 403 and bob unchanged', async () => {
    const [owner, other] = [freshAccount(), freshAccount()];
    const phone = await open(other);
    await ok(phone.register());
    const to = `<sip:${owner.user}@${system.domain}>`;
    await refused(phone.register(600, { to }), 403);
    expect(await system.admin.bindings(`sip:${owner.user}@${system.domain}`)).toEqual([]);
  });

  it('R08 R09 with a third-party grant the binding goes under To, and the act is in the audit log', async () => {
    const [owner, other] = [freshAccount(), freshAccount()];
    const store = await system.store();
    const aor = `sip:${owner.user}@${system.domain}` as Aor;
    await store.users.grants.put(aor, `sip:${other.user}@${system.domain}` as Aor);
    const phone = await open(other);
    await ok(phone.register(600, { to: `<${aor}>` }));
    expect((await system.admin.bindings(aor)).map((one) => one.contact)).toEqual([phone.contact]);
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
    const audit = await store.audit.list(undefined, 50);
    expect(audit.items.some((one) => one.target.includes(owner.user) && one.actor.includes(other.user))).toBe(
      true,
    );
  });

  it('R11 To in another domain than the Request-URI: 404; a Request-URI that is not ours: 403 or 404; never stored', async () => {
    const phone = await open(freshAccount());
    await ok(phone.register(600));
    const foreign = await phone.register(600, {
      to: `<sip:${phone.options.user}@elsewhere.test>`,
      callId: token(),
    });
    expect(foreign.status).toBe(404);
    const outside = await phone.register(600, { uri: 'sip:elsewhere.test', callId: token() });
    expect([403, 404]).toContain(outside.status);
    expect(await system.admin.bindings(`sip:${phone.options.user}@elsewhere.test`)).toEqual([]);
  });

  it('R12 Require: foo is 420 with Unsupported; path, outbound and gruu are not refused', async () => {
    const phone = await open(freshAccount());
    await ok(phone.register());
    const answer = await refused(phone.register(600, { headers: withContact(phone, 'Require: foo') }), 420);
    expect(answer.header('unsupported')).toBe('foo');
    await ok(phone.register(600, { headers: withContact(phone, 'Supported: path, outbound, gruu') }));
    await ok(phone.register(600, { headers: withContact(phone, 'Require: path') }));
  });

  it('R13 parameters, escapes and case of the host in To name one AoR; the user part keeps its case', async () => {
    const phone = await open(freshAccount());
    const { user } = phone.options;
    const escaped = `%${user.charCodeAt(0).toString(16)}${user.slice(1)}`;
    await ok(phone.register(600, { to: `"Somebody" <sip:${user}@EXAMPLE.Test;transport=udp>` }));
    await ok(
      phone.register(600, {
        to: `<sip:${escaped}@example.test>`,
        headers: [contactLine('<sip:second@192.0.2.9>')],
      }),
    );
    await expectEverywhere(system, phone, [phone.contact, 'sip:second@192.0.2.9']);
    const upper = await phone.register(600, { to: `<sip:${user.toUpperCase()}@example.test>` });
    expect([403, 404]).toContain(upper.status);
  });

  it('R15 no fault is ever answered 6xx, and Record-Route is ignored', async () => {
    const phone = await open(freshAccount());
    await ok(phone.register());
    const faults = [
      ['Contact: <sip:'],
      ['Contact: *'],
      ['Contact: <sip:a@b>;q=2'],
      ['Expires: -1', contactLine(`<${phone.contact}>`)],
      ['Require: foo, bar'],
      ['Contact: <mailto:a@b>;expires=abc'],
    ];
    for (const headers of faults) {
      const answer = await phone.register(600, { headers });
      expect(answer.status).toBeLessThan(500);
    }
    const answer = await ok(
      phone.register(600, { headers: withContact(phone, 'Record-Route: <sip:evil.test;lr>') }),
    );
    expect(answer.has('record-route')).toBe(false);
  });
});

describe('REGISTER identity and time', () => {
  it('R10 an unknown user is challenged and refused like a known one, in the same time; 404 only for a valid identity', async () => {
    const times = { known: [] as number[], unknown: [] as number[] };
    for (let round = 0; round < 150; round++) {
      for (const kind of ['known', 'unknown'] as const) {
        const account =
          kind === 'known' ? { ...BOB, password: 'wrong' } : { user: 'nobody', password: 'wrong' };
        const phone = await system.phone(account);
        const first = await phone.transact(phone.build('REGISTER'));
        phone.learn(first);
        const at = performance.now();
        const answer = await phone.transact(phone.build('REGISTER'));
        times[kind].push(performance.now() - at);
        expect(answer.status).toBe(401);
        expect(answer.headers('www-authenticate').length).toBe(3);
        phone.close();
      }
    }
    const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
    const [known, unknown] = [median(times.known), median(times.unknown)];
    expect(Math.abs(known - unknown)).toBeLessThan(Math.max(0.5, 0.5 * Math.max(known, unknown)));
    const carol = await system.phone(CAROL);
    await ok(carol.register());
    const stranger = await carol.register(600, { to: '<sip:never-made@example.test>' });
    expect([403, 404]).toContain(stranger.status);
  });

  it('R04 the right answer to a nonce past its lifetime: 401 stale=true, and the new nonce works', async () => {
    const impatient = await TestSystem.start({
      accounts: ACCOUNTS,
      env: { edge: { ROLLCALL_NONCE_LIFETIME: '1' } },
    });
    try {
      const phone = await impatient.phone(ALICE);
      phone.learn(await phone.transact(phone.build('REGISTER')));
      await sleep(2100);
      const answer = await phone.transact(phone.build('REGISTER', { headers: withContact(phone) }));
      expect(expectChallenge(answer).every((one) => /stale=true/i.test(one))).toBe(true);
      phone.learn(answer);
      const again = await ok(phone.transact(phone.build('REGISTER', { headers: withContact(phone) })));
      expect(urisOf(again)).toEqual([phone.contact]);
    } finally {
      await impatient.stop();
    }
  });
});
