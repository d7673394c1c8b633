import { createSocket } from 'node:dgram';
import { Gruus } from '@rollcall/location';
import { eventually, TestSystem, token, type Account, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Callee, OutgoingCall } from './call-phones.ts';
import { ACCOUNTS, contactLine, freshAccount, ok, refused } from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({
    accounts: ACCOUNTS,
    replicas: { edge: 2, registrar: 2 },
    env: {
      edge: {
        ROLLCALL_OFFLINE_MESSAGES: 'true',
        ROLLCALL_QUALIFY: '1',
        // Phones of these tests are at 127.0.0.1; whoever guesses is not.
        ROLLCALL_GUARD_EXEMPT: '127.0.0.1',
        ROLLCALL_GUARD_ADDRESS_GUESSES: '20',
        ROLLCALL_GUARD_NAME_GUESSES: '1000',
      },
    },
  });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

interface Where {
  readonly edge?: number;
  readonly transport?: 'udp' | 'tcp';
  /** Contact parameters. */
  readonly params?: string;
  readonly headers?: readonly string[];
}

/** A phone that is registered and can be called. */
async function callee(
  account: Account,
  { params = '', headers = [], ...where }: Where = {},
): Promise<Callee> {
  const phone = await system.phone(account, where);
  await ok(
    phone.register(600, {
      callId: token(),
      headers: [contactLine(`<${phone.contact}>${params}`), 'Expires: 600', ...headers],
    }),
  );
  return new Callee(phone);
}

const caller = (where: Where = {}): Promise<Phone> => system.phone(freshAccount(), where);
const aorOf = ({ user }: Account): string => `sip:${user}@${system.domain}`;

/** Three devices of one user: two at the second edge. */
const threeDevices = async (account: Account): Promise<Callee[]> => [
  await callee(account, { edge: 1, transport: 'udp' }),
  await callee(account, { edge: 2, transport: 'udp' }),
  await callee(account, { edge: 2, transport: 'tcp' }),
];

/** Ports that no phone may ever see. */
const innerPorts = (): string[] =>
  system.plan.services.flatMap(({ env }) =>
    [env['ROLLCALL_INNER_PORT'] ?? [], env['ROLLCALL_HTTP_PORT'] ?? []].flat(),
  );

