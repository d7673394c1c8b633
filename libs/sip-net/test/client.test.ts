import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClientTransaction, Flow } from '@rollcall/sip-transaction';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { respond } from '@rollcall/sip';
import { type Bench, HOST, Inbox, pause, request, startFront, TcpPhone, UdpPhone, until } from './support.ts';

let bench: Bench;
let phone: UdpPhone;
let flow: Flow;
let responses: Inbox<SipResponse>;
let failures: Inbox<string>;

beforeEach(async () => {
  bench = await startFront();
  phone = await UdpPhone.open(bench);
  const found = bench.front.connect('udp', { address: HOST, port: phone.port });
  if (found === undefined) throw new Error('no flow');
  flow = found;
  responses = new Inbox();
  failures = new Inbox();
});
afterEach(() => bench.stop());

const BRANCH = 'z9hG4bKclient';

function start(method: string, on: Flow = flow): ClientTransaction {
  const text = request({
    method,
    uri: 'sip:bob@192.0.2.9',
    via: `SIP/2.0/UDP ${HOST}:5060;branch=${BRANCH}`,
    headers: ['Route: <sip:p1;lr>'],
  });
  return bench.front.request(on, method, BRANCH, text, {
    onResponse: (response) => {
      responses.put(response);
    },
    onFailure: (reason) => {
      failures.put(reason);
    },
  });
}

const give = (to: SipRequest, status: number, toTag = 'b'): void => {
  phone.send(respond(to, status, { toTag }));
};

describe('RFC 3261 §17.1.2: the non-INVITE client transaction', () => {
  it('sends at 0, 0.5, 1.5, 3.5, 7.5 s and then every 4 s, and times out after 32 s', async () => {
    start('NOTIFY');
    await phone.request();
    for (const wait of [500, 1000, 2000, 4000, 4000]) {
      bench.clock.turn(wait - 100);
      await pause(60);
      bench.clock.turn(100);
      await phone.request();
    }
    bench.clock.turn(32_000);
    expect(await failures.next()).toBe('timeout');
    expect(bench.front.sizes()).toMatchObject({ clients: 0, timers: 0 });
    expect(bench.front.counters.clientTimeouts).toBe(1);
  });

  it('hands the final up once, absorbs its repetitions for T4, and is gone', async () => {
    start('NOTIFY');
    const notify = await phone.request();
    give(notify, 100);
    give(notify, 200);
    expect((await responses.next()).status).toBe(200);
    give(notify, 200);
    give(notify, 500);
    await pause(30);
    expect(responses.all).toHaveLength(1);
    expect(bench.front.counters.strayResponses).toBe(0);
    bench.clock.turn(5_000);
    await until(() => bench.front.sizes().answered === 0);
    give(notify, 200);
    await until(() => bench.front.counters.strayResponses === 1);
  });

  it('§17.1.3: branch and method must both match', async () => {
    start('NOTIFY');
    const notify = await phone.request();
    phone.send(respond(notify, 200, {}).replace('1 NOTIFY', '1 OPTIONS'));
    phone.send(respond(notify, 200, {}).replace(BRANCH, `${BRANCH}x`));
    await until(() => bench.front.counters.strayResponses === 2);
    expect(responses.all).toHaveLength(0);
  });

  it('§17.1.4: a flow that dies fails it at once', async () => {
    const stream = await TcpPhone.open(bench);
    stream.send(request({ via: 'SIP/2.0/TCP 192.0.2.77;branch=z9hG4bKx' }));
    const transaction = await bench.user.requests.next();
    start('NOTIFY', transaction.flow);
    await until(() => stream.text.startsWith('NOTIFY'));
    stream.close();
    expect(await failures.next()).toBe('transport');
    expect(bench.front.sizes()).toMatchObject({ clients: 0, timers: 0 });
    start('NOTIFY', transaction.flow);
    expect(failures.all).toHaveLength(1); // not before `request` has returned
    expect(await failures.next()).toBe('transport');
  });
});

