/**
 * The header fields that this project knows by name: one row for each. A field that is not here passes through
 * untouched and in order; a row costs nothing but its name. Rows with `read` have a typed accessor on a message.
 */
import { FOLDED_TOKEN } from '../grammar/chars.ts';
import { octets } from '../grammar/octets.ts';
import type { Read } from '../problem.ts';
import { readCredentials } from './credentials.ts';
import { readContact, readNameAddr } from './name-addr.ts';
import { readCSeq, readCallId, readEvent, readMediaRange, readNumber } from './simple.ts';
import { readVia } from './via.ts';

/** What is known of one header field. */
export interface HeaderSpec {
  /** As it is printed. */
  readonly name: string;
  /** Compact form (RFC 3261 §7.3.3, IANA SIP Parameters). */
  readonly compact?: string;
  readonly rfc: string;
  /** True when there may be but one line with one value; more is refused (RFC 3261 §7.3.1, RFC 4475 §3.3.8). */
  readonly single?: true;
  /** Reads one value from `raw[at, end)`, the loaded text. */
  readonly read?: (raw: string, at: number, end: number) => Read<unknown>;
}

// The first rows are those of every request: their numbers fit into one 31-bit set (see `seen` of a message).
export const HEADERS = {
  via: { name: 'Via', compact: 'v', rfc: 'RFC 3261 §20.42', read: readVia },
  from: { name: 'From', compact: 'f', rfc: 'RFC 3261 §20.20', single: true, read: readNameAddr },
  to: { name: 'To', compact: 't', rfc: 'RFC 3261 §20.39', single: true, read: readNameAddr },
  'call-id': { name: 'Call-ID', compact: 'i', rfc: 'RFC 3261 §20.8', single: true, read: readCallId },
  cseq: { name: 'CSeq', rfc: 'RFC 3261 §20.16', single: true, read: readCSeq },
  'max-forwards': { name: 'Max-Forwards', rfc: 'RFC 3261 §20.22', single: true, read: readNumber },
  'content-length': {
    name: 'Content-Length',
    compact: 'l',
    rfc: 'RFC 3261 §20.14',
    single: true,
    read: readNumber,
  },
  'content-type': {
    name: 'Content-Type',
    compact: 'c',
    rfc: 'RFC 3261 §20.15',
    single: true,
    read: readMediaRange,
  },
  contact: { name: 'Contact', compact: 'm', rfc: 'RFC 3261 §20.10', read: readContact },
  expires: { name: 'Expires', rfc: 'RFC 3261 §20.19', single: true, read: readNumber },
  authorization: { name: 'Authorization', rfc: 'RFC 3261 §20.7', read: readCredentials },
  'proxy-authorization': { name: 'Proxy-Authorization', rfc: 'RFC 3261 §20.28', read: readCredentials },
  route: { name: 'Route', rfc: 'RFC 3261 §20.34', read: readNameAddr },
  'record-route': { name: 'Record-Route', rfc: 'RFC 3261 §20.30', read: readNameAddr },
  path: { name: 'Path', rfc: 'RFC 3327 §4', read: readNameAddr },
  'p-asserted-identity': { name: 'P-Asserted-Identity', rfc: 'RFC 3325 §9.1', read: readNameAddr },
  require: { name: 'Require', rfc: 'RFC 3261 §20.32' },
  'proxy-require': { name: 'Proxy-Require', rfc: 'RFC 3261 §20.29' },
  supported: { name: 'Supported', compact: 'k', rfc: 'RFC 3261 §20.37' },
  unsupported: { name: 'Unsupported', rfc: 'RFC 3261 §20.40' },
  event: { name: 'Event', compact: 'o', rfc: 'RFC 6665 §8.2.1', single: true, read: readEvent },
  accept: { name: 'Accept', rfc: 'RFC 3261 §20.1', read: readMediaRange },
  'subscription-state': { name: 'Subscription-State', rfc: 'RFC 6665 §8.2.3', single: true },
  'sip-if-match': { name: 'SIP-If-Match', rfc: 'RFC 3903 §11.3.2', single: true },
  'sip-etag': { name: 'SIP-ETag', rfc: 'RFC 3903 §11.3.1', single: true },
  timestamp: { name: 'Timestamp', rfc: 'RFC 3261 §20.38' },
  'user-agent': { name: 'User-Agent', rfc: 'RFC 3261 §20.41' },
  allow: { name: 'Allow', rfc: 'RFC 3261 §20.5' },
  'accept-contact': { name: 'Accept-Contact', compact: 'a', rfc: 'RFC 3841 §9.2' },
  'accept-encoding': { name: 'Accept-Encoding', rfc: 'RFC 3261 §20.2' },
  'accept-language': { name: 'Accept-Language', rfc: 'RFC 3261 §20.3' },
  'alert-info': { name: 'Alert-Info', rfc: 'RFC 3261 §20.4' },
  'allow-events': { name: 'Allow-Events', compact: 'u', rfc: 'RFC 6665 §8.2.2' },
  'authentication-info': { name: 'Authentication-Info', rfc: 'RFC 3261 §20.6' },
  'call-info': { name: 'Call-Info', rfc: 'RFC 3261 §20.9' },
  'content-disposition': { name: 'Content-Disposition', rfc: 'RFC 3261 §20.11' },
  'content-encoding': { name: 'Content-Encoding', compact: 'e', rfc: 'RFC 3261 §20.12' },
  'content-language': { name: 'Content-Language', rfc: 'RFC 3261 §20.13' },
  date: { name: 'Date', rfc: 'RFC 3261 §20.17' },
  'error-info': { name: 'Error-Info', rfc: 'RFC 3261 §20.18' },
  'feature-caps': { name: 'Feature-Caps', rfc: 'RFC 6809 §4.4' },
  'flow-timer': { name: 'Flow-Timer', rfc: 'RFC 5626 §10' },
  identity: { name: 'Identity', compact: 'y', rfc: 'RFC 8224 §4' },
  'identity-info': { name: 'Identity-Info', compact: 'n', rfc: 'RFC 8224 §13.2' },
  'in-reply-to': { name: 'In-Reply-To', rfc: 'RFC 3261 §20.21' },
  'mime-version': { name: 'MIME-Version', rfc: 'RFC 3261 §20.24' },
  'min-expires': { name: 'Min-Expires', rfc: 'RFC 3261 §20.23' },
  organization: { name: 'Organization', rfc: 'RFC 3261 §20.25' },
  'p-preferred-identity': { name: 'P-Preferred-Identity', rfc: 'RFC 3325 §9.2' },
  priority: { name: 'Priority', rfc: 'RFC 3261 §20.26' },
  privacy: { name: 'Privacy', rfc: 'RFC 3323 §4.2' },
  'proxy-authenticate': { name: 'Proxy-Authenticate', rfc: 'RFC 3261 §20.27' },
  rack: { name: 'RAck', rfc: 'RFC 3262 §7.2' },
  reason: { name: 'Reason', rfc: 'RFC 3326 §2' },
  'refer-to': { name: 'Refer-To', compact: 'r', rfc: 'RFC 3515 §2.1' },
  'referred-by': { name: 'Referred-By', compact: 'b', rfc: 'RFC 3892 §3' },
  'reject-contact': { name: 'Reject-Contact', compact: 'j', rfc: 'RFC 3841 §9.2' },
  replaces: { name: 'Replaces', rfc: 'RFC 3891 §6.1' },
  'reply-to': { name: 'Reply-To', rfc: 'RFC 3261 §20.31' },
  'request-disposition': { name: 'Request-Disposition', compact: 'd', rfc: 'RFC 3841 §9.1' },
  'retry-after': { name: 'Retry-After', rfc: 'RFC 3261 §20.33' },
  rseq: { name: 'RSeq', rfc: 'RFC 3262 §7.1' },
  server: { name: 'Server', rfc: 'RFC 3261 §20.35' },
  'service-route': { name: 'Service-Route', rfc: 'RFC 3608 §5' },
  'session-expires': { name: 'Session-Expires', compact: 'x', rfc: 'RFC 4028 §4' },
  subject: { name: 'Subject', compact: 's', rfc: 'RFC 3261 §20.36' },
  'suppress-if-match': { name: 'Suppress-If-Match', rfc: 'RFC 5839 §5.2' },
  warning: { name: 'Warning', rfc: 'RFC 3261 §20.43' },
  'www-authenticate': { name: 'WWW-Authenticate', rfc: 'RFC 3261 §20.44' },
} as const satisfies Record<string, HeaderSpec>;

