/**
 * The PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt): how a balancer in
 * front of us says who its client is. Only ever read from balancers that are trusted, and from those always: the
 * protocol forbids to guess (§5).
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Endpoint } from '@rollcall/sip-transaction';

export type ProxyHeader =
  /** More octets are needed. */
  | { readonly kind: 'more' }
  | { readonly kind: 'bad' }
  /** `source` is undefined for what the balancer sends on its own account: LOCAL and UNKNOWN (§2.1, §2.2). */
  | { readonly kind: 'whole'; readonly length: number; readonly source: Endpoint | undefined };

const MORE: ProxyHeader = { kind: 'more' };
const BAD: ProxyHeader = { kind: 'bad' };

const V1_START = Buffer.from('PROXY ', 'latin1');
/** §2.1: the worst case with its CRLF is 107 octets. */
const V1_LIMIT = 107;
const V2_START = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const V2_FIXED = 16;
/** Addresses and what balancers put behind them (TLVs: a unique id, TLS facts); none needs more. */
const V2_LIMIT = 2_048;
const COMMAND_LOCAL = 0x20;
const COMMAND_PROXY = 0x21;
const STREAM_IPV4 = 0x11;
const STREAM_IPV6 = 0x21;
const IPV4_BYTES = 12;
const IPV6_BYTES = 36;

/** Reads the header at the beginning of what has come so far. */
export function readProxyHeader(data: Buffer): ProxyHeader {
  if (begins(data, V2_START)) return data.length < V2_FIXED ? MORE : readV2(data);
  if (begins(data, V1_START)) return readV1(data);
  return BAD;
}

function begins(data: Buffer, start: Buffer): boolean {
  const length = Math.min(data.length, start.length);
  return data.compare(start, 0, length, 0, length) === 0;
}

function readV1(data: Buffer): ProxyHeader {
  const end = data.indexOf('\r\n');
  if (end < 0) return data.length >= V1_LIMIT ? BAD : MORE;
  if (end + 2 > V1_LIMIT) return BAD;
  const [, family, source = '', target = '', port = '', targetPort = '', ...rest] = data
    .toString('latin1', 0, end)
    .split(' ');
  const length = end + 2;
  if (family === 'UNKNOWN') return { kind: 'whole', length, source: undefined };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  if (isAddress === undefined || rest.length > 0 || !isAddress(source) || !isAddress(target)) return BAD;
  if (!isPort(port) || !isPort(targetPort)) return BAD;
  return { kind: 'whole', length, source: { address: source, port: Number(port) } };
}

const isPort = (text: string): boolean => /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;

function readV2(data: Buffer): ProxyHeader {
  const command = data[V2_START.length];
  const family = data[V2_START.length + 1];
  const length = V2_FIXED + data.readUInt16BE(V2_START.length + 2);
  if (length > V2_LIMIT || (command !== COMMAND_LOCAL && command !== COMMAND_PROXY)) return BAD;
  if (data.length < length) return MORE;
  if (command === COMMAND_LOCAL) return { kind: 'whole', length, source: undefined };
  if (family === STREAM_IPV4 && length >= V2_FIXED + IPV4_BYTES) {
    const address = data.subarray(V2_FIXED, V2_FIXED + 4).join('.');
    return { kind: 'whole', length, source: { address, port: data.readUInt16BE(V2_FIXED + 8) } };
  }
  if (family === STREAM_IPV6 && length >= V2_FIXED + IPV6_BYTES) {
    return {
      kind: 'whole',
      length,
      source: { address: ipv6At(data), port: data.readUInt16BE(V2_FIXED + 32) },
    };
  }
  // AF_UNSPEC and what is no stream over IP: the receiver "should ignore address information" (§2.2).
  return { kind: 'whole', length, source: undefined };
}

/** In the short form of RFC 5952, as sockets name their peers. */
function ipv6At(data: Buffer): string {
  const groups = [];
  for (let at = V2_FIXED; at < V2_FIXED + 16; at += 2) groups.push(data.readUInt16BE(at).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
