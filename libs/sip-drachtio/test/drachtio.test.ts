import { once } from 'node:events';
import { epochMs } from '@rollcall/kernel';
import { parseMessage, respond, type SipResponse } from '@rollcall/sip';
import { createSipFront } from '@rollcall/sip-net';
import type { Flow, ServerTransaction, SipFront } from '@rollcall/sip-transaction';
import { DrachtioDouble, eventually } from '@rollcall/testkit';
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { addressFromHex, addressHex, readAddresses } from '../src/flows.ts';
import { createDrachtioFront, type DrachtioFront, MAX_FRAME } from '../src/index.ts';

const HOST = '127.0.0.1';
const clock = { now: () => epochMs(Date.now()) };

interface Line {
  readonly level: string;
  readonly message: string;
}

/** A double and a front on it, with what the front was asked and what it logged. */
class Bench {
  readonly asked: ServerTransaction[] = [];
  readonly lines: Line[] = [];
  readonly listeners: SipFront['listeners'][] = [];

  private constructor(
    readonly double: DrachtioDouble,
    readonly front: DrachtioFront,
    readonly phone: Socket,
    readonly heard: string[],
  ) {}

  static async start(secret = 'right'): Promise<Bench> {
    const sip = createSipFront({ listeners: [{ transport: 'udp', host: HOST, port: 0 }], clock });
    const double = await DrachtioDouble.start({ secret: 'right', front: sip });
    const phone = createSocket('udp4').bind(0, HOST);
    await once(phone, 'listening');
    const heard: string[] = [];
    phone.on('message', (data) => heard.push(data.toString('latin1')));
    const log = (level: string) => (_fields: unknown, message: string) => {
      bench.lines.push({ level, message });
    };
    const front = createDrachtioFront({
      ...{ host: HOST, port: double.adminPort, secret },
      log: { info: log('info'), warn: log('warn'), error: log('error') },
      onListeners: (listeners) => bench.listeners.push(listeners),
    });
    const bench = new Bench(double, front, phone, heard);
    await front.start({ onRequest: (transaction) => bench.asked.push(transaction), onAck: () => undefined });
    return bench;
  }

  async ready(): Promise<this> {
    await eventually('the link is up', () => this.front.up);
    return this;
  }

  get port(): number {
    return this.phone.address().port;
  }

  get flow(): Flow {
    const flow = this.front.connect('udp', { address: HOST, port: this.port });
    if (flow === undefined) throw new Error('no flow');
    return flow;
  }

  /** A request of the phone. */
  send(method: string, more = '', body = ''): void {
    const { port } = this.double.sip('udp');
    const text =
      `${method} sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP ${HOST}:${String(this.port)};rport;branch=z9hG4bK${String(Math.random()).slice(2)}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=1\r\nTo: <sip:alice@example.test>\r\n` +
      `Call-ID: ${String(Math.random()).slice(2)}\r\nCSeq: 1 ${method}\r\n${more}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
    this.phone.send(Buffer.from(text, 'latin1'), port, HOST);
  }

  /** A request of the core; resolves with its final answer, or why there is none. */
  request(method: string, lines: string, body = ''): Promise<SipResponse | string> {
    const branch = `z9hG4bK${String(Math.random()).slice(2)}`;
    const text =
      `${method} sip:alice@${HOST}:${String(this.port)} SIP/2.0\r\nVia: SIP/2.0/UDP edge.example;branch=${branch}\r\n` +
      `Max-Forwards: 70\r\n${lines}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
    return new Promise((resolve) => {
      this.front.request(this.flow, method, branch, text, {
        onResponse: (response) => {
          if (response.status >= 200) resolve(response);
        },
        onFailure: resolve,
      });
    });
  }

  /** Answers what the phone was asked last. */
  async answer(status: number): Promise<string> {
    const raw = await eventually('a request at the phone', () => this.heard.shift());
    const parsed = parseMessage(raw);
    if (!parsed.ok || parsed.value.kind !== 'request') throw new Error('no request');
    const { port } = this.double.sip('udp');
    this.phone.send(Buffer.from(respond(parsed.value, status, { toTag: 'phone' }), 'latin1'), port, HOST);
    return raw;
  }

  async stop(): Promise<void> {
    await this.front.stop();
    await this.double.stop();
    this.phone.close();
  }
}

const NOTIFY =
  'From: <sip:bob@example.test>;tag=ours\r\nTo: <sip:alice@example.test>;tag=theirs\r\nCall-ID: stored-in-redis\r\n' +
  'CSeq: 4711 NOTIFY\r\nContact: <sip:3.abc@192.0.2.1:5060>\r\nEvent: reg\r\nSubscription-State: active;expires=60\r\n';

