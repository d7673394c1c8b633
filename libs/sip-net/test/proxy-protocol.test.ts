import { afterEach, describe, expect, it } from 'vitest';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readProxyHeader } from '../src/proxy-header.ts';
import { AllBench, AUTHORITY, frame, HOST, RawClient, register, until } from './transports-support.ts';

const v2 = (command: number, family: number, body: Buffer): Buffer => {
  const head = Buffer.from('0d0a0d0a000d0a515549540a00000000', 'hex');
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(body.length, 14);
  return Buffer.concat([head, body]);
};
const IPV4_BODY = Buffer.from('cb007109c6336407d43113c4', 'hex'); // 203.0.113.9:54321 to 198.51.100.7:5060
const IPV6_BODY = Buffer.from(`20010db8${'0'.repeat(23)}9${'0'.repeat(31)}1d43113c4`, 'hex');
const V1 = Buffer.from('PROXY TCP4 203.0.113.9 198.51.100.7 54321 5060\r\n');
const FROM_V4 = { address: '203.0.113.9', port: 54_321 };

describe('the header (PROXY protocol §2)', () => {
  it.each([
    ['version 1, IPv4', V1, FROM_V4],
    [
      'version 1, IPv6',
      Buffer.from('PROXY TCP6 2001:db8::9 2001:db8::1 54321 5060\r\n'),
      { address: '2001:db8::9', port: 54_321 },
    ],
    ['version 1, UNKNOWN with what follows', Buffer.from('PROXY UNKNOWN ffff::1 x y z\r\n'), undefined],
    ['version 2, IPv4', v2(0x21, 0x11, IPV4_BODY), FROM_V4],
    [
      'version 2, IPv4 with a TLV behind',
      v2(0x21, 0x11, Buffer.concat([IPV4_BODY, Buffer.from('0500021234', 'hex')])),
      FROM_V4,
    ],
    ['version 2, IPv6', v2(0x21, 0x21, IPV6_BODY), { address: '2001:db8::9', port: 54_321 }],
    ['version 2, LOCAL', v2(0x20, 0x00, Buffer.alloc(0)), undefined],
    ['version 2, LOCAL with addresses', v2(0x20, 0x11, IPV4_BODY), undefined],
    ['version 2, AF_UNSPEC', v2(0x21, 0x00, Buffer.alloc(0)), undefined],
  ])('%s', (_, bytes, source) => {
    const whole = { kind: 'whole', length: bytes.length, source };
    expect(readProxyHeader(bytes)).toEqual(whole);
    expect(readProxyHeader(Buffer.concat([bytes, Buffer.from('REGISTER')]))).toEqual(whole);
    for (let end = 1; end < bytes.length; end += 1)
      expect(readProxyHeader(bytes.subarray(0, end))).toEqual({ kind: 'more' });
  });

  it.each([
    ['SIP', 'REGISTER sip:a SIP/2.0\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01'],
    ['an address that is none', 'PROXY TCP4 203.0.113.999 198.51.100.7 1 2\r\n'],
    ['an IPv6 address as TCP4', 'PROXY TCP4 2001:db8::9 198.51.100.7 1 2\r\n'],
    ['a port that is none', 'PROXY TCP4 203.0.113.9 198.51.100.7 65536 2\r\n'],
    ['a port with a leading zero', 'PROXY TCP4 203.0.113.9 198.51.100.7 01 2\r\n'],
    ['more than there is to say', 'PROXY TCP4 203.0.113.9 198.51.100.7 1 2 3\r\n'],
    ['UDP', 'PROXY UDP4 203.0.113.9 198.51.100.7 1 2\r\n'],
    ['a line without end', `PROXY TCP4 ${'1'.repeat(120)}`],
    ['version 2 with another command', v2(0x22, 0x11, IPV4_BODY).toString('latin1')],
    ['version 2 of 60,000 octets', v2(0x21, 0x11, Buffer.alloc(60_000)).subarray(0, 20).toString('latin1')],
  ])('%s is none', (_, text) => {
    expect(readProxyHeader(Buffer.from(text, 'latin1'))).toEqual({ kind: 'bad' });
  });

  it('version 2 whose body is too short for its family tells no address', () => {
    expect(readProxyHeader(v2(0x21, 0x11, Buffer.alloc(4)))).toMatchObject({
      kind: 'whole',
      source: undefined,
    });
  });
});

let bench: AllBench;
let stop = (): Promise<void> => Promise.resolve();
afterEach(() => stop());

async function startTrusting(address: string, limits = {}): Promise<AllBench> {
  const started = new AllBench(HOST, ['tcp', 'tls', 'ws', 'wss'], limits, {
    proxies: { has: (one) => one === address },
  });
  stop = () => started.stop();
  return started.start();
}

