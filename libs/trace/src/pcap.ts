import { addressPair } from './address.ts';
import { destinationOf, sourceOf } from './entry.ts';
import type { TraceEntry } from './entry.ts';

/*
 * A capture file of what was traced (draft-ietf-opsawg-pcap): IP packets that are made up around the messages, with the addresses,
 * ports and times that were true. A message on TCP is one segment or several, with sequence numbers that go on, so that a reader
 * puts the stream together again. What came over TLS or WebSocket is shown decrypted, and as datagrams: under TCP a reader would
 * look for records and frames that are not there.
 */

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
const SNAP_LENGTH = 262_144;
/** LINKTYPE_RAW: the packet begins with its IP header, of version 4 or 6. */
const LINKTYPE_RAW = 101;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const UDP_HEADER = 8;
const TCP_HEADER = 20;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const HOP_LIMIT = 64;
/** PSH and ACK (RFC 9293 §3.1). */
const TCP_PUSH_ACK = 0x18;
const TCP_WINDOW = 0xffff;
/** A payload that fits in one IP packet with any of the headers. */
const MAX_PAYLOAD = 65_000;
const US_PER_S = 1_000_000;

/** The type that IANA registered for it. */
export const PCAP_TYPE = 'application/vnd.tcpdump.pcap';

/** Sequence numbers of both directions of a connection. */
type Streams = Map<string, number>;

/** The messages as a capture file, in the order given. */
export function writePcap(entries: Iterable<TraceEntry>): Uint8Array {
  const streams: Streams = new Map();
  const parts: Uint8Array[] = [fileHeader()];
  for (const entry of entries) {
    for (const packet of packetsOf(entry, streams)) parts.push(recordHeader(entry.at, packet.length), packet);
  }
  return Buffer.concat(parts);
}

function fileHeader(): Uint8Array {
  const header = Buffer.alloc(FILE_HEADER);
  header.writeUInt32LE(MAGIC_MICROSECONDS, 0);
  header.writeUInt16LE(VERSION_MAJOR, 4);
  header.writeUInt16LE(VERSION_MINOR, 6);
  header.writeUInt32LE(SNAP_LENGTH, 16);
  header.writeUInt32LE(LINKTYPE_RAW, 20);
  return header;
}

function recordHeader(at: number, length: number): Uint8Array {
  const header = Buffer.alloc(RECORD_HEADER);
  header.writeUInt32LE(Math.floor(at / US_PER_S), 0);
  header.writeUInt32LE(Math.floor(at % US_PER_S), 4);
  header.writeUInt32LE(length, 8);
  header.writeUInt32LE(length, 12);
  return header;
}

function* packetsOf(entry: TraceEntry, streams: Streams): Iterable<Uint8Array> {
  const source = sourceOf(entry);
  const destination = destinationOf(entry);
  const [from, to] = addressPair(source.address, destination.address);
  const ports = { from: source.port, to: destination.port };
  const payload = Buffer.from(entry.octets, 'latin1');
  if (entry.transport !== 'tcp') {
    yield ipPacket(from, to, PROTOCOL_UDP, udpDatagram(ports, payload.subarray(0, MAX_PAYLOAD)));
    return;
  }
  const ends = [
    `${source.address}:${String(ports.from)}`,
    `${destination.address}:${String(ports.to)}`,
  ] as const;
  for (let at = 0; at < payload.length; at += MAX_PAYLOAD) {
    const piece = payload.subarray(at, at + MAX_PAYLOAD);
    const sequence = streams.get(`${ends[0]} ${ends[1]}`) ?? 1;
    const acknowledged = streams.get(`${ends[1]} ${ends[0]}`) ?? 1;
    yield ipPacket(from, to, PROTOCOL_TCP, tcpSegment(ports, sequence, acknowledged, piece));
    streams.set(`${ends[0]} ${ends[1]}`, (sequence + piece.length) % 2 ** 32);
  }
}

interface Ports {
  readonly from: number;
  readonly to: number;
}

function udpDatagram(ports: Ports, payload: Uint8Array): Buffer {
  const datagram = Buffer.alloc(UDP_HEADER + payload.length);
  datagram.writeUInt16BE(ports.from, 0);
  datagram.writeUInt16BE(ports.to, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  datagram.set(payload, UDP_HEADER);
  return datagram;
}

function tcpSegment(ports: Ports, sequence: number, acknowledged: number, payload: Uint8Array): Buffer {
  const segment = Buffer.alloc(TCP_HEADER + payload.length);
  segment.writeUInt16BE(ports.from, 0);
  segment.writeUInt16BE(ports.to, 2);
  segment.writeUInt32BE(sequence, 4);
  segment.writeUInt32BE(acknowledged, 8);
  segment.writeUInt8((TCP_HEADER / 4) << 4, 12);
  segment.writeUInt8(TCP_PUSH_ACK, 13);
  segment.writeUInt16BE(TCP_WINDOW, 14);
  segment.set(payload, TCP_HEADER);
  return segment;
}

const CHECKSUM_AT: Readonly<Record<number, number>> = { [PROTOCOL_UDP]: 6, [PROTOCOL_TCP]: 16 };

function ipPacket(from: Uint8Array, to: Uint8Array, protocol: number, payload: Buffer): Uint8Array {
  const sum = checksum(payload, pseudoHeaderSum(from, to, protocol, payload.length));
  // RFC 768: a computed checksum of zero is sent as all ones.
  payload.writeUInt16BE(sum === 0 ? 0xffff : sum, CHECKSUM_AT[protocol] ?? 0);
  const header =
    from.length === 4
      ? ipv4Header(from, to, protocol, payload.length)
      : ipv6Header(from, to, protocol, payload.length);
  return Buffer.concat([header, payload]);
}

function ipv4Header(from: Uint8Array, to: Uint8Array, protocol: number, length: number): Uint8Array {
  const header = Buffer.alloc(IPV4_HEADER);
  header.writeUInt8(0x40 | (IPV4_HEADER / 4), 0);
  header.writeUInt16BE(IPV4_HEADER + length, 2);
  header.writeUInt8(HOP_LIMIT, 8);
  header.writeUInt8(protocol, 9);
  header.set(from, 12);
  header.set(to, 16);
  header.writeUInt16BE(checksum(header, 0), 10);
  return header;
}

function ipv6Header(from: Uint8Array, to: Uint8Array, protocol: number, length: number): Uint8Array {
  const header = Buffer.alloc(IPV6_HEADER);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(length, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(HOP_LIMIT, 7);
  header.set(from, 8);
  header.set(to, 24);
  return header;
}

/** RFC 768, RFC 8200 §8.1: addresses, length and protocol stand in for the header below. */
const pseudoHeaderSum = (from: Uint8Array, to: Uint8Array, protocol: number, length: number): number =>
  words(from) + words(to) + protocol + length;

/** RFC 1071 */
function checksum(bytes: Uint8Array, start: number): number {
  let sum = start + words(bytes);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function words(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  return sum;
}
