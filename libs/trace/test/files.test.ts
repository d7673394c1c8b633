import { describe, expect, it } from 'vitest';
import { addressBytes, encodeHep3, writePcap } from '../src/index.ts';
import { EDGE, entry, INNER, NOON, PHONE, register, REGISTRAR } from './support.ts';

const SIX = { address: '2001:db8::1', port: 5060 };

/** RFC 1071: the sum over a packet that carries a right checksum is all ones. */
function sumOf(...parts: Uint8Array[]): number {
  const bytes = Buffer.concat(
    parts.map((part) => (part.length % 2 === 0 ? part : Buffer.concat([part, Buffer.alloc(1)]))),
  );
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

describe('addressBytes', () => {
  it.each([
    ['192.0.2.1', 'c0000201'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['::', '0'.repeat(32)],
    ['[::1]', `${'0'.repeat(31)}1`],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['256.1.1.1', undefined],
    ['1:2:3', undefined],
    ['1::2::3', undefined],
    ['host.test', undefined],
  ])('%s', (text, hex) => {
    const bytes = addressBytes(text);
    expect(bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')).toBe(hex);
  });
});

/** Packets of a capture file, each behind its 16 octets of record header. */
function packetsOf(file: Uint8Array): { readonly at: number; readonly packet: Buffer }[] {
  const bytes = Buffer.from(file);
  const packets = [];
  for (let at = 24; at < bytes.length;) {
    const length = bytes.readUInt32LE(at + 8);
    packets.push({
      at: bytes.readUInt32LE(at) * 1e6 + bytes.readUInt32LE(at + 4),
      packet: bytes.subarray(at + 16, at + 16 + length),
    });
    at += 16 + length;
  }
  return packets;
}

describe('A10 pcap', () => {
  it('has a file header of version 2.4 in microseconds, with raw IP', () => {
    const header = Buffer.from(writePcap([]));
    expect(header.toString('hex')).toBe('d4c3b2a1020004000000000000000000000004006500'.padEnd(48, '0'));
  });

  it('UDP over IPv4: addresses, ports, times, checksums and octets are those of the entry', () => {
    const octets = register();
    const [one] = packetsOf(writePcap([entry(octets, { at: NOON + 123_456 })]));
    const packet = one!.packet;
    expect(one!.at).toBe(NOON + 123_456);
    expect(packet[9]).toBe(17);
    expect([...packet.subarray(12, 20)]).toEqual([192, 0, 2, 1, 198, 51, 100, 1]);
    expect([packet.readUInt16BE(20), packet.readUInt16BE(22)]).toEqual([PHONE.port, EDGE.port]);
    expect(packet.subarray(28).toString('latin1')).toBe(octets);
    expect(packet.readUInt16BE(2)).toBe(packet.length);
    expect(sumOf(packet.subarray(0, 20))).toBe(0xffff);
    const pseudo = Buffer.from([0, 17, 0, 0]);
    pseudo.writeUInt16BE(packet.length - 20, 2);
    expect(sumOf(packet.subarray(12, 20), pseudo, packet.subarray(20))).toBe(0xffff);
  });

  it('TCP: sequence numbers go on in each direction and acknowledge the other', () => {
    const tcp = { transport: 'tcp', hop: 'registrar', local: INNER, remote: REGISTRAR } as const;
    const file = writePcap([
      entry('a'.repeat(100), { ...tcp, direction: 'out' }),
      entry('b'.repeat(50), { ...tcp, direction: 'in' }),
      entry('c'.repeat(100_000), { ...tcp, direction: 'out' }),
    ]);
    const segments = packetsOf(file).map(({ packet }) => [
      packet.readUInt16BE(20),
      packet.readUInt32BE(24),
      packet.readUInt32BE(28),
      packet.length - 40,
    ]);
    expect(segments).toEqual([
      [41_000, 1, 1, 100],
      [5080, 1, 101, 50],
      [41_000, 101, 51, 65_000],
      [41_000, 65_101, 51, 35_000],
    ]);
  });

  it('IPv6, and one end of each family', () => {
    const [six, mixed] = packetsOf(
      writePcap([entry('x', { local: SIX, remote: SIX }), entry('x', { local: SIX })]),
    );
    expect(six!.packet.readUInt8(0) >> 4).toBe(6);
    expect(six!.packet.subarray(8, 24).toString('hex')).toBe('20010db8000000000000000000000001');
    expect(mixed!.packet.subarray(8, 24).toString('hex')).toBe('00000000000000000000ffffc0000201');
  });
});

describe('A10 HEP3', () => {
  /** Chunks of a packet by type. */
  function chunksOf(packet: Buffer): Map<number, Buffer> {
    expect(packet.subarray(0, 4).toString()).toBe('HEP3');
    expect(packet.readUInt16BE(4)).toBe(packet.length);
    const chunks = new Map<number, Buffer>();
    for (let at = 6; at < packet.length;) {
      expect(packet.readUInt16BE(at)).toBe(0);
      const length = packet.readUInt16BE(at + 4);
      chunks.set(packet.readUInt16BE(at + 2), packet.subarray(at + 6, at + length));
      at += length;
    }
    return chunks;
  }

  it('carries the message with its addresses, ports, time and Call-ID', () => {
    const octets = register();
    const chunks = chunksOf(
      Buffer.from(encodeHep3(entry(octets, { at: NOON + 42 }), 'c1', { agent: 2001, key: 'sesame' })),
    );
    expect([...chunks.keys()]).toEqual([1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 19, 14, 17, 15]);
    expect([chunks.get(1)![0], chunks.get(2)![0], chunks.get(11)![0]]).toEqual([2, 17, 1]);
    expect([...chunks.get(3)!, ...chunks.get(4)!]).toEqual([192, 0, 2, 1, 198, 51, 100, 1]);
    expect([chunks.get(7)!.readUInt16BE(), chunks.get(8)!.readUInt16BE()]).toEqual([5071, 5060]);
    expect([chunks.get(9)!.readUInt32BE(), chunks.get(10)!.readUInt32BE()]).toEqual([NOON / 1e6, 42]);
    expect(chunks.get(12)!.readUInt32BE()).toBe(2001);
    expect(chunks.get(14)!.toString()).toBe('sesame');
    expect(chunks.get(15)!.toString('latin1')).toBe(octets);
    expect(chunks.get(17)!.toString()).toBe('c1');
  });

  it('IPv6 over TCP', () => {
    const chunks = chunksOf(
      Buffer.from(
        encodeHep3(entry('x', { local: SIX, remote: SIX, transport: 'tcp' }), undefined, { agent: 1 }),
      ),
    );
    expect([chunks.get(1)![0], chunks.get(2)![0]]).toEqual([10, 6]);
    expect(chunks.get(5)!.length).toBe(16);
    expect(chunks.has(17)).toBe(false);
  });
});