describe('calls over two edges', () => {
  it('C01 C08 E03 E10 caller on one edge, three devices on both: all ring, the first 200 wins, the rest are cancelled; the dialog goes both ways', async () => {
    const account = freshAccount();
    const devices = await threeDevices(account);
    const alice = new Callee(await caller({ edge: 1 }));
    const call = new OutgoingCall(alice.phone, aorOf(account));
    const final = call.start();
    const rung = await Promise.all(devices.map((device) => device.call()));
    await eventually('all ring', () => call.provisionals().length >= 3);
    for (const { invite } of rung)
      for (const port of innerPorts()) expect(invite.raw).not.toContain(`:${port}`);
    const [, winner] = devices as [Callee, Callee, Callee];
    winner.answer(rung[1] as never, 200);
    const answer = await ok(final);
    for (const port of innerPorts()) expect(answer.raw).not.toContain(`:${port}`);
    await eventually(
      'the others are cancelled',
      () => rung[0]?.cancelled === true && rung[2]?.cancelled === true,
    );
    await eventually(
      'their 487 is acknowledged',
      () => rung[0]?.acknowledged === true && rung[2]?.acknowledged === true,
    );
    expect(rung[1]?.cancelled).toBe(false);
    call.acknowledge(answer);
    await eventually('the ACK', () => rung[1]?.acknowledged === true);

    for (const method of ['UPDATE', 'INFO', 'REFER', 'PRACK']) {
      await ok(alice.phone.transact(call.inDialog(method, answer)));
      await ok(winner.phone.transact(winner.inDialog(rung[1] as never, method)));
    }
    expect(winner.requests.map(({ method }) => method)).toEqual(['UPDATE', 'INFO', 'REFER', 'PRACK']);
    expect(alice.requests.map(({ method }) => method)).toEqual(['UPDATE', 'INFO', 'REFER', 'PRACK']);
    await ok(winner.phone.transact(winner.inDialog(rung[1] as never, 'BYE')));
    expect(alice.requests.at(-1)?.method).toBe('BYE');
  });

  it('C06 the caller cancels while three ring: all get CANCEL, the caller 487', async () => {
    const account = freshAccount();
    const devices = await threeDevices(account);
    const call = new OutgoingCall(await caller({ edge: 1 }), aorOf(account));
    const final = call.start();
    const rung = await Promise.all(devices.map((device) => device.call()));
    await eventually('all ring', () => call.provisionals().length >= 3);
    await ok(call.cancel());
    await refused(final, 487);
    await eventually('all are cancelled', () => rung.every(({ cancelled }) => cancelled));
  });

  it('C02 C03 the best answer of all groups goes back; a 6xx ends the search', async () => {
    const account = freshAccount();
    const first = await callee(account, { edge: 2, params: ';q=1.0' });
    const second = await callee(account, { edge: 1, params: ';q=0.5' });
    const call = new OutgoingCall(await caller(), aorOf(account));
    const final = call.start();
    first.answer(await first.call(), 404);
    second.answer(await second.call(), 486);
    await refused(final, 486);
    const again = new OutgoingCall(await caller(), aorOf(account));
    const declined = again.start();
    first.answer(await first.call(2), 603);
    await refused(declined, 603);
    expect(second.calls).toHaveLength(1);
  });

  it('C05 nobody registered is 480, an unknown user 404, a foreign domain not relayed', async () => {
    const account = freshAccount();
    await refused(new OutgoingCall(await caller(), aorOf(account)).start(), 480);
    await refused(new OutgoingCall(await caller(), `sip:nobody-${token()}@${system.domain}`).start(), 404);
    await refused(new OutgoingCall(await caller(), 'sip:x@elsewhere.invalid').start(), 404);
  });

  it('C10 C11 Max-Forwards 0 is 483, Proxy-Require 420, an unknown method is proxied, nobody calls without credentials', async () => {
    const account = freshAccount();
    const device = await callee(account, { edge: 2 });
    const phone = await caller();
    const parts = { uri: aorOf(account), to: `<${aorOf(account)}>` };
    const noHops = phone.build('INVITE', parts).replace('Max-Forwards: 70', 'Max-Forwards: 0');
    await refused(phone.transact(noHops), 483);
    const gin = await refused(
      phone.transact(phone.build('INVITE', { ...parts, headers: ['Proxy-Require: gin'] })),
      420,
    );
    expect(gin.header('unsupported')).toBe('gin');
    await refused(phone.transact(phone.build('INVITE', { ...parts, auth: false })), 407);
    await ok(phone.request('FROB', parts));
    expect(device.requests.map(({ method }) => method)).toContain('FROB');
  });

  it('C07 B28 a GRUU reaches only its device, at whichever edge it is', async () => {
    const account = freshAccount();
    const instance = '<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>';
    const named = { params: `;+sip.instance="${instance}"`, headers: ['Supported: gruu'] };
    const desk = await callee(account, { edge: 1 });
    const mobile = await callee(account, { edge: 2, ...named });
    const uri = new Gruus('any').pub(aorOf(account) as never, instance);
    const call = new OutgoingCall(await caller(), uri);
    const final = call.start();
    mobile.answer(await mobile.call(), 200);
    await ok(final);
    expect(desk.calls).toHaveLength(0);
  });
});

describe('flows that die', () => {
  it('E06 B26 a connection is cut: the next flow of the device rings, and the dead binding goes', async () => {
    const account = freshAccount();
    const flow = (regId: number) => ({
      params: `;+sip.instance="<urn:uuid:${token()}${token().slice(0, 4)}>";reg-id=${String(regId)}`,
      headers: ['Supported: path, outbound'],
    });
    const one = flow(1);
    const backup = await callee(account, { edge: 1, transport: 'tcp', ...one });
    const primary = await callee(account, {
      edge: 2,
      transport: 'tcp',
      params: one.params.replace('reg-id=1', 'reg-id=2'),
      headers: one.headers,
    });
    expect(await system.admin.bindings(aorOf(account))).toHaveLength(2);
    const before = new OutgoingCall(await caller(), aorOf(account));
    const first = before.start();
    primary.answer(await primary.call(), 486);
    await refused(first, 486);
    expect(backup.calls).toHaveLength(0);

    primary.phone.close();
    const call = new OutgoingCall(await caller(), aorOf(account));
    const final = call.start();
    backup.answer(await backup.call(), 200);
    await ok(final);
    await eventually(
      'the dead binding is gone',
      async () => (await system.admin.bindings(aorOf(account))).length === 1,
      10_000,
    );
  });

  it('C04 one of two devices is gone: the call completes with the other', async () => {
    const account = freshAccount();
    const gone = await callee(account, { edge: 2, transport: 'tcp' });
    const there = await callee(account, { edge: 1 });
    gone.phone.close();
    const final = new OutgoingCall(await caller(), aorOf(account)).start();
    there.answer(await there.call(), 200);
    await ok(final);
  });

  it('E08 two phones of one user behind one address are both reachable', async () => {
    const account = freshAccount();
    const phones = [await callee(account), await callee(account)];
    const final = new OutgoingCall(await caller(), aorOf(account)).start();
    const [first, second] = await Promise.all(phones.map((phone) => phone.call()));
    phones[0]?.answer(first as never, 486);
    phones[1]?.answer(second as never, 200);
    await ok(final);
  });

  it('B29 a device that comes back on a new connection is called there, and only there', async () => {
    const account = freshAccount();
    const named = { params: `;+sip.instance="<urn:uuid:${token()}>"` };
    const before = await callee(account, { edge: 1, transport: 'tcp', ...named });
    const after = await callee(account, { edge: 2, transport: 'tcp', ...named });
    const final = new OutgoingCall(await caller(), aorOf(account)).start();
    after.answer(await after.call(), 200);
    await ok(final);
    expect(before.calls).toHaveLength(0);
  });
});