describe('the link to drachtio-server', () => {
  let bench: Bench;
  afterEach(() => bench.stop());

  it('E15 tells where the server listens, and gives requests of phones with their source', async () => {
    bench = await (await Bench.start()).ready();
    const { port } = bench.double.sip('udp');
    expect(bench.listeners).toEqual([
      [{ transport: 'udp', local: { address: HOST, port }, advertised: { address: HOST, port } }],
    ]);
    bench.send('OPTIONS');
    const transaction = await eventually('a request', () => bench.asked[0]);
    expect(transaction.flow).toMatchObject({ transport: 'udp', remote: { address: HOST, port: bench.port } });
    expect(bench.front.flow(transaction.flow.id)?.remote).toEqual(transaction.flow.remote);
    transaction.respond(
      200,
      respond(transaction.request, 200, { toTag: 'x', headers: 'X-Name: Jos\xc3\xa9\r\n' }),
    );
    const answer = await eventually('an answer', () => bench.heard[0]);
    expect(answer).toContain('X-Name: Jos\xc3\xa9\r\n');
    expect(bench.front.sizes()).toMatchObject({ pending: 0, clients: 0 });
  });

  it('E15 a NOTIFY keeps its own Call-ID, tags and CSeq, and its answer comes back as to our Via', async () => {
    bench = await (await Bench.start()).ready();
    const done = bench.request('NOTIFY', NOTIFY);
    const raw = await bench.answer(200);
    expect(raw).toContain('Call-ID: stored-in-redis\r\n');
    expect(raw).toContain('CSeq: 4711 NOTIFY\r\n');
    expect(raw).toContain('tag=ours');
    expect(raw).toContain('tag=theirs');
    const answer = await done;
    expect(typeof answer === 'object' && answer.status).toBe(200);
    expect(typeof answer === 'object' && answer.headers('via')).toEqual([
      expect.stringContaining('edge.example'),
    ]);
  });

  it('E15 a refused secret is one line, no readiness, and no crash', async () => {
    bench = await Bench.start('wrong');
    await eventually('told', () => bench.lines.some(({ level }) => level === 'error'));
    await eventually('tried again', () => bench.double.frames.length >= 3, 10_000);
    expect(bench.lines.filter(({ level }) => level !== 'info')).toHaveLength(1);
    expect(bench.front.up).toBe(false);
  });

  it('E15 what waits is told at once when the server goes, and later requests too', async () => {
    bench = await (await Bench.start()).ready();
    const waiting = bench.request('NOTIFY', NOTIFY);
    await eventually('it is on its way', () => bench.heard.length > 0);
    await bench.double.goAway();
    const answer = await waiting;
    expect(typeof answer === 'object' && answer.status).toBe(503);
    const later = await bench.request('NOTIFY', NOTIFY);
    expect(typeof later === 'object' && later.status).toBe(503);
    expect(bench.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    await bench.double.listen();
    await bench.ready();
    const after = bench.request('NOTIFY', NOTIFY.replace('4711', '4712'));
    bench.heard.length = 0;
    await bench.answer(200);
    const good = await after;
    expect(typeof good === 'object' && good.status).toBe(200);
  });

  it('E15 a message that the server cannot take is 513 here, and what is just below gets through', async () => {
    bench = await (await Bench.start()).ready();
    const type = 'Content-Type: application/reginfo+xml\r\n';
    const refused = await bench.request('NOTIFY', NOTIFY + type, 'x'.repeat(MAX_FRAME));
    expect(typeof refused === 'object' && refused.status).toBe(513);
    expect(bench.front.counters.tooLarge).toBe(1);
    const done = bench.request('NOTIFY', NOTIFY + type, 'x'.repeat(MAX_FRAME - 1_000));
    await bench.answer(200);
    const taken = await done;
    expect(typeof taken === 'object' && taken.status).toBe(200);
    expect(bench.double.wedged).toBe(false);
  });

  it('E15 a flood in both directions never fills the buffer of the server', async () => {
    bench = await (await Bench.start()).ready();
    const type = 'Content-Type: text/plain\r\n';
    const all = Array.from({ length: 40 }, (_, n) =>
      bench.request(
        'NOTIFY',
        NOTIFY.replace('stored', String(n)) + type,
        'x'.repeat(n % 2 === 0 ? 3_000 : 9_000),
      ),
    );
    for (let n = 0; n < all.length; n += 1) await bench.answer(200);
    const answers = await Promise.all(all);
    expect(answers.every((one) => typeof one === 'object' && one.status === 200)).toBe(true);
    expect(bench.double.mostBuffered).toBeLessThan(12_228);
  });

  it.each(['no frame at all', '#', '99999999999999999999#x', '12a4#x'])(
    'E15 %j from the server costs the connection, not the process',
    async (junk) => {
      bench = await (await Bench.start()).ready();
      bench.double.sendRaw(junk);
      await eventually('the link is lost', () => bench.front.counters.losses > 0);
      await bench.ready();
    },
  );

  it('E15 a drain takes no new requests', async () => {
    bench = await (await Bench.start()).ready();
    bench.front.stopAccepting();
    await eventually('unrouted', () => bench.double.frames.some(({ type }) => type === 'remove_route'));
    bench.send('OPTIONS');
    const answer = await eventually('an answer', () => bench.heard[0]);
    expect(answer).toContain('SIP/2.0 503');
    expect(bench.asked).toEqual([]);
  });
});

describe('flows of drachtio', () => {
  it('addresses go through their hex digits', () => {
    for (const address of ['127.0.0.1', '203.0.113.255', '2001:db8::1', '::1', 'fe80::1:2:3']) {
      const hex = addressHex(address) ?? '';
      expect(hex).toMatch(/^([0-9a-f]{8}|[0-9a-f]{32})$/);
      expect(addressHex(addressFromHex(hex) ?? '')).toBe(hex);
    }
    expect(addressHex('example.test')).toBeUndefined();
    expect(addressFromHex('xyz')).toBeUndefined();
  });

  it('the server’s addresses are read, outside and behind', () => {
    expect(
      readAddresses('udp/198.51.100.1:5060,tls/[2001:db8::1]:5061,sctp/1.2.3.4:1', 'udp/10.0.0.1:5060'),
    ).toEqual([
      {
        transport: 'udp',
        local: { address: '10.0.0.1', port: 5060 },
        advertised: { address: '198.51.100.1', port: 5060 },
      },
      {
        transport: 'tls',
        local: { address: '2001:db8::1', port: 5061 },
        advertised: { address: '2001:db8::1', port: 5061 },
      },
    ]);
  });
});
