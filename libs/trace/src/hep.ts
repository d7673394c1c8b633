import { addressPair } from './address.ts';
import { destinationOf, sourceOf } from './entry.ts';
import type { TraceEntry } from './entry.ts';

/*
 * HEP version 3, the encapsulation that SIP capture servers take (HEP3 rev. 36): `HEP3`, the length of the whole, then chunks of
 * vendor, type, length and value.
 */

const MAGIC = 'HEP3';
const HEADER = 6;
const CHUNK_HEADER = 6;
/** Vendor 0: the types of the specification's own table. */
const GENERIC = 0;
const CHUNK = {
  ipFamily: 0x0001,
  ipProtocol: 0x0002,
  ipv4Source: 0x0003,
  ipv4Destination: 0x0004,
  ipv6Source: 0x0005,
  ipv6Destination: 0x0006,
  sourcePort: 0x0007,
  destinationPort: 0x0008,
  seconds: 0x0009,
  microseconds: 0x000a,
  protocolType: 0x000b,
  captureAgent: 0x000c,
  authKey: 0x000e,
  payload: 0x000f,
  correlation: 0x0011,
  captureNode: 0x0013,
} as const;
/** The values of AF_INET and AF_INET6 that the specification names. */
const FAMILY_IPV4 = 2;
const FAMILY_IPV6 = 10;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const TYPE_SIP = 1;
const US_PER_S = 1_000_000;

export interface HepOptions {
  /** Names the sender to the collector, 32 bits. */
  readonly agent: number;
  /** What the collector wants to see of its senders, if anything. */
  readonly key?: string;
}

/** One message as a HEP3 packet. `correlation` is what joins its exchange, the Call-ID. */
export function encodeHep3(
  entry: TraceEntry,
  correlation: string | undefined,
  options: HepOptions,
): Uint8Array {
  const [source, destination] = [sourceOf(entry), destinationOf(entry)];
  const [from, to] = addressPair(source.address, destination.address);
  const v4 = from.length === 4;
  const chunks = [
    chunk(CHUNK.ipFamily, uint8(v4 ? FAMILY_IPV4 : FAMILY_IPV6)),
    chunk(CHUNK.ipProtocol, uint8(entry.transport === 'udp' ? PROTOCOL_UDP : PROTOCOL_TCP)),
    chunk(v4 ? CHUNK.ipv4Source : CHUNK.ipv6Source, from),
    chunk(v4 ? CHUNK.ipv4Destination : CHUNK.ipv6Destination, to),
    chunk(CHUNK.sourcePort, uint16(source.port)),
    chunk(CHUNK.destinationPort, uint16(destination.port)),
    chunk(CHUNK.seconds, uint32(Math.floor(entry.at / US_PER_S))),
    chunk(CHUNK.microseconds, uint32(Math.floor(entry.at % US_PER_S))),
    chunk(CHUNK.protocolType, uint8(TYPE_SIP)),
    chunk(CHUNK.captureAgent, uint32(options.agent)),
    chunk(CHUNK.captureNode, Buffer.from(entry.edge, 'utf8')),
    ...(options.key === undefined ? [] : [chunk(CHUNK.authKey, Buffer.from(options.key, 'utf8'))]),
    ...(correlation === undefined ? [] : [chunk(CHUNK.correlation, Buffer.from(correlation, 'latin1'))]),
    chunk(CHUNK.payload, Buffer.from(entry.octets, 'latin1')),
  ];
  const length = HEADER + chunks.reduce((sum, one) => sum + one.length, 0);
  return Buffer.concat([Buffer.from(MAGIC, 'latin1'), uint16(length), ...chunks]);
}

/** Octets of a message that a packet has room for, whatever its other chunks hold. */
export const HEP_MAX_PAYLOAD = 60_000;

function chunk(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(CHUNK_HEADER + value.length);
  bytes.writeUInt16BE(GENERIC, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  bytes.set(value, CHUNK_HEADER);
  return bytes;
}

const uint8 = (value: number): Uint8Array => Uint8Array.of(value);
const uint16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff);
const uint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
