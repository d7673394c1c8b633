import type { TransportName } from '@rollcall/sip-transaction';
import { afterEach, describe, expect, it } from 'vitest';
import { pause } from './support.ts';
import {
  AllBench,
  asResponse,
  frame,
  hasIPv6,
  HOST,
  type RawClient,
  register,
  soon,
  until,
} from './transports-support.ts';

const ALL = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
const STREAMS = ['tcp', 'tls', 'ws', 'wss'] as const;
const LETTER = { udp: 'u', tcp: 't', tls: 's', ws: 'w', wss: 'x' };

let bench: AllBench;
afterEach(() => bench.stop());

const families = [HOST, ...(hasIPv6 ? ['::1'] : [])];
const matrix = families.flatMap((host) => ALL.map((transport) => [transport, host] as const));

describe('E01 every transport, both families', () => {
  it.each(matrix)('E01 a REGISTER over %s at %s is answered on its flow', async (transport, host) => {
    bench = await new AllBench(host, [transport]).start();
    const { wire, inbox } = await bench.open(transport);
    wire.send(register(transport));
    const response = asResponse(await inbox.next('response', 10_000));
    expect(response.status).toBe(200);
    expect(response.topVia()).toMatchObject({ ok: true, value: { received: host } });
    const { flow } = await bench.user.requests.next();
    expect(flow).toMatchObject({ transport, reliable: transport !== 'udp', remote: { address: host } });
    expect(flow.id.startsWith(LETTER[transport])).toBe(true);
    expect(bench.front.flow(flow.id)?.open).toBe(true);
  });

  it.runIf(hasIPv6).each(ALL)(
    'E01 %s on [::] serves both families, each told its own address',
    async (transport) => {
      bench = new AllBench(
        '::',
        [transport],
        {},
        {
          listeners: [
            {
              ...{ transport, host: '::', port: 0 },
              advertised: { address: '2001:db8::7', port: 5060 },
              advertisedIPv4: { address: '198.51.100.7', port: 5060 },
            },
          ],
        },
      );
      await bench.start();
      for (const [host, told] of [
        ['::1', '2001:db8::7'],
        [HOST, '198.51.100.7'],
      ] as const) {
        const { wire, inbox } = await bench.open(transport, { host });
        wire.send(register(transport));
        expect(asResponse(await inbox.next('response', 10_000)).status).toBe(200);
        const { flow } = await bench.user.requests.next();
        expect(flow).toMatchObject({ remote: { address: host }, advertised: { address: told } });
      }
      expect(bench.front.listeners.map(({ advertised }) => advertised.address)).toEqual([
        '2001:db8::7',
        '198.51.100.7',
      ]);
    },
  );

  it('E01 several listeners of one transport, each with its own advertised address', async () => {
    const listener = (address: string) => ({
      ...{ transport: 'tcp' as const, host: HOST, port: 0 },
      advertised: { address, port: 5060 },
    });
    bench = new AllBench(HOST, [], {}, { listeners: [listener('192.0.2.1'), listener('192.0.2.2')] });
    await bench.start();
    const seen = [];
    for (const { local } of bench.front.listeners) {
      const { connect } = await import('node:net');
      const socket = connect(local.port, HOST);
      socket.write(register('tcp'));
      seen.push((await bench.user.requests.next()).flow.advertised.address);
      socket.destroy();
    }
    expect(seen).toEqual(['192.0.2.1', '192.0.2.2']);
  });
});

describe('E08 two phones behind one NAT address', () => {
  it.each(STREAMS)('E08 over %s: each is reached on its own flow', async (transport) => {
    bench = await new AllBench(HOST, [transport]).start();
    const phones = [await bench.open(transport), await bench.open(transport)];
    const flows = [];
    for (const { wire, inbox } of phones) {
      wire.send(register(transport));
      await inbox.next('response', 10_000);
      flows.push((await bench.user.requests.next()).flow);
    }
    expect(new Set(flows.map(({ id }) => id)).size).toBe(2);
    for (const [i, flow] of flows.entries()) flow.send(register(transport, { callId: `to-${String(i)}` }));
    for (const [i, { inbox }] of phones.entries())
      expect(await inbox.next('request', 10_000)).toContain(`Call-ID: to-${String(i)}`);
  });
});

describe('E04 keep-alives', () => {
  it.each(STREAMS)('E04 CRLFCRLF over %s is answered with CRLF', async (transport) => {
    bench = await new AllBench(HOST, [transport]).start();
    const { wire, pongs } = await bench.open(transport);
    wire.send('\r\n\r\n');
    await until(() => pongs() === 1, 10_000);
    expect(bench.front.counters.keepAlives).toBe(1);
    expect(bench.user.requests.all).toHaveLength(0);
  });

  it('E04 a STUN Binding request on the UDP port is answered with the address it came from (RFC 5389, RFC 5626 §8)', async () => {
    bench = await new AllBench(HOST, ['udp']).start();
    const { wire, inbox } = await bench.open('udp');
    wire.send('\x00\x01\x00\x00\x21\x12\xa4\x42TWELVE-BYTES');
    const answer = Buffer.from(await inbox.next('answer', 10_000), 'latin1');
    expect(answer.subarray(0, 20).toString('latin1')).toBe('\x01\x01\x00\x0c\x21\x12\xa4\x42TWELVE-BYTES');
    expect(answer.readUInt16BE(26) ^ 0x2112).toBe(wire.local.port);
    expect((answer.readUInt32BE(28) ^ 0x2112a442) >>> 0).toBe(0x7f000001);
    expect(bench.front.counters).toMatchObject({ stunAnswered: 1, notSip: 0, malformedDropped: 0 });
  });
});