const ROWS: readonly (readonly [string, HeaderSpec])[] = Object.entries(HEADERS);

/** The number of a header that is not in the registry. */
export const UNKNOWN = 0;

/** Lower-case names by number; number 0 is no header. */
const NAMES: readonly string[] = ['', ...ROWS.map(([name]) => name)];
const BY_NAME = new Map<string, number>(ROWS.map(([name], row) => [name, row + 1]));

/** The lower-case long name of header number `id`. */
export const headerName = (id: number): string => NAMES[id] ?? '';

/** The number of a header by its lower-case long name; `UNKNOWN` when it is not in the registry. */
export const headerId = (name: string): number => BY_NAME.get(name) ?? UNKNOWN;

/** Set of headers as bits; only the first 31 rows have one. */
export const headerBit = (id: number): number => (id > 0 && id <= 31 ? 1 << (id - 1) : 0);

/** The headers that are refused when they come twice. */
export const SINGLE_BITS: number = ROWS.reduce(
  (bits, [name, spec]) => (spec.single === true ? bits | headerBit(headerId(name)) : bits),
  0,
);

// Names are found by a hash that the line index computes while it checks that a name is a token; what the hash finds
// is compared before it counts.
const SLOTS = 1024;
/** Longest name that is looked up. */
const NAME_ROOM = 32;
/** For each slot: the header number, the length of the name, the name in lower case. */
const slotIds = new Uint8Array(SLOTS);
const slotLengths = new Uint8Array(SLOTS);
const slotNames = new Uint8Array(SLOTS * NAME_ROOM);