/** A connection of a balancer: the header, and what its client sends in the same segment or after. */
async function throughBalancer(
  transport: 'tcp' | 'tls' | 'ws' | 'wss',
  header: Buffer,
  first = '',
): Promise<RawClient> {
  const socket: Socket = connect(bench.port(transport), HOST);
  bench.closers.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(Buffer.concat([header, Buffer.from(first, 'latin1')]));
  const secure = transport === 'tls' || transport === 'wss';
  const client = new RawClient(secure ? connectTls({ socket, ca: AUTHORITY.pem, host: HOST }) : socket);
  if (secure) await client.opened('secureConnect');
  return client;
}

describe('E09 behind a balancer', () => {
  const headers = [
    ['1', V1],
    ['2', v2(0x21, 0x11, IPV4_BODY)],
  ] as const;
  const matrix = headers.flatMap(([version, header]) =>
    (['tcp', 'tls', 'ws', 'wss'] as const).map((transport) => [version, transport, header] as const),
  );

  it.each(matrix)(
    'E09 version %s over %s: the client is who the balancer says',
    async (_, transport, header) => {
      bench = await startTrusting(HOST);
      const client = await throughBalancer(transport, header);
      if (transport === 'ws' || transport === 'wss') {
        await client.upgrade();
        client.send(frame(register(transport)));
      } else client.send(register(transport));
      await until(() => client.count('SIP/2.0 200') === 1, 10_000);
      expect((await bench.user.requests.next()).flow).toMatchObject({ transport, remote: FROM_V4 });
      expect(client.text).toContain(';received=203.0.113.9');
    },
  );

  it('E09 the request in the same segment as the header, and the header in pieces', async () => {
    bench = await startTrusting(HOST);
    const client = await throughBalancer('tcp', V1, register('tcp') + register('tcp'));
    await until(() => client.count('SIP/2.0 200') === 2, 10_000);
    const slow = await throughBalancer('tcp', V1.subarray(0, 1));
    for (const octet of V1.subarray(1)) {
      slow.send(Buffer.from([octet]));
      await new Promise(setImmediate);
    }
    slow.send(register('tcp'));
    await until(() => slow.count('SIP/2.0 200') === 1, 10_000);
    const ws = await throughBalancer('ws', V1, 'GET / HTTP/1.1\r\n');
    ws.send(
      'Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n',
    );
    await until(() => ws.text.startsWith('HTTP/1.1 101'), 10_000);
  });

  it('E09 a health check (LOCAL) is the balancer itself', async () => {
    bench = await startTrusting(HOST);
    const client = await throughBalancer('tcp', v2(0x20, 0, Buffer.alloc(0)), register('tcp'));
    await until(() => client.count('SIP/2.0 200') === 1, 10_000);
    expect((await bench.user.requests.next()).flow.remote.address).toBe(HOST);
  });

  it('E09 from a balancer without a header, or with a broken one, nothing is taken', async () => {
    bench = await startTrusting(HOST);
    const bare = await throughBalancer('tcp', Buffer.from(register('tcp')));
    const broken = await throughBalancer('tcp', Buffer.from('PROXY TCP4 a b c d\r\n'), register('tcp'));
    await until(() => bare.closed && broken.closed, 10_000);
    expect(bench.user.requests.all).toHaveLength(0);
    expect(bench.front.counters.proxyRefused).toBe(2);
    await until(() => bench.front.sizes().arriving === 0, 10_000);
  });

  it('E09 from anybody else a header is no more than a request that is none', async () => {
    bench = await startTrusting('192.0.2.200');
    await throughBalancer('tcp', V1, register('tcp'));
    const { counters } = bench.front;
    await until(() => counters.malformedDropped + counters.malformedRefused === 1, 10_000);
    expect(bench.user.requests.all).toHaveLength(0);
    const direct = await bench.raw('tcp');
    direct.send(register('tcp'));
    await until(() => direct.count('SIP/2.0 200') === 1, 10_000);
    expect((await bench.user.requests.next()).flow.remote.address).toBe(HOST);
  });

  it('E09 clients behind a balancer are counted by their own address, the header has its time', async () => {
    bench = await startTrusting(HOST, { maxConnectionsPerAddress: 1, handshakeMs: 5_000 });
    const one = await throughBalancer('tcp', V1, register('tcp'));
    const other = await throughBalancer(
      'tcp',
      Buffer.from('PROXY TCP4 203.0.113.10 198.51.100.7 1 5060\r\n'),
      register('tcp'),
    );
    await until(() => one.count('SIP/2.0 200') + other.count('SIP/2.0 200') === 2, 10_000);
    const second = await throughBalancer('tcp', V1, register('tcp'));
    await until(() => second.closed, 10_000);
    expect(bench.front.counters.connectionsRefused).toBe(1);
    const silent = await throughBalancer('tcp', V1.subarray(0, 5));
    await until(() => bench.front.sizes().arriving === 1, 10_000);
    bench.clock.turn(5_100);
    await until(() => silent.closed, 10_000);
    expect(bench.front.counters.handshakesTimedOut).toBe(1);
    one.socket.destroy();
    await until(() => bench.front.sizes().connections === 1, 10_000);
    const again = await throughBalancer('tcp', V1, register('tcp'));
    await until(() => again.count('SIP/2.0 200') === 1, 10_000);
  });
});
