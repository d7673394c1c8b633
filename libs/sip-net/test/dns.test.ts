import { createSocket } from 'node:dgram';
import { locate } from '@rollcall/sip-transaction';
import { parseUri } from '@rollcall/sip';
import { afterEach, describe, expect, it } from 'vitest';
import { createDns } from '../src/index.ts';
import { HOST, TurnedClock } from './support.ts';

const TYPE = { 1: 'A', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR' } as Readonly<Record<number, string>>;
const REFUSED = 5;
const NXDOMAIN = 3;

const nameOf = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .split('.')
      .filter((label) => label !== '')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);
const u16 = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.from([value >> 8, value & 0xff])));
const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);

const RECORDS: Readonly<Record<string, readonly Buffer[]>> = {
  'NAPTR example.test': [
    Buffer.concat([u16(10, 10), text('s'), text('SIP+D2T'), text(''), nameOf('_sip._tcp.example.test')]),
  ],
  'SRV _sip._tcp.example.test': [
    Buffer.concat([u16(1, 0, 5070), nameOf('one.example.test')]),
    Buffer.concat([u16(2, 0, 5080), nameOf('two.example.test')]),
  ],
  'A one.example.test': [Buffer.from([192, 0, 2, 1])],
  'A two.example.test': [Buffer.from([192, 0, 2, 2])],
  'AAAA two.example.test': [Buffer.from('20010db8000000000000000000000002', 'hex')],
};

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A name server that knows the records above (RFC 1035 §4). */
async function nameServer(code = 0): Promise<{ port: number; asked: string[] }> {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = query.readUInt16BE(at + 1);
    const key = `${TYPE[type] ?? String(type)} ${labels.join('.').toLowerCase()}`;
    asked.push(key);
    const records = code === 0 ? (RECORDS[key] ?? []) : [];
    const known = Object.keys(RECORDS).some((one) => one.endsWith(` ${labels.join('.').toLowerCase()}`));
    const head = Buffer.concat([
      query.subarray(0, 2),
      u16(0x8180 | (code === 0 && !known ? NXDOMAIN : code), 1, records.length, 0, 0),
    ]);
    const answers = records.map((data) => Buffer.concat([u16(0xc00c, type, 1, 0, 120, data.length), data]));
    socket.send(Buffer.concat([head, query.subarray(12, at + 5), ...answers]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
  closers.push(() => socket.close());
  return { port: socket.address().port, asked };
}

const hopsOf = async (uriText: string, dns: ReturnType<typeof createDns>): Promise<string[]> => {
  const uri = parseUri(uriText);
  if (!uri.ok || uri.value.kind !== 'sip') throw new Error(uriText);
  const hops = await locate(uri.value, { dns, size: 0, random: () => 0 });
  return hops.map(({ transport, address, port }) => `${transport} ${address}:${String(port)}`);
};

describe('next hops out of a real name server (RFC 3263)', () => {
  it('NAPTR, SRV, A and AAAA; asked once while the answer is fresh, however many ask', async () => {
    const { port, asked } = await nameServer();
    const clock = new TurnedClock();
    const dns = createDns({ servers: [{ host: HOST, port }], clock });
    const wanted = ['tcp 192.0.2.1:5070', 'tcp 192.0.2.2:5080', 'tcp 2001:db8::2:5080'];
    expect(await hopsOf('sip:example.test', dns)).toEqual(wanted);
    const first = asked.length;
    const all = await Promise.all([1, 2, 3].map(() => hopsOf('sip:example.test', dns)));
    expect(all).toEqual([wanted, wanted, wanted]);
    expect(asked).toHaveLength(first);
    clock.turn(60_100);
    expect(await hopsOf('sip:example.test', dns)).toEqual(wanted);
    expect(asked).toHaveLength(2 * first);
  });

  it('no such name is nothing, remembered for a while; a server that refuses is an error, and is asked again', async () => {
    const { port, asked } = await nameServer();
    const dns = createDns({ servers: [{ host: HOST, port }], clock: new TurnedClock() });
    expect(await hopsOf('sip:nowhere.test', dns)).toEqual([]);
    const first = asked.length;
    expect(await hopsOf('sip:nowhere.test', dns)).toEqual([]);
    expect(asked).toHaveLength(first);
    const refusing = await nameServer(REFUSED);
    const other = createDns({ servers: [{ host: HOST, port: refusing.port }], clock: new TurnedClock() });
    await expect(hopsOf('sip:example.test', other)).rejects.toThrow();
    const before = refusing.asked.length;
    await expect(hopsOf('sip:example.test', other)).rejects.toThrow();
    expect(refusing.asked.length).toBeGreaterThan(before);
  });
});
