/**
 * The part of STUN that a SIP edge speaks on its UDP port (RFC 5626 §8): a Binding request is answered with the address
 * that it came from, without authentication (RFC 5389 §10 is not used). RFC 8489 keeps all of this.
 */
import { isIPv6 } from 'node:net';
import { crc32 } from 'node:zlib';
import { addressHex } from './addresses.ts';

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const XOR_MAPPED_ADDRESS = 0x0020;
const FINGERPRINT = 0x8028;
const FAMILY_IPV4 = 0x01;
const FAMILY_IPV6 = 0x02;
/** RFC 5389 §15.5: what the CRC-32 is XORed with. */
const FINGERPRINT_XOR = 0x5354554e;
/** RFC 5389 §15: attributes below this must be understood by whoever acts on the message. */
const FIRST_OPTIONAL = 0x8000;
/** Understood, and of no use to a server that asks for no credentials: USERNAME, MESSAGE-INTEGRITY, REALM, NONCE. */
const IGNORED = new Set([0x0006, 0x0008, 0x0014, 0x0015]);

/**
 * The answer to a datagram that may be a STUN Binding request; undefined when it is none, or broken, and gets none. No
 * answer is larger than its request plus 44 octets, and a request with attributes we do not know gets a 420.
 */
export function answerBinding(data: Buffer, address: string, port: number): Buffer | undefined {
  if (data.length < HEADER_BYTES || data.readUInt16BE(0) !== BINDING_REQUEST) return undefined;
  if (data.readUInt32BE(4) !== MAGIC_COOKIE || data.readUInt16BE(2) !== data.length - HEADER_BYTES)
    return undefined;
  const read = readAttributes(data);
  if (read === undefined) return undefined;
  const attributes =
    read.unknown.length > 0
      ? [errorCode(), unknownAttributes(read.unknown)]
      : [xorMappedAddress(data, address, port)];
  return message(
    read.unknown.length > 0 ? BINDING_ERROR : BINDING_SUCCESS,
    data,
    attributes,
    read.fingerprint,
  );
}

/** What stands in the request; undefined when it cannot be read or its fingerprint is wrong (RFC 5389 §7.3). */
function readAttributes(data: Buffer): { unknown: number[]; fingerprint: boolean } | undefined {
  const unknown: number[] = [];
  let fingerprint = false;
  let at = HEADER_BYTES;
  while (at < data.length) {
    if (fingerprint || at + 4 > data.length) return undefined; // §15.5: FINGERPRINT is the last
    const type = data.readUInt16BE(at);
    const length = data.readUInt16BE(at + 2);
    const next = at + 4 + ((length + 3) & ~3);
    if (next > data.length) return undefined;
    if (type === FINGERPRINT) {
      if (length !== 4 || data.readUInt32BE(at + 4) !== fingerprintOf(data.subarray(0, at))) return undefined;
      fingerprint = true;
    } else if (type < FIRST_OPTIONAL && !IGNORED.has(type)) unknown.push(type);
    at = next;
  }
  return { unknown, fingerprint };
}

function message(type: number, request: Buffer, attributes: readonly Buffer[], fingerprint: boolean): Buffer {
  const header = Buffer.from(request.subarray(0, HEADER_BYTES));
  const body = Buffer.concat(attributes);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(body.length + (fingerprint ? 8 : 0), 2);
  const whole = Buffer.concat([header, body]);
  if (!fingerprint) return whole;
  const last = attribute(FINGERPRINT, 4);
  last.writeUInt32BE(fingerprintOf(whole), 4);
  return Buffer.concat([whole, last]);
}

/** An attribute with room for its value, padded to a multiple of 4 octets (§15). */
function attribute(type: number, length: number): Buffer {
  const buffer = Buffer.alloc(4 + ((length + 3) & ~3));
  buffer.writeUInt16BE(type, 0);
  buffer.writeUInt16BE(length, 2);
  return buffer;
}

/** §15.2. */
function xorMappedAddress(request: Buffer, address: string, port: number): Buffer {
  const six = isIPv6(address);
  const octets = Buffer.from(addressHex(address), 'hex');
  const buffer = attribute(XOR_MAPPED_ADDRESS, 4 + octets.length);
  buffer[5] = six ? FAMILY_IPV6 : FAMILY_IPV4;
  buffer.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 6);
  // X-Address: with the magic cookie, and for IPv6 the transaction id behind it.
  octets.forEach((octet, i) => (buffer[8 + i] = octet ^ (request[4 + i] ?? 0)));
  return buffer;
}

/** §15.6: 420 Unknown Attribute. */
function errorCode(): Buffer {
  const reason = 'Unknown Attribute';
  const buffer = attribute(ERROR_CODE, 4 + reason.length);
  buffer[6] = 4;
  buffer[7] = 20;
  buffer.write(reason, 8, 'latin1');
  return buffer;
}

/** How many unknown attributes are named; a request has them by accident, or to make an answer large. */
const NAMED = 8;

function unknownAttributes(types: readonly number[]): Buffer {
  const named = types.slice(0, NAMED);
  const buffer = attribute(UNKNOWN_ATTRIBUTES, named.length * 2);
  named.forEach((type, i) => buffer.writeUInt16BE(type, 4 + 2 * i));
  return buffer;
}

/** §15.5 over everything before the attribute, the header's length counting the attribute already. */
const fingerprintOf = (before: Buffer): number => (crc32(before) ^ FINGERPRINT_XOR) >>> 0;
