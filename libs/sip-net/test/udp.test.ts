import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answer, viaWithSource } from '../src/index.ts';
import { type Bench, HOST, message, pause, reply, request, startFront, UdpPhone, until } from './support.ts';

let bench: Bench;
let phone: UdpPhone;

beforeEach(async () => {
  bench = await startFront();
  phone = await UdpPhone.open(bench);
});
afterEach(() => bench.stop());

describe('RFC 3261 §18.2.1 and RFC 3581: where a request came from', () => {
  it('E02 fills received and rport, and answers to the source', async () => {
    bench.user.onEach = (transaction) => {
      reply(transaction, 200);
    };
    phone.send(request({ via: 'SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKe02;rport;x=1' }));
    const via = (await phone.response()).topVia();
    expect(via).toMatchObject({
      ok: true,
      value: { received: HOST, rport: phone.port, branch: 'z9hG4bKe02' },
    });
  });

  it('E02 replaces what the client claims in received and rport', async () => {
    phone.send(request({ via: 'SIP/2.0/UDP 192.0.2.77;received=198.51.100.1;rport=1;branch=z9hG4bKlie' }));
    const { request: received, flow } = await bench.user.requests.next();
    const text = viaWithSource(received, flow) ?? '';
    expect(text).toContain(`received=${HOST}`);
    expect(text).toContain(`rport=${String(phone.port)}`);
    expect(text).not.toContain('198.51.100.1');
  });

  it('§18.2.2: without rport the answer goes to the port of the sent-by at the source address', async () => {
    const other = await UdpPhone.open(bench);
    bench.user.onEach = (transaction) => {
      reply(transaction, 200);
    };
    phone.send(request({ via: `SIP/2.0/UDP phone.example.test:${String(other.port)};branch=z9hG4bKport` }));
    const response = await other.response();
    expect(response.topVia()).toMatchObject({ ok: true, value: { received: HOST, rport: undefined } });
    expect(phone.inbox.all).toEqual([]);
  });

  it('a flow id names the flow again, without a table', async () => {
    phone.send(request());
    const { flow } = await bench.user.requests.next();
    expect(flow.id).toBe(`u0-7f000001-${String(phone.port)}`);
    expect(bench.front.flow(flow.id)?.send('NOTIFY x')).toBe(true);
    expect(await phone.inbox.next()).toBe('NOTIFY x');
    expect(bench.front.flow('u0-7f00000-1')).toBeUndefined();
    expect(bench.front.flow('u0-7f000001-70000')).toBeUndefined();
    expect(bench.front.flow('u9-7f000001-5060')).toBeUndefined();
  });
});

describe('RFC 3261 §17.2.2: the non-INVITE server transaction', () => {
  it('E05 hands a request up once, and answers its retransmission with the same octets until timer J', async () => {
    const text = request({ branch: 'z9hG4bKe05' });
    phone.send(text);
    const transaction = await bench.user.requests.next();
    phone.send(text); // Trying: discarded
    await until(() => bench.front.counters.retransmissionsAbsorbed === 1);
    expect(phone.inbox.all).toHaveLength(0);
    reply(transaction, 200);
    const first = await phone.inbox.next();
    phone.send(text); // Completed: the answer once more
    expect(await phone.inbox.next()).toBe(first);
    expect(bench.user.requests.all).toHaveLength(1);

    bench.clock.turn(32_000);
    await until(() => bench.front.sizes().completed === 0);
    phone.send(text);
    await bench.user.requests.next('request after timer J');
  });

  it('E05 lets only the first final out', async () => {
    phone.send(request());
    const transaction = await bench.user.requests.next();
    reply(transaction, 200);
    reply(transaction, 500);
    expect((await phone.response()).status).toBe(200);
    await pause(30);
    expect(phone.inbox.all).toHaveLength(1);
  });

  it('another method, branch or sent-by is another transaction', async () => {
    phone.send(request({ branch: 'z9hG4bKsame' }));
    phone.send(request({ branch: 'z9hG4bKsame', method: 'OPTIONS' }));
    phone.send(request({ branch: 'z9hG4bKother' }));
    phone.send(request({ via: 'SIP/2.0/UDP 192.0.2.78:5060;branch=z9hG4bKsame;rport' }));
    await until(() => bench.user.requests.all.length === 4);
  });

  it('RFC 4320 §4.1: a 100 when there is no answer after 3.5 s, and no other provisional', async () => {
    const text = request();
    phone.send(text);
    const transaction = await bench.user.requests.next();
    reply(transaction, 183);
    bench.clock.turn(3_500);
    expect((await phone.response()).status).toBe(100);
    phone.send(text); // Proceeding: the provisional again
    expect((await phone.response()).status).toBe(100);
    reply(transaction, 200);
    expect((await phone.response()).status).toBe(200);
  });

  it('RFC 4320 §4.2: a 408 is not sent', async () => {
    phone.send(request());
    reply(await bench.user.requests.next(), 408);
    await pause(30);
    expect(phone.inbox.all).toHaveLength(0);
    expect(bench.front.sizes().pending).toBe(0);
  });

  it('forgets a request that nobody answers when its client has given up', async () => {
    phone.send(request());
    await bench.user.requests.next();
    expect(bench.front.sizes().pending).toBe(1);
    bench.clock.turn(32_000);
    await until(() => bench.front.sizes().pending === 0);
  });

  it('§8.2.7: a stateless answer leaves nothing behind; a retransmission is handed up again', async () => {
    bench.user.onEach = (transaction) => {
      transaction.respondStateless(answer(transaction.request, transaction.flow, 401, { toTag: 't' }));
    };
    const text = request();
    phone.send(text);
    phone.send(text);
    await until(() => phone.inbox.all.length === 2);
    expect(bench.user.requests.all).toHaveLength(2);
    expect(bench.front.sizes()).toMatchObject({ pending: 0, completed: 0 });
  });

  it('answers 500 when its user throws, and goes on', async () => {
    bench.user.onEach = () => {
      throw new Error('a bug');
    };
    phone.send(request());
    expect((await phone.response()).status).toBe(500);
    expect(bench.front.counters.userErrors).toBe(1);
  });
});

