import { networkInterfaces } from 'node:os';
import { addressFromHex, addressHex } from '../addresses.ts';

/** `AF_INET` and `AF_INET6` of Linux. */
export const FAMILY = { four: 2, six: 10 } as const;
/** `struct sockaddr_in` and `sockaddr_in6`. */
const LENGTH = { four: 16, six: 28 } as const;
/** Words before the address: family with port, and in `sockaddr_in6` the flow information. */
const BEFORE = { four: 1, six: 2 } as const;
/** Of the scope in `sockaddr_in6`. */
const SCOPE_AT = 24;
const WORD_BYTES = 4;
/** Hex digits of an IPv6 address; what an IPv4 address on an IPv6 socket begins with (RFC 4291 §2.5.5.2). */
const ADDRESS_DIGITS = 32;
const MAPPED = '00000000000000000000ffff';
/** Addresses whose text is kept; a power of two. */
const KEPT = 4_096;

interface Known {
  readonly words: Uint32Array;
  readonly address: string;
}

/** Peers as the system writes them (`struct sockaddr_in`, `sockaddr_in6`, in words of 32 bits) and as text. */
export class SocketNames {
  readonly family: number;
  /** Octets of a name. */
  readonly length: number;
  readonly #before: number;
  readonly #words: number;
  readonly #known = new Array<Known | undefined>(KEPT).fill(undefined);

  constructor(private readonly isIPv6: boolean) {
    const kind = isIPv6 ? 'six' : 'four';
    this.family = FAMILY[kind];
    this.length = LENGTH[kind];
    this.#before = BEFORE[kind];
    // The scope stands behind the address.
    this.#words = isIPv6 ? 5 : 1;
  }

  /** The name of a peer; an IPv4 address on an IPv6 socket is mapped. */
  of(address: string, port: number): Uint8Array {
    const name = Buffer.alloc(this.length);
    name.writeUInt16LE(this.family, 0);
    name.writeUInt16BE(port, 2);
    const mapped = this.isIPv6 && !address.includes(':');
    const hex = mapped ? `${MAPPED}${addressHex(address)}` : addressHex(address);
    name.write(hex, this.#before * WORD_BYTES, 'hex');
    const zone = address.split('%')[1];
    if (zone !== undefined) name.writeUInt32LE(scopeOf(zone), SCOPE_AT);
    return name;
  }

  /** The port of the name at a place. */
  port(words: Uint32Array, at: number): number {
    const first = words[at] ?? 0;
    return ((first >>> 8) & 0xff00) | (first >>> 24);
  }

  /** The address of the name at a place, in plain form. */
  address(words: Uint32Array, at: number): string {
    const start = at + this.#before;
    let place = 0;
    for (let i = 0; i < this.#words; i += 1) place = Math.imul(place ^ (words[start + i] ?? 0), 0x01000193);
    place = (place ^ (place >>> 15)) & (KEPT - 1);
    const known = this.#known[place];
    if (known !== undefined && this.#isSame(known.words, words, start)) return known.address;
    const own = words.slice(start, start + this.#words);
    const address = textOf(own);
    this.#known[place] = { words: own, address };
    return address;
  }

  #isSame(known: Uint32Array, words: Uint32Array, start: number): boolean {
    for (let i = 0; i < known.length; i += 1) if (known[i] !== words[start + i]) return false;
    return true;
  }
}

/** One word of IPv4, or four of IPv6 and its scope, which a link-local address is nothing without (RFC 4007 §11). */
function textOf(words: Uint32Array): string {
  const hex = Buffer.from(words.buffer).toString('hex').slice(0, ADDRESS_DIGITS);
  const address = addressFromHex(hex.startsWith(MAPPED) ? hex.slice(MAPPED.length) : hex) ?? '';
  const scope = words[4] ?? 0;
  return scope === 0 ? address : `${address}%${zoneOf(scope)}`;
}

/** Interfaces by name, as Node writes an address with its zone. */
const zoneOf = (scope: number): string =>
  Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ scopeid }) => scopeid === scope))?.[0] ??
  String(scope);

const scopeOf = (zone: string): number =>
  networkInterfaces()[zone]?.find(({ scopeid }) => scopeid !== undefined && scopeid !== 0)?.scopeid ?? 0;
