/** Via (RFC 3261 §20.42, RFC 3581). */
import { load, octet, span } from '../grammar/octets.ts';
import { COLON, DIGIT, SEMI, SLASH, isWsp } from '../grammar/chars.ts';
import { readPort, scanHost } from '../grammar/host.ts';
import {
  NO_PARAMS,
  findMark,
  markedEnd,
  markedStart,
  markedText,
  markedValue,
  paramsOf,
  scanParams,
} from '../grammar/params.ts';
import type { Params } from '../grammar/params.ts';
import { scanToken, skipLws, spells, trimEnd } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Read } from '../problem.ts';

/** via-parm = sent-protocol LWS sent-by *( SEMI via-params ) */
export interface Via {
  readonly protocol: 'SIP/2.0';
  /** Upper case: 'UDP', 'TCP', 'TLS', 'WS', 'WSS', 'SCTP' or something else. */
  readonly transport: string;
  /** sent-by host as received. */
  readonly host: string;
  /** sent-by port. */
  readonly port?: number | undefined;
  readonly branch?: string | undefined;
  readonly received?: string | undefined;
  /** '' for `;rport` without a value: the sender asks for it (RFC 3581 §4). */
  readonly rport?: number | '' | undefined;
  readonly params: Params;
  /** The whole value as received. */
  readonly text: string;
}

/** Branches of RFC 3261 transactions begin so (§8.1.1.7). */
export const MAGIC_COOKIE = 'z9hG4bK';

/** Reads one value from `raw[at, end)`; `next` is `end` or the COMMA that ends the value. */
export function readVia(raw: string, at: number, end: number): Read<Via> {
  const start = skipLws(at, end);
  const transportAt = scanProtocol(start, end);
  if (transportAt < 0)
    return flaw('via-protocol', ~transportAt, 'a Via begins with SIP/2.0/ and a transport');
  const transportEnd = scanToken(transportAt, end);
  if (transportEnd < 0) return flaw('via-protocol', transportAt, 'a Via without a transport');
  const host = skipLws(transportEnd, end);
  const hostEnd = host === transportEnd ? -1 : scanHost(host, end);
  if (hostEnd < 0) return flaw('via-host', host, 'a Via without a host');
  let i = skipLws(hostEnd, end);
  let port: number | undefined;
  if (i < end && octet(i) === COLON) {
    const digits = skipLws(i + 1, end);
    i = span(digits, end, DIGIT);
    port = readPort(digits, i);
    if (port < 0) return flaw('via-port', digits, 'a Via with something else than a port');
  }
  const stop = scanParams(i, end);
  if (stop < 0) return flaw('via-params', ~stop, 'not a Via parameter, or one given twice');
  const text = raw.slice(start, trimEnd(start, stop));
  return finish(
    raw,
    i,
    stop,
    readTransport(raw, transportAt, transportEnd),
    raw.slice(host, hostEnd),
    port,
    text,
  );
}

function finish(
  raw: string,
  at: number,
  stop: number,
  transport: string,
  host: string,
  port: number | undefined,
  text: string,
): Read<Via> {
  const branchMark = findMark('branch');
  const receivedMark = findMark('received');
  const rportMark = findMark('rport');
  const branch = branchMark < 0 ? undefined : markedValue(raw, branchMark);
  const received = receivedMark < 0 ? undefined : markedValue(raw, receivedMark);
  const rport = rportMark < 0 ? undefined : readRport(markedStart(rportMark), markedEnd(rportMark));
  if (branch === '') return flaw('via-branch', at, 'a branch without a value');
  if (rport === -1) return flaw('via-port', at, 'an rport that is not a port');
  const params = at >= stop ? NO_PARAMS : paramsOf(raw, skipLws(at, stop), trimEnd(at, stop));
  return good({ protocol: 'SIP/2.0', transport, host, port, branch, received, rport, params, text }, stop);
}

const readRport = (at: number, end: number): number | '' => (at === 0 ? '' : readPort(at, end));

/** sent-protocol = protocol-name SLASH protocol-version SLASH transport; the offset of the transport. */
function scanProtocol(at: number, end: number): number {
  if (spells(at, at + 8, 'sip/2.0/')) return skipLws(at + 8, end);
  if (!spells(at, at + 3, 'sip')) return ~at;
  const i = scanSlash(at + 3, end);
  if (i < 0 || !spells(i, i + 3, '2.0')) return i < 0 ? i : ~i;
  return scanSlash(i + 3, end);
}

/** SLASH = SWS "/" SWS */
function scanSlash(at: number, end: number): number {
  const slash = skipLws(at, end);
  return slash < end && octet(slash) === SLASH ? skipLws(slash + 1, end) : ~slash;
}

function readTransport(raw: string, at: number, end: number): string {
  for (const known of TRANSPORTS) if (spells(at, end, known.lower)) return known.upper;
  return raw.slice(at, end).toUpperCase();
}
/** Those of every day come out without making a string. */
const TRANSPORTS = ['UDP', 'TCP', 'TLS', 'WSS', 'WS'].map((upper) => ({ upper, lower: upper.toLowerCase() }));

/**
 * The text of a Via as the server transport leaves it: `received` when the sent-by is not the source address
 * (RFC 3261 §18.2.1), and both `received` and a filled `rport` when the sender asked for that (RFC 3581 §4).
 * What the sender claimed in these two parameters is replaced. `address` is without brackets.
 */
export function viaFrom(via: Via, address: string, port: number): string {
  const asked = via.rport !== undefined;
  const host = via.host.startsWith('[') ? via.host.slice(1, -1) : via.host;
  if (!asked && via.received === undefined && host.toLowerCase() === address.toLowerCase()) return via.text;
  const received = asked || host.toLowerCase() !== address.toLowerCase() ? `;received=${address}` : '';
  const rport = asked ? `;rport=${String(port)}` : '';
  return `${withoutSource(via)}${received}${rport}`;
}

/** The text of a Via without its `received` and `rport`. */
function withoutSource(via: Via): string {
  if (via.rport === undefined && via.received === undefined) return via.text;
  return withoutPlainRport(via) ?? withoutParams(via);
}

const RPORT = ';rport';

/** What nearly all phones send, `;rport` without a value and no blanks or quotes, is cut out without another scan. */
function withoutPlainRport({ text, rport, received }: Via): string | undefined {
  if (rport !== '' || received !== undefined) return undefined;
  const at = text.indexOf(RPORT);
  const stop = at + RPORT.length;
  if (at < 0 || (stop < text.length && text.charCodeAt(stop) !== SEMI)) return undefined;
  if (isWsp(text.charCodeAt(at - 1)) || text.includes('"')) return undefined;
  return text.slice(0, at) + text.slice(stop);
}

function withoutParams(via: Via): string {
  const paramsAt = via.text.length - via.params.text.length;
  const { text } = via;
  load(text);
  scanParams(paramsAt, text.length);
  return text.slice(0, paramsAt) + markedText(text, text.length, [findMark('received'), findMark('rport')]);
}