describe('RFC 3261 §17.2.3: clients of RFC 2543', () => {
  const legacy = (seq: number): string =>
    message(
      'REGISTER sip:example.test SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.77:5060;rport',
      'From: <sip:alice@example.test>',
      'To: <sip:alice@example.test>',
      'Call-ID: legacy',
      `CSeq: ${String(seq)} REGISTER`,
      'Content-Length: 0',
    );

  it('P7 matches without a branch: the same headers are a retransmission, another CSeq is not', async () => {
    phone.send(legacy(1));
    phone.send(legacy(1));
    phone.send(legacy(2));
    await until(() => bench.user.requests.all.length === 2);
    expect(bench.front.counters.retransmissionsAbsorbed).toBe(1);
  });
});

describe('what is no request', () => {
  it('stray responses, keep-alives and noise get no answer and are counted', async () => {
    phone.send('\r\n\r\n');
    phone.send('');
    phone.send('\x16\x03\x01 noise of another protocol');
    phone.send(
      message(
        'SIP/2.0 200 OK',
        'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx',
        'From: <sip:a@b>;tag=1',
        'To: <sip:a@b>;tag=2',
        'Call-ID: c',
        'CSeq: 1 REGISTER',
        'Content-Length: 0',
      ),
    );
    await until(() => bench.front.counters.strayResponses === 1);
    expect(bench.front.counters).toMatchObject({ keepAlives: 2, notSip: 1 });
    expect(phone.inbox.all).toEqual([]);
  });

  it('a malformed request gets its 400 with the Via as received, and is counted', async () => {
    phone.send(request().replace('CSeq: 1 REGISTER', 'CSeq: x REGISTER'));
    const response = await phone.response();
    expect(response.status).toBe(400);
    expect(response.topVia()).toMatchObject({ ok: true, value: { received: HOST, rport: phone.port } });
    expect(bench.front.counters.malformedRefused).toBe(1);
    expect(bench.user.requests.all).toHaveLength(0);
  });

  it('what cannot be answered is dropped: noise, a malformed ACK, a malformed response', async () => {
    phone.send('hello\r\nworld\r\n\r\n');
    phone.send(request({ method: 'ACK' }).replace('CSeq: 1 ACK', 'CSeq: x ACK'));
    phone.send(message('SIP/2.0 200 OK', 'Via: nothing'));
    await until(() => bench.front.counters.malformedDropped === 3);
    expect(phone.inbox.all).toEqual([]);
  });

  it('E13 (UDP) a body longer than the datagram is 400, octets behind the body are cut off, a huge header is 413', async () => {
    phone.send(request().replace('Content-Length: 0', 'Content-Length: 10'));
    expect((await phone.response()).status).toBe(400);
    phone.send(`${request({ body: 'hello' })}INVITE sip:smuggled SIP/2.0\r\n`);
    expect((await bench.user.requests.next()).request.body).toBe('hello');
    phone.send(request({ headers: [`X-Long: ${'a'.repeat(60_000)}`] }));
    const refusal = await phone.response();
    expect(refusal.status).toBe(413);
    expect(refusal.raw.length).toBeLessThan(600);
    expect(bench.front.counters.tooLarge).toBe(1);
  });
});

describe('bounds', () => {
  it('past the limit of waiting transactions a request gets 503 with Retry-After', async () => {
    const small = await startFront({ maxServerTransactions: 2 });
    const caller = await UdpPhone.open(small);
    for (let i = 0; i < 3; i += 1) caller.send(request());
    const response = await caller.response();
    expect(response.status).toBe(503);
    expect(response.header('retry-after')).toBe('5');
    expect(small.front.counters.serverTransactionsRefused).toBe(1);
    await small.stop();
  });

  it('past the limit of completed transactions the oldest goes, and is counted', async () => {
    const small = await startFront({ maxCompletedTransactions: 2 });
    const caller = await UdpPhone.open(small);
    small.user.onEach = (transaction) => {
      reply(transaction, 200);
    };
    for (let i = 0; i < 3; i += 1) caller.send(request());
    await until(() => caller.inbox.all.length === 3);
    expect(small.front.sizes().completed).toBe(2);
    await until(() => small.front.counters.completedEvicted === 1);
    await small.stop();
  });
});
