import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bench, HOST, pause, reply, request, startFront, TcpPhone, until } from './support.ts';

let bench: Bench;
let phone: TcpPhone;

beforeEach(async () => {
  bench = await startFront();
  bench.user.onEach = (transaction) => {
    reply(transaction, 200);
  };
  phone = await TcpPhone.open(bench);
});
afterEach(() => bench.stop());

const overTcp = (parts: Parameters<typeof request>[0] = {}): string =>
  request({ via: `SIP/2.0/TCP 192.0.2.77:5060;branch=z9hG4bK${String(Math.random()).slice(2)}`, ...parts });

const count = (text: string, part: string): number => text.split(part).length - 1;

describe('RFC 3261 §18: a request over TCP', () => {
  it('is answered on its connection, with received', async () => {
    phone.send(overTcp());
    expect((await phone.response()).topVia()).toMatchObject({ ok: true, value: { received: HOST } });
    const { flow } = await bench.user.requests.next();
    expect(flow).toMatchObject({
      transport: 'tcp',
      reliable: true,
      open: true,
      advertised: { address: '203.0.113.5', port: 5070 },
    });
    expect(flow.id).toBe('t1');
    expect(bench.front.flow('t1')).toBe(flow);
  });

  it('leaves no completed transaction behind: timer J is 0', async () => {
    phone.send(overTcp());
    await phone.response();
    expect(bench.front.sizes()).toMatchObject({ pending: 0, completed: 0 });
  });

  it('the flow is gone with its connection, and the user hears of it', async () => {
    phone.send(overTcp());
    const { flow } = await bench.user.requests.next();
    phone.close();
    expect((await bench.user.closed.next()).id).toBe(flow.id);
    expect(flow.open).toBe(false);
    expect(flow.send('x')).toBe(false);
    expect(bench.front.flow(flow.id)).toBeUndefined();
    expect(bench.front.sizes().connections).toBe(0);
  });
});

describe('E04 RFC 5626 §4.4.1: keep-alive', () => {
  it('E04 CRLFCRLF gets CRLF, between messages too', async () => {
    phone.send('\r\n\r\n');
    await until(() => phone.text === '\r\n');
    phone.text = '';
    phone.send(`${overTcp()}\r\n\r\n${overTcp()}`);
    await until(() => count(phone.text, 'SIP/2.0 200 OK') === 2);
    expect(count(phone.text, '\r\n\r\n\r\n')).toBe(1);
    expect(bench.front.counters.keepAlives).toBe(2);
  });
});

describe('E13 framing', () => {
  it('E13 a message in 1-byte pieces', async () => {
    for (const octet of overTcp({ body: 'v=0\r\n' })) {
      phone.send(octet);
      await new Promise(setImmediate);
    }
    expect((await phone.response()).status).toBe(200);
    expect((await bench.user.requests.next()).request.body).toBe('v=0\r\n');
  });

  it('E13 two messages in one segment, and one and a half', async () => {
    const third = overTcp();
    phone.send(overTcp() + overTcp() + third.slice(0, 100));
    await until(() => count(phone.text, 'SIP/2.0 200') === 2);
    phone.send(third.slice(100));
    await until(() => count(phone.text, 'SIP/2.0 200') === 3);
  });

  it('E13 the outcome does not depend on where the segments were cut', async () => {
    const text = `${overTcp({ body: 'hello', branch: 'a' })}\r\n\r\n${overTcp({ branch: 'b' })}`;
    for (let cut = 1; cut < text.length; cut += 29) {
      phone.text = '';
      phone.send(text.slice(0, cut));
      await new Promise(setImmediate);
      phone.send(text.slice(cut));
      await until(() => count(phone.text, 'SIP/2.0 200') === 2);
    }
    expect(bench.front.counters.closedFraming).toBe(0);
  });

  it.each([
    ['missing', 'Content-Length: 0\r\n', '', 400],
    ['negative', 'Content-Length: 0', 'Content-Length: -999', 400],
    ['no number', 'Content-Length: 0', 'Content-Length: ten', 400],
    ['given twice', 'Content-Length: 0', 'Content-Length: 0\r\nContent-Length: 9', 400],
    ['1 MiB', 'Content-Length: 0', 'Content-Length: 1048576', 413],
  ])('E13 Content-Length %s: refused and closed', async (_, from, to, status) => {
    phone.send(overTcp().replace(from, to));
    expect((await phone.response()).status).toBe(status);
    await until(() => phone.closed);
    expect(bench.user.requests.all).toHaveLength(0);
    expect(bench.front.counters.closedFraming).toBe(1);
    await until(() => bench.front.sizes().connections === 0);
  });

  it('E13 a body of 1 MiB that is really sent: 413 reaches the sender, nothing is kept', async () => {
    phone.send(overTcp().replace('Content-Length: 0', 'Content-Length: 1048576') + 'x'.repeat(1024 * 1024));
    expect((await phone.response()).status).toBe(413);
    await until(() => phone.closed);
    expect(bench.front.counters.tooLarge).toBe(1);
  });

  it.each([
    ['64 KiB in one line', 65_536],
    ['one that does not end', 200_000],
  ])('E13 a header of %s: 413 and closed', async (_, size) => {
    phone.send(overTcp({ headers: [`X-Long: ${'a'.repeat(size)}`] }));
    const response = await phone.response();
    expect(response.status).toBe(413);
    expect(response.raw.length).toBeLessThan(600);
    await until(() => phone.closed);
  });

  it('E13 Content-Length larger than what comes: the stalled message closes the connection in time', async () => {
    phone.send(overTcp().replace('Content-Length: 0', 'Content-Length: 10'));
    await pause(60);
    expect(phone.closed).toBe(false);
    bench.clock.turn(32_100);
    await until(() => phone.closed);
    expect(bench.front.counters.closedStalled).toBe(1);
    expect(bench.user.requests.all).toHaveLength(0);
  });

  it('E13 a half message that drips one byte now and then is closed all the same', async () => {
    const text = overTcp();
    for (let i = 0; i < 4; i += 1) {
      phone.send(text[i] ?? '');
      await pause(20);
      bench.clock.turn(10_000);
    }
    await until(() => phone.closed);
    expect(bench.front.counters.closedStalled).toBe(1);
  });

  it('E13 whole messages that each begin in the segment of the one before are not taken for a stall', async () => {
    let rest = '';
    for (let i = 0; i < 5; i += 1) {
      const text = overTcp();
      phone.send(rest + text.slice(0, 50));
      rest = text.slice(50);
      await pause(20);
      bench.clock.turn(20_000);
    }
    phone.send(rest);
    await until(() => count(phone.text, 'SIP/2.0 200') === 5);
    expect(phone.closed).toBe(false);
  });

  it('SMUG what cannot be framed behind a request, in one segment, is not refused in its name', async () => {
    phone.send(`${overTcp()}\x01\x02 no SIP at all\r\n\r\n`);
    await until(() => phone.closed);
    expect([count(phone.text, 'SIP/2.0 200'), count(phone.text, 'SIP/2.0 ')]).toEqual([1, 1]);
    expect(bench.front.counters).toMatchObject({
      malformedRefused: 0,
      malformedDropped: 1,
      closedFraming: 1,
    });
  });

  it('a malformed message that can be framed is refused, and the connection goes on', async () => {
    phone.send(overTcp().replace('CSeq: 1 REGISTER', 'CSeq: 1 INVITE'));
    expect((await phone.response()).status).toBe(400);
    phone.send(overTcp());
    expect((await phone.response()).status).toBe(200);
    expect(bench.front.counters).toMatchObject({ malformedRefused: 1, closedFraming: 0 });
  });
});