/** One step of the hash of a header name in lower case. */
export const hashStep = (hash: number, code: number): number => ((hash << 5) - hash + code) | 0;

function enter(name: string, id: number): void {
  let hash = 0;
  for (let i = 0; i < name.length; i += 1) hash = hashStep(hash, name.charCodeAt(i));
  let slot = hash & (SLOTS - 1);
  while (slotIds[slot] !== UNKNOWN) slot = (slot + 1) & (SLOTS - 1);
  slotIds[slot] = id;
  slotLengths[slot] = name.length;
  slotNames.set(Buffer.from(name, 'latin1'), slot * NAME_ROOM);
}

for (const [name, spec] of ROWS) {
  enter(name, headerId(name));
  if (spec.compact !== undefined) enter(spec.compact, headerId(name));
}

/** The number of the header whose name is `[at, end)` in any case, long or compact, with `hash` computed on it. */
export function findHeader(at: number, end: number, hash: number): number {
  const ids = slotIds;
  const lengths = slotLengths;
  for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
    const id = ids[slot] ?? UNKNOWN;
    if (id === UNKNOWN) return UNKNOWN;
    if (lengths[slot] === end - at && isNamed(at, end, slot * NAME_ROOM)) return id;
  }
}

function isNamed(at: number, end: number, name: number): boolean {
  const text = octets;
  const names = slotNames;
  const folded = FOLDED_TOKEN;
  for (let i = 0; at + i < end; i += 1) if (folded[text[at + i] ?? 0] !== names[name + i]) return false;
  return true;
}
