/*
 * The edge on the engine drachtio, with a double of drachtio-server: its wire protocol over TCP, SIP over UDP and TCP. What is asked of
 * it is what the native engine is asked elsewhere, in short.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Aor } from '@rollcall/location';
import { epochMs } from '@rollcall/kernel';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { createSipFront } from '@rollcall/sip-net';
import {
  ALICE,
  answerChallenge,
  DrachtioDouble,
  eventually,
  Phone,
  Subscription,
  TestSystem,
  token,
  type Account,
} from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Callee, OutgoingCall } from './call-phones.ts';
import { ACCOUNTS, contactLine, expectEverywhere, freshAccount, ok, refused, urisOf } from './support.ts';

const SECRET = 'cymru';
const HOST = '127.0.0.1';

let double: DrachtioDouble;
let system: TestSystem;
let phones: Phone[] = [];

const startDouble = (): Promise<DrachtioDouble> =>
  DrachtioDouble.start({
    secret: SECRET,
    front: createSipFront({
      listeners: [
        { transport: 'udp', host: HOST, port: 0 },
        { transport: 'tcp', host: HOST, port: 0 },
      ],
      clock: { now: () => epochMs(Date.now()) },
    }),
  });

const engine = (server: DrachtioDouble): Readonly<Record<string, string>> => ({
  ROLLCALL_ENGINE: 'drachtio',
  ROLLCALL_DRACHTIO: `${HOST}:${String(server.adminPort)}`,
  ROLLCALL_DRACHTIO_SECRET: SECRET,
});

beforeAll(async () => {
  double = await startDouble();
  system = await TestSystem.start({
    accounts: ACCOUNTS,
    replicas: { presence: 2 },
    env: { edge: engine(double) },
  });
});
afterEach(() => {
  for (const phone of phones) phone.close();
  phones = [];
});
afterAll(async () => {
  await system.stop();
  await double.stop();
});

async function open(account: Account = freshAccount(), transport: 'udp' | 'tcp' = 'udp'): Promise<Phone> {
  const phone = await Phone.open({
    ...{ server: double.sip(transport), domain: system.domain, transport },
    ...account,
  });
  phones.push(phone);
  return phone;
}

const withContact = (phone: Phone, ...lines: string[]): string[] => [
  contactLine(`<${phone.contact}>`),
  ...lines,
];

async function challenged(account: Account): Promise<{ phone: Phone; first: SipResponse }> {
  const phone = await open(account);
  const first = await phone.transact(phone.build('REGISTER', { headers: withContact(phone) }));
  expect(first.status).toBe(401);
  expect(first.headers('www-authenticate')).toHaveLength(3);
  phone.learn(first);
  return { phone, first };
}

function credentials(phone: Phone, change: (value: string) => string = (value) => value): string {
  if (phone.challenge === undefined) throw new Error('no challenge yet');
  const { user, password } = phone.options;
  const uri = `sip:${system.domain}`;
  return `Authorization: ${change(answerChallenge(phone.challenge, { method: 'REGISTER', uri, user, password }))}`;
}

describe('E15 REGISTER through drachtio', () => {
  it('E15 R01 R02 a challenge with every algorithm, then 200, stored and shown', async () => {
    const { phone, first } = await challenged(freshAccount());
    const via = first.topVia();
    expect(via.ok && via.value.received).toBe(HOST);
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
    const answer = await ok(phone.register(600));
    expect(urisOf(answer)).toEqual([phone.contact]);
    await expectEverywhere(system, phone, [phone.contact]);
  });

  it('E15 R03 R05 a wrong password, and a nonce used twice', async () => {
    const account = freshAccount();
    const wrong = await challenged({ ...account, password: 'wrong' });
    await refused(
      wrong.phone.transact(wrong.phone.build('REGISTER', { headers: withContact(wrong.phone) })),
      401,
    );
    const { phone } = await challenged(account);
    const raw = phone.build('REGISTER', { headers: withContact(phone, 'Expires: 600') });
    await ok(phone.transact(raw));
    const again = await refused(
      phone.transact(raw.replace(/branch=z9hG4bK\w+/, `branch=z9hG4bK${token()}`)),
      401,
    );
    expect(again.headers('www-authenticate').every((one) => /stale=true/i.test(one))).toBe(true);
  });

  it('E15 R04 a nonce past its lifetime: 401 stale=true', async () => {
    const server = await startDouble();
    const env = { edge: { ...engine(server), ROLLCALL_NONCE_LIFETIME: '1' } };
    const other = await TestSystem.start({ redis: { url: system.redisUrl }, env });
    try {
      const phone = await Phone.open({
        ...{ server: server.sip('udp'), domain: other.domain, transport: 'udp' },
        ...ALICE,
      });
      phones.push(phone);
      phone.learn(await phone.transact(phone.build('REGISTER', { headers: withContact(phone) })));
      await sleep(2_100);
      const late = await refused(
        phone.transact(phone.build('REGISTER', { headers: withContact(phone) })),
        401,
      );
      expect(late.headers('www-authenticate').every((one) => /stale=true/i.test(one))).toBe(true);
    } finally {
      await other.stop();
      await server.stop();
    }
  });

  it.each(['MD5', 'SHA-256', 'SHA-512-256'])('E15 R06 a phone that knows only %s', async (algorithm) => {
    const phone = await Phone.open({
      ...{ server: double.sip('udp'), domain: system.domain, transport: 'udp' },
      ...{ ...freshAccount(), algorithms: [algorithm] },
    });
    phones.push(phone);
    await ok(phone.register());
    expect(phone.challenge?.get('algorithm')).toBe(algorithm);
  });

  it('E15 R07 credentials that are not right are never 200', async () => {
    const { phone } = await challenged(freshAccount());
    for (const change of [
      (value: string) => value.replace(/uri="[^"]*"/, 'uri="sip:elsewhere.test"'),
      (value: string) => value.replace('qop=auth', 'qop=auth-conf'),
      (value: string) => value.replace(/cnonce="[^"]*", /, ''),
    ]) {
      const headers = withContact(phone, credentials(phone, change));
      const answer = await phone.transact(phone.build('REGISTER', { auth: false, headers }));
      expect([400, 401]).toContain(answer.status);
    }
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
  });

  it('E15 R08 R09 another’s address: 403, with a grant 200 under To', async () => {
    const owner = freshAccount();
    const phone = await open();
    await ok(phone.register());
    const aor = `sip:${owner.user}@${system.domain}` as Aor;
    await refused(phone.register(600, { to: `<${aor}>` }), 403);
    const store = await system.store();
    await store.users.grants.put(aor, phone.aor as Aor);
    await ok(phone.register(600, { to: `<${aor}>`, callId: token() }));
    expect((await system.admin.bindings(aor)).map((one) => one.contact)).toEqual([phone.contact]);
  });

  it('E15 B01 B02 B03 B04 B05 two devices, a query, a refresh, one goes, all go; over UDP and TCP', async () => {
    const account = freshAccount();
    const first = await open(account);
    const second = await open(account, 'tcp');
    await ok(first.register(600));
    const both = await ok(second.register(600));
    expect(urisOf(both)).toEqual([first.contact, second.contact].sort());
    expect(urisOf(await ok(first.request('REGISTER')))).toHaveLength(2);
    expect(urisOf(await ok(first.register(900)))).toHaveLength(2);
    expect(urisOf(await ok(second.register(0)))).toEqual([first.contact]);
    const all = await ok(first.request('REGISTER', { headers: ['Contact: *', 'Expires: 0'] }));
    expect(urisOf(all)).toEqual([]);
    expect(await system.admin.bindings(first.aor)).toEqual([]);
  });

  it('E15 B06 "*" with a time, or beside a Contact: 400, unchanged', async () => {
    const phone = await open();
    await ok(phone.register(600));
    for (const headers of [
      ['Contact: *', 'Expires: 3600'],
      ['Contact: *'],
      [`Contact: *, <${phone.contact}>`, 'Expires: 0'],
    ])
      await refused(phone.request('REGISTER', { headers }), 400);
    await expectEverywhere(system, phone, [phone.contact]);
  });
});

describe('E15 SUBSCRIBE through drachtio', () => {
  const cseqOf = (notify: SipRequest): number => {
    const cseq = notify.cseq();
    return cseq.ok ? cseq.value.seq : -1;
  };
  const stateOf = (notify: SipRequest): string => notify.header('subscription-state') ?? '';

  it('E15 S01 S02 S03 S04 S05 challenged, 200 and NOTIFY, the CSeq rises over a kill, a refresh, an end', async () => {
    const phone = await open();
    const headers = ['Event: message-summary', `Contact: <${phone.contact}>`];
    await refused(phone.transact(phone.build('SUBSCRIBE', { headers })), 401);
    const subscription = new Subscription(phone, { event: 'reg', expires: 600 });
    const answer = await ok(subscription.send());
    expect(answer.has('contact')).toBe(true);
    const first = await subscription.nextNotify();
    expect(stateOf(first)).toMatch(/^active/);
    const from = first.from();
    expect(from.ok && from.value.tag).toBe(subscription.toTag);
    expect(first.header('call-id')).toBe(subscription.callId);
    const seen = [cseqOf(first)];
    const device = await open({ user: phone.options.user, password: phone.options.password });
    await ok(device.register(600));
    seen.push(cseqOf(await subscription.nextNotify()));
    await system.kill('presence-1');
    await ok(device.register(0));
    seen.push(cseqOf(await subscription.nextNotify(20_000)));
    await system.revive('presence-1');
    await ok(subscription.send());
    seen.push(cseqOf(await subscription.nextNotify()));
    await ok(subscription.send(0));
    const last = await subscription.nextNotify();
    seen.push(cseqOf(last));
    expect(stateOf(last)).toMatch(/^terminated;reason=timeout/);
    expect(seen).toEqual(seen.map((_, index) => (seen[0] ?? 0) + index));
  });
});

describe('E15 calls through drachtio', () => {
  const callee = async (account: Account): Promise<Callee> => {
    const phone = await open(account);
    await ok(phone.register(600));
    return new Callee(phone);
  };

  it('E15 C01 all three ring, the first 200 wins, the rest are cancelled; ACK and requests go both ways, BYE ends it', async () => {
    const account = freshAccount();
    const devices = await Promise.all([callee(account), callee(account), callee(account)] as const);
    const alice = new Callee(await open());
    const call = new OutgoingCall(alice.phone, `sip:${account.user}@${system.domain}`);
    const final = call.start();
    const rung = await Promise.all([devices[0].call(), devices[1].call(), devices[2].call()] as const);
    await eventually('all ring', () => call.provisionals().length >= 3);
    const [, winner] = devices;
    winner.answer(rung[1], 200);
    const answer = await ok(final);
    await eventually('the others are cancelled', () => rung[0].cancelled && rung[2].cancelled);
    expect(rung[1].cancelled).toBe(false);
    call.acknowledge(answer);
    await eventually('the ACK', () => rung[1].acknowledged);
    await ok(alice.phone.transact(call.inDialog('INFO', answer)));
    await ok(winner.phone.transact(winner.inDialog(rung[1], 'INFO')));
    expect(winner.requests.map(({ method }) => method)).toEqual(['INFO']);
    expect(alice.requests.map(({ method }) => method)).toEqual(['INFO']);
    await ok(winner.phone.transact(winner.inDialog(rung[1], 'BYE')));
    expect(alice.requests.at(-1)?.method).toBe('BYE');
    await eventually('the server has no dialog left', () => double.dialogs === 0);
  });

  it('E15 C06 the caller gives up: all are cancelled, and he gets 487', async () => {
    const account = freshAccount();
    const devices = await Promise.all([callee(account), callee(account)]);
    const call = new OutgoingCall(await open(), `sip:${account.user}@${system.domain}`);
    const final = call.start();
    const rung = await Promise.all(devices.map((device) => device.call()));
    await eventually('all ring', () => call.provisionals().length >= 2);
    await ok(call.cancel());
    await refused(final, 487);
    await eventually('all are cancelled', () => rung.every(({ cancelled }) => cancelled));
  });
});

describe('E15 faults of the link', () => {
  it('E15 frames in pieces of seven octets', async () => {
    double.pieces = 7;
    try {
      await ok((await open()).register(600));
    } finally {
      double.pieces = 0;
    }
  });

  it('E15 a message over 12 kB is refused, and the link goes on', async () => {
    const account = freshAccount();
    const device = new Callee(await open(account));
    await ok(device.phone.register(600));
    const sender = await open();
    const uri = `sip:${account.user}@${system.domain}`;
    const headers = ['Content-Type: text/plain'];
    const answer = await sender.request('MESSAGE', {
      uri,
      to: `<${uri}>`,
      headers,
      body: 'x'.repeat(13_000),
    });
    expect(answer.status).toBe(513);
    await ok(sender.request('MESSAGE', { uri, to: `<${uri}>`, headers, body: 'x'.repeat(6_000) }));
    expect(device.requests.at(-1)?.body).toHaveLength(6_000);
    expect(double.wedged).toBe(false);
    expect(double.mostBuffered).toBeLessThan(12_228);
  });

  it('E15 many large answers at once do not run over the buffer of the server', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => open()));
    const long = (phone: Phone) =>
      phone.register(600, {
        headers: withContact(phone, `Supported: path, ${'x'.repeat(3_000)}`, 'Expires: 600'),
      });
    const answers = await Promise.all(many.map(long));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(double.wedged).toBe(false);
    expect(double.mostBuffered).toBeLessThan(12_228);
  });

  it('E15 what is no frame closes the connection and not the edge, which comes back', async () => {
    double.sendRaw('this is no frame#');
    await eventually(
      'connected anew',
      () => double.apps === 1 && double.frames.at(-1)?.type === 'route',
      15_000,
    );
    await ok((await open()).register(600));
    expect(system.service('edge-1').process.exited).toBe(false);
  });

  it('E15 a server that goes away: unready, alive, and back by itself', async () => {
    const ready = async (): Promise<number> => (await fetch(system.opsUrl('edge-1', '/readyz'))).status;
    await double.goAway();
    await eventually('unready', async () => (await ready()) === 503, 15_000);
    expect((await fetch(system.opsUrl('edge-1', '/healthz'))).status).toBe(200);
    await double.listen();
    await eventually('ready', async () => (await ready()) === 200, 20_000);
    await ok((await open()).register(600));
  });
});