describe('bounds', () => {
  it('a connection that says nothing is closed, one that has spoken is not', async () => {
    const silent = await TcpPhone.open(bench);
    phone.send(overTcp());
    await phone.response();
    bench.clock.turn(32_100);
    await until(() => silent.closed);
    expect(bench.front.counters.closedIdle).toBe(1);
    expect(phone.closed).toBe(false);
  });

  it('past the connections of one address, and of all, a new one is closed at once', async () => {
    const small = await startFront({ maxConnectionsPerAddress: 1 });
    await TcpPhone.open(small);
    const second = await TcpPhone.open(small);
    await until(() => second.closed);
    expect(small.front.counters).toMatchObject({ connectionsAccepted: 1, connectionsRefused: 1 });
    expect(small.front.sizes().connections).toBe(1);
    await small.stop();
    const tiny = await startFront({ maxConnections: 0 });
    const refused = await TcpPhone.open(tiny);
    await until(() => refused.closed);
    await tiny.stop();
  });

  it('a peer that does not read is closed when its queue is full', async () => {
    phone.send(overTcp());
    const { flow } = await bench.user.requests.next();
    phone.socket.pause();
    const chunk = 'x'.repeat(100_000);
    let sent = 0;
    while (flow.send(chunk) && sent < 1000) {
      sent += 1;
      await new Promise(setImmediate);
    }
    expect(flow.open).toBe(false);
    expect(bench.front.counters.closedSlow).toBe(1);
  });
});

describe('connections that we open', () => {
  it('are made once for an address, carry requests and receive the answers', async () => {
    const { createServer } = await import('node:net');
    const seen: string[] = [];
    const server = createServer((socket) => {
      socket.on('data', (data) => {
        seen.push(data.toString('latin1'));
        socket.write(`SIP/2.0 200 OK\r\n${data.toString('latin1').split('\r\n').slice(1).join('\r\n')}`);
      });
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const flow = bench.front.connect('tcp', { address: HOST, port });
    expect(bench.front.connect('tcp', { address: HOST, port })).toBe(flow);
    if (flow === undefined) throw new Error('no flow');
    const status = await new Promise<number>((resolve, reject) => {
      const branch = 'z9hG4bKout1';
      const text = request({ method: 'NOTIFY', via: `SIP/2.0/TCP ${HOST}:5060;branch=${branch}` });
      bench.front.request(flow, 'NOTIFY', branch, text, {
        onResponse: (response) => {
          resolve(response.status);
        },
        onFailure: reject,
      });
    });
    expect(status).toBe(200);
    expect(seen).toHaveLength(1);
    flow.close('done');
    server.close();
  });

  it('that nobody accepts fail the request', async () => {
    const flow = bench.front.connect('tcp', { address: HOST, port: 1 });
    if (flow === undefined) throw new Error('no flow');
    const reason = await new Promise<string>((resolve) => {
      const text = request({ method: 'NOTIFY', via: `SIP/2.0/TCP ${HOST}:5060;branch=z9hG4bKout2` });
      bench.front.request(flow, 'NOTIFY', 'z9hG4bKout2', text, {
        onResponse: () => undefined,
        onFailure: resolve,
      });
    });
    expect(reason).toBe('transport');
    expect(bench.front.sizes().clients).toBe(0);
  });
});