/** Sends octets as this transport carries them: WebSocket as one frame for each piece between the cuts. */
const asBytes = (transport: TransportName, messages: readonly string[]): Buffer =>
  transport === 'ws' || transport === 'wss'
    ? Buffer.concat(messages.map((message) => frame(message)))
    : Buffer.from(messages.join(''), 'latin1');

async function client(transport: TransportName): Promise<RawClient> {
  const raw = await bench.raw(transport);
  if (transport === 'ws' || transport === 'wss') await raw.upgrade();
  return raw;
}

describe('E13 framing over every stream', () => {
  it.each(STREAMS)('E13 over %s: one byte at a time', async (transport) => {
    bench = await new AllBench(HOST, [transport]).start();
    const raw = await client(transport);
    for (const octet of asBytes(transport, [register(transport, { body: 'v=0\r\n' })])) {
      raw.send(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    await until(() => raw.count('SIP/2.0 200') === 1, 10_000);
    expect((await bench.user.requests.next()).request.body).toBe('v=0\r\n');
  });

  it.each(STREAMS)(
    'SMUG E13 over %s: two requests and a keep-alive, split at every offset, give the same result',
    async (transport) => {
      bench = await new AllBench(HOST, [transport]).start();
      const raw = await client(transport);
      const parts = (n: string) => ({
        via: `SIP/2.0/${transport.toUpperCase()} a.invalid;branch=z9hG4bK${n}`,
      });
      const messages = [
        register(transport, { ...parts('1'), body: 'GET / SIP/2.0\r\n\r\n' }),
        '\r\n\r\n',
        register(transport, parts('2')),
      ];
      const bytes = asBytes(transport, messages);
      const expected = 2 * (bytes.length - 1);
      for (let cut = 1; cut < bytes.length; cut += 1) {
        raw.send(bytes.subarray(0, cut));
        await new Promise(setImmediate);
        raw.send(bytes.subarray(cut));
        // So that the next first half is a segment of its own.
        await soon(() => bench.front.counters.requestsIn === 2 * cut);
      }
      await until(() => raw.count('SIP/2.0 200') === expected, 10_000);
      expect(bench.user.requests.all).toHaveLength(expected);
      expect(bench.front.counters).toMatchObject({
        keepAlives: bytes.length - 1,
        closedFraming: 0,
        malformedRefused: 0,
      });
      const bodies = new Set(bench.user.requests.all.map(({ request }) => request.body));
      expect([...bodies]).toEqual(['GET / SIP/2.0\r\n\r\n', '']);
    },
    60_000,
  );

  it.each(['tcp', 'tls'] as const)(
    'E13 K24 over %s: a declared body of 1 MiB is 413 and closed',
    async (transport) => {
      bench = await new AllBench(HOST, [transport]).start();
      const raw = await client(transport);
      raw.send(register(transport).replace('Content-Length: 0', 'Content-Length: 1048576'));
      await until(() => raw.closed, 10_000);
      expect(raw.text).toMatch(/^SIP\/2\.0 413 /);
      expect(bench.front.counters).toMatchObject({ tooLarge: 1, closedFraming: 1 });
    },
  );

  it.each(['ws', 'wss'] as const)(
    'E13 K24 over %s: a message of 1 MiB is closed with 1009',
    async (transport) => {
      bench = await new AllBench(HOST, [transport]).start();
      const raw = await client(transport);
      raw.send(frame('x'.repeat(1_048_576)).subarray(0, 40_000));
      await until(() => raw.closed, 10_000);
      expect(closeOf(raw)).toBe(1009);
      expect(bench.user.requests.all).toHaveLength(0);
    },
  );

  it.each(STREAMS)(
    'E13 F06 over %s: a message that stalls is closed in time, drips or not',
    async (transport) => {
      bench = await new AllBench(HOST, [transport], {
        unfinishedMessageMs: 10_000,
        pingMs: 3_600_000,
      }).start();
      const still = await client(transport);
      const drips = await client(transport);
      const whole = await client(transport);
      const bytes = asBytes(transport, [register(transport)]);
      still.send(bytes.subarray(0, 60));
      for (let i = 0; i < 6; i += 1) {
        drips.send(bytes.subarray(i, i + 1));
        whole.send(asBytes(transport, [register(transport)]));
        await pause(120);
        bench.clock.turn(2_000);
      }
      await until(() => bench.front.counters.closedStalled === 2, 10_000);
      expect(whole.closed).toBe(false);
      expect(bench.front.counters.closedStalled).toBe(2);
    },
  );

  it.each(STREAMS)(
    'E13 over %s: a peer that does not read is closed when its queue is full',
    async (transport) => {
      bench = await new AllBench(HOST, [transport], { maxSendQueueBytes: 65_536 }).start();
      const { wire } = await bench.open(transport);
      wire.send(register(transport));
      const { flow } = await bench.user.requests.next();
      const chunk = register(transport, { body: 'x'.repeat(30_000) });
      let sent = 0;
      while (flow.send(chunk)) sent += 1;
      expect(sent).toBeLessThan(200);
      expect(flow.open).toBe(false);
      expect(bench.front.counters.closedSlow).toBe(1);
      expect(bench.front.sizes().connections).toBe(0);
    },
  );
});

const closeOf = (raw: RawClient): number | undefined => {
  const bytes = Buffer.from(raw.text, 'latin1');
  const at = bytes.indexOf(0x88);
  return at < 0 ? undefined : bytes.readUInt16BE(at + 2);
};