describe('RFC 3261 §17.1.1: the INVITE client transaction', () => {
  it('stops repeating at a provisional, acknowledges a 486 itself, and again when it comes again', async () => {
    start('INVITE');
    const invite = await phone.request();
    bench.clock.turn(500);
    await phone.request();
    give(invite, 180);
    await responses.next();
    give(invite, 486, 'busy');
    expect((await responses.next()).status).toBe(486);
    const ack = await phone.request();
    expect(ack.method).toBe('ACK');
    expect(ack.requestUri).toBe('sip:bob@192.0.2.9');
    expect(ack.topVia()).toMatchObject({ value: { branch: BRANCH } });
    expect(ack.to()).toMatchObject({ value: { tag: 'busy' } });
    expect(ack.headers('route')).toEqual(['<sip:p1;lr>']);
    give(invite, 486, 'busy');
    expect((await phone.request()).method).toBe('ACK');
    expect(responses.all).toHaveLength(2);
    expect(bench.front.sizes().timers).toBe(1); // D
    bench.clock.turn(32_000);
    await until(() => bench.front.sizes().clients === 0);
  });

  it('RFC 6026 §8.4: hands every 2xx up, acknowledges none, until timer M', async () => {
    start('INVITE');
    const invite = await phone.request();
    give(invite, 200, 'one');
    give(invite, 200, 'two');
    await responses.next();
    await responses.next();
    expect(phone.inbox.all).toHaveLength(1);
    expect(bench.front.sizes().timers).toBe(1); // M
    bench.clock.turn(32_000);
    await until(() => bench.front.sizes().clients === 0);
    expect(failures.all).toHaveLength(0);
  });

  it('times out by timer B when nothing comes', async () => {
    start('INVITE');
    await phone.request();
    bench.clock.turn(32_000);
    expect(await failures.next()).toBe('timeout');
  });
});

describe('RFC 3261 §9.1: cancelling', () => {
  it('waits for a provisional, then sends CANCEL with the branch of the INVITE', async () => {
    const call = start('INVITE');
    const invite = await phone.request();
    call.cancel('Reason: SIP;cause=200\r\n');
    await pause(30);
    expect(phone.inbox.all).toHaveLength(1);
    give(invite, 180);
    const cancel = await phone.request();
    expect(cancel.method).toBe('CANCEL');
    expect(cancel.headers('reason')).toEqual(['SIP;cause=200']);
    expect(cancel.topVia()).toMatchObject({ value: { branch: BRANCH } });
    expect(cancel.cseq()).toMatchObject({ value: { seq: 1, method: 'CANCEL' } });
    give(cancel, 200);
    give(invite, 487);
    expect((await phone.request()).method).toBe('ACK');
    await until(() => responses.all.at(-1)?.status === 487);
    call.cancel();
    await pause(20);
    expect(phone.inbox.all).toHaveLength(3);
  });

  it('an INVITE without a final 64*T1 after its CANCEL is over', async () => {
    const call = start('INVITE');
    const invite = await phone.request();
    give(invite, 180);
    await responses.next();
    call.cancel();
    give(await phone.request(), 200);
    await pause(30);
    bench.clock.turn(32_000);
    expect(await failures.next()).toBe('timeout');
    await until(() => bench.front.sizes().clients === 0);
  });
});

it('past the limit of client transactions a request fails at once', async () => {
  const small = await startFront({ maxClientTransactions: 0 });
  const to = small.front.connect('udp', { address: HOST, port: phone.port });
  const reason = await new Promise<string>((resolve, reject) => {
    if (to === undefined) reject(new Error('no flow'));
    else
      small.front.request(to, 'NOTIFY', 'z9hG4bKx', request({ method: 'NOTIFY' }), {
        onResponse: reject,
        onFailure: resolve,
      });
  });
  expect(reason).toBe('transport');
  expect(small.front.counters.clientTransactionsRefused).toBe(1);
  await small.stop();
});

it('a user that throws costs its own transaction only', async () => {
  const throwing = {
    onResponse: () => {
      throw new Error('a bug');
    },
    onFailure: () => {
      throw new Error('a bug');
    },
  };
  bench.front.request(
    flow,
    'NOTIFY',
    'z9hG4bKa',
    request({ method: 'NOTIFY', branch: 'z9hG4bKa' }),
    throwing,
  );
  bench.front.request(
    flow,
    'NOTIFY',
    'z9hG4bKb',
    request({ method: 'NOTIFY', branch: 'z9hG4bKb' }),
    throwing,
  );
  start('NOTIFY');
  give(await phone.request(), 200);
  await until(() => bench.front.counters.userErrors === 1);
  bench.clock.turn(32_000);
  expect(await failures.next()).toBe('timeout');
  expect(bench.front.counters.userErrors).toBe(2);
});
