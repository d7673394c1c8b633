/** host = hostname / IPv4address / IPv6reference (RFC 3261 §25.1) */
import { octet, octets } from './octets.ts';
import {
  ALPHA,
  CLASSES,
  COLON,
  DIGIT,
  DOT,
  HEXDIG,
  HYPHEN,
  LBRACKET,
  RBRACKET,
  UNDERSCORE,
  isIn,
} from './chars.ts';
import { readDigits } from './scan.ts';

/**
 * Scans a host; returns the offset after it, or `~offset`.
 *
 * Departure: a toplabel may begin with a digit when it has a letter in it. RFC 3261 wants a letter in front, but the
 * host names of containers are hexadecimal, and sipsak writes its host name into the Via. A label may have "_": so are
 * computers named, and services of Docker Compose.
 */
export function scanHost(at: number, end: number): number {
  if (octet(at) === LBRACKET) return scanIpv6Reference(at, end);
  const text = octets;
  const classes = CLASSES;
  let i = at;
  let label = at;
  let dots = 0;
  let letters = false;
  for (; i < end; i += 1) {
    const code = text[i] ?? 0;
    const kind = classes[code] ?? 0;
    if ((kind & ALPHA) !== 0 || code === UNDERSCORE) letters = true;
    else if (code === DOT) {
      if (i === label || octet(i - 1) === HYPHEN) return ~i;
      const last = i + 1 >= end || !isIn(octet(i + 1), ALPHA | DIGIT);
      if (last) return letters ? i + 1 : ~i;
      label = i + 1;
      dots += 1;
      letters = false;
    } else if (code === HYPHEN) {
      if (i === label) return ~i;
    } else if ((kind & DIGIT) === 0) break;
  }
  if (i === label || octet(i - 1) === HYPHEN) return ~i;
  return letters || (dots === 3 && isIpv4(at, i)) ? i : ~at;
}

/** IPv4address = 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT, each at most 255 */
function isIpv4(at: number, end: number): boolean {
  let groups = 0;
  let start = at;
  for (let i = at; i <= end; i += 1) {
    if (i < end && octet(i) !== DOT) continue;
    const value = readDigits(start, i);
    if (value < 0 || value > 255 || i - start > 3) return false;
    groups += 1;
    start = i + 1;
  }
  return groups === 4;
}

/** IPv6reference = "[" IPv6address "]" */
function scanIpv6Reference(at: number, end: number): number {
  let i = at + 1;
  while (i < end && octet(i) !== RBRACKET) {
    const code = octet(i);
    if (!isIn(code, HEXDIG) && code !== COLON && code !== DOT) return ~i;
    i += 1;
  }
  if (i >= end || !isIpv6(at + 1, i)) return ~i;
  return i + 1;
}

/**
 * IPv6address = hexpart [ ":" IPv4address ], at most 8 groups of which an IPv4 address counts two.
 *
 * Departure: ":::" before an IPv4 address is read as "::". The grammar of RFC 3261 produced it by mistake, and
 * RFC 5118 §4.10 asks for tolerance.
 */
export function isIpv6(at: number, end: number): boolean {
  let groups = 0;
  let compressed = false;
  let i = at;
  while (i < end) {
    if (octet(i) === COLON) {
      let colons = 1;
      while (i + colons < end && octet(i + colons) === COLON) colons += 1;
      const next = i + colons;
      if (colons === 1 && (groups === 0 || next >= end)) return false;
      if (colons > 3 || (colons === 3 && !isIpv4(next, end))) return false;
      if (colons > 1) {
        if (compressed) return false;
        compressed = true;
      }
      i = next;
      continue;
    }
    let stop = i;
    while (stop < end && isIn(octet(stop), HEXDIG)) stop += 1;
    if (octet(stop) === DOT && stop < end) {
      if (!isIpv4(i, end)) return false;
      groups += 2;
      break;
    }
    if (stop === i || stop - i > 4) return false;
    groups += 1;
    i = stop;
  }
  return compressed ? groups <= 7 : groups === 8;
}

/** port = 1*DIGIT, 0 to 65535; -1 when it is not one. */
export function readPort(at: number, end: number): number {
  const port = readDigits(at, end);
  return port > 0xffff ? -1 : port;
}