describe('messages', () => {
  it('C09 a MESSAGE to two devices gets one 2xx; one to nobody waits and is delivered once, at whichever edge the user registers', async () => {
    const account = freshAccount();
    const parts = { uri: aorOf(account), to: `<${aorOf(account)}>`, headers: ['Content-Type: text/plain'] };
    const sender = await caller();
    const stored = await sender.request('MESSAGE', { ...parts, body: 'while you were away' });
    expect(stored.status).toBe(202);
    const first = await callee(account, { edge: 2 });
    await eventually('the message', () => first.requests.length === 1);
    expect(first.requests[0]?.body).toBe('while you were away');
    const second = await callee(account, { edge: 1 });
    await ok(sender.request('MESSAGE', { ...parts, body: 'now' }));
    await eventually('both have it', () => second.requests.length === 1 && first.requests.length === 2);
    expect(second.requests[0]?.body).toBe('now');
  });
});

describe('OPTIONS', () => {
  it('E16 to the edge is answered, to a registered AoR proxied; the edge asks devices itself and shows what it finds', async () => {
    const account = freshAccount();
    const device = await callee(account, { edge: 2 });
    const phone = await caller();
    const edge = await phone.transact(phone.build('OPTIONS', { uri: `sip:${system.domain}`, auth: false }));
    expect(edge.status).toBe(200);
    await ok(phone.request('OPTIONS', { uri: aorOf(account), to: `<${aorOf(account)}>` }));
    await eventually('a ping', () => device.pings.length >= 2, 15_000);
    const store = await system.store();
    await eventually(
      'the record says so',
      async () =>
        (await store.location.read(aorOf(account) as never)).bindings[0]?.reachability?.reachable === true,
      15_000,
    );
    const [shown] = await system.admin.bindings(aorOf(account));
    expect(shown?.['reachability']).toMatchObject({ reachable: true, rttMs: expect.any(Number) as number });
    expect(
      await system.metric('edge', 'rollcall_qualify_requests_total', { outcome: 'answered' }),
    ).toBeGreaterThan(0);
  });
});

describe('abuse', () => {
  it('F09 an address that guesses passwords is banned for a time; others are served; metric and event', async () => {
    const account = freshAccount();
    const wrong = { ...account, password: 'guess' };
    const attacker = await system.phone(wrong, { local: { address: '127.0.0.9' } });
    const seen: number[] = [];
    for (let i = 0; i < 30; i += 1) {
      attacker.forget();
      seen.push((await attacker.register()).status);
    }
    expect(seen.filter((status) => status === 401).length).toBeLessThanOrEqual(22);
    expect(seen.at(-1)).toBe(403);
    await ok((await system.phone(account)).register());
    expect(await system.metric('edge', 'rollcall_guard_bans_total', { reason: 'guessing' })).toBe(1);
    expect(system.log('edge-1')).toContain('"event":"address-banned"');
  });

  it('F07 AMP a packet without authentication gets one small answer, and it is not repeated', async () => {
    const { host, port } = system.sip('udp');
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const got: Buffer[] = [];
    socket.on('message', (data) => got.push(data));
    let sent = 0;
    const methods = ['REGISTER', 'SUBSCRIBE', 'PUBLISH', 'INVITE', 'MESSAGE', 'OPTIONS', 'REFER', 'NOTIFY'];
    for (const method of methods) {
      const message =
        `${method} sip:alice@${system.domain} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK${token()};rport\r\nMax-Forwards: 70\r\n` +
        `From: <sip:alice@${system.domain}>;tag=1\r\nTo: <sip:alice@${system.domain}>\r\nCall-ID: ${token()}\r\nCSeq: 1 ${method}\r\n` +
        `Contact: <sip:alice@203.0.113.1>\r\nEvent: presence\r\nContent-Length: 0\r\n\r\n`;
      sent += message.length;
      socket.send(message, port, host);
    }
    await eventually('an answer to each', () => got.length >= methods.length);
    // Timer G or E would have repeated them by now.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(got).toHaveLength(methods.length);
    const octets = got.reduce((sum, data) => sum + data.length, 0);
    expect(octets / sent).toBeLessThan(3);
    socket.close();
  });
});
