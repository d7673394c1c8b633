/** SIP, SIPS, tel and other URIs (RFC 3261 §19.1, RFC 3966). */
import { CAPACITY, load, octet, span } from '../grammar/octets.ts';
import {
  ALPHA,
  AT,
  COLON,
  DIGIT,
  HEADERS,
  PASSWORD,
  PHONE,
  PLUS,
  QUESTION,
  SEMI,
  URIC,
  USER,
  isIn,
} from '../grammar/chars.ts';
import { readPort, scanHost } from '../grammar/host.ts';
import { paramsOf, scanUriParams } from '../grammar/params.ts';
import { scanEscaped, spells } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Flawed, Read } from '../problem.ts';

type UriParams = ReadonlyMap<string, string | undefined>;

/** A sip: or sips: URI; every part is as received, escapes included. */
export interface SipUri {
  readonly kind: 'sip';
  /** True for sips: */
  readonly secure: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** An IPv6 reference keeps its brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  /** Names in lower case; values escaped as received; undefined for a parameter without "=". */
  readonly params: UriParams;
  /** What follows the "?", as received. */
  readonly headers?: string | undefined;
  readonly text: string;
}

/** A tel: URI (RFC 3966). */
export interface TelUri {
  readonly kind: 'tel';
  readonly number: string;
  readonly params: UriParams;
  readonly text: string;
}

/** A URI of another scheme: absoluteURI, not looked into. */
export interface OtherUri {
  readonly kind: 'other';
  /** Lower case. */
  readonly scheme: string;
  readonly text: string;
}

export type Uri = SipUri | TelUri | OtherUri;

/** Parses a whole URI. Problems: `uri`, `uri-scheme`, `uri-host`, `uri-port`, `uri-params`, `uri-headers`. */
export function parseUri(text: string): Read<Uri> {
  if (text.length > CAPACITY) return flaw('uri', 0, 'a URI without end');
  load(text);
  return readUri(text, 0, text.length);
}

// What the last `scanUri` found: offsets of the loaded text. They must be read before the next scan of a URI.
let uriKind: Uri['kind'] = 'sip';
let secure = false;
let uriStart = 0;
/** Past the colon of the scheme. */
let rest = 0;
let uriEnd = 0;
/** End of the user part; before `rest` when there is none. */
let userEnd = -1;
/** End of userinfo, where the "@" stands. */
let sign = -1;
let hostStart = 0;
let hostEnd = 0;
let port = -1;
let paramsStart = 0;
let paramsEnd = 0;

/** The kind of the URI that was scanned last. */
export const scannedUriKind = (): Uri['kind'] => uriKind;

/** addr-spec = SIP-URI / SIPS-URI / absoluteURI, filling `raw[at, end)`. */
export function readUri(raw: string, at: number, end: number): Read<Uri> {
  return scanUri(at, end) ?? good(scannedUri(raw), end);
}

/** Checks what `readUri` reads, and makes nothing: the problem, or undefined. */
export function scanUri(at: number, end: number): Flawed | undefined {
  uriStart = at;
  uriEnd = end;
  if (end - at > SIP_COLON && spells(at, at + SIP_COLON, 'sip:')) return scanSip(at + SIP_COLON, end, false);
  const colon = scanScheme(at, end);
  if (colon < 0) return flaw('uri-scheme', at, 'a URI begins with a scheme and a colon');
  if (spells(at, colon, 'sips')) return scanSip(colon + 1, end, true);
  if (spells(at, colon, 'tel')) return scanTel(colon + 1, end);
  if (spells(at, colon, 'sip')) return flaw('uri-host', end, 'a URI without a host');
  const stop = scanEscaped(colon + 1, end, URIC);
  if (stop !== end || stop === colon + 1) return flaw('uri', offset(stop), 'an octet that no URI has');
  uriKind = 'other';
  rest = colon + 1;
  return undefined;
}

/** The URI that was scanned last, out of the text that it was scanned in. */
export function scannedUri(raw: string): Uri {
  const text = raw.slice(uriStart, uriEnd);
  if (uriKind === 'other')
    return { kind: 'other', scheme: raw.slice(uriStart, rest - 1).toLowerCase(), text };
  const params = paramsOf(raw, paramsStart, paramsEnd);
  if (uriKind === 'tel') return { kind: 'tel', number: raw.slice(rest, paramsStart), params, text };
  return {
    kind: 'sip',
    secure,
    user: userEnd < rest ? undefined : raw.slice(rest, userEnd),
    password: sign > userEnd ? raw.slice(userEnd + 1, sign) : undefined,
    host: raw.slice(hostStart, hostEnd),
    port: port < 0 ? undefined : port,
    params,
    headers: paramsEnd < uriEnd ? raw.slice(paramsEnd + 1, uriEnd) : undefined,
    text,
  };
}

const SIP_COLON = 4;

const offset = (scanned: number): number => (scanned < 0 ? ~scanned : scanned);

/** scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) ":"; the offset of the colon. */
function scanScheme(at: number, end: number): number {
  if (at >= end || !isIn(octet(at), ALPHA)) return -1;
  for (let i = at + 1; i < end; i += 1) {
    const code = octet(i);
    if (code === COLON) return i;
    if (!isIn(code, ALPHA | DIGIT) && code !== PLUS && code !== 0x2d && code !== 0x2e) return -1;
  }
  return -1;
}

/** SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ] */
function scanSip(at: number, end: number, isSecure: boolean): Flawed | undefined {
  uriKind = 'sip';
  secure = isSecure;
  rest = at;
  hostStart = at;
  // userinfo = user [ ":" password ] "@"
  const user = scanEscaped(at, end, USER);
  if (user < 0) return flaw('uri-user', ~user, 'a "%" that is no escape');
  let stop = user;
  if (user < end && octet(user) === COLON) stop = scanEscaped(user + 1, end, PASSWORD);
  userEnd = -1;
  sign = -1;
  if (stop >= 0 && stop < end && octet(stop) === AT) {
    if (user === at) return flaw('uri-user', at, 'an empty user part');
    userEnd = user;
    sign = stop;
    hostStart = stop + 1;
  }
  hostEnd = scanHost(hostStart, end);
  if (hostEnd < 0) return flaw('uri-host', ~hostEnd, 'not a host');
  let i = hostEnd;
  port = -1;
  if (octet(i) === COLON && i < end) {
    stop = span(i + 1, end, DIGIT);
    port = readPort(i + 1, stop);
    if (port < 0) return flaw('uri-port', i + 1, 'not a port');
    i = stop;
  }
  return scanSipTail(i, end);
}

/** uri-parameters [ headers ] */
function scanSipTail(at: number, end: number): Flawed | undefined {
  paramsStart = at;
  paramsEnd = at;
  if (at < end && octet(at) === SEMI) {
    const stop = scanUriParams(at, end);
    if (stop < 0) return flaw('uri-params', ~stop, 'not a URI parameter, or one given twice');
    paramsEnd = stop;
  }
  if (paramsEnd >= end) return undefined;
  if (octet(paramsEnd) !== QUESTION) return flaw('uri', paramsEnd, 'an octet that no SIP URI has there');
  const stop = scanEscaped(paramsEnd + 1, end, HEADERS);
  if (stop === end && stop > paramsEnd + 1) return undefined;
  return flaw('uri-headers', offset(stop), 'not a URI header');
}

/** telephone-uri = "tel:" ( global-number / local-number ) *( ";" parameter ) (RFC 3966 §3) */
function scanTel(at: number, end: number): Flawed | undefined {
  uriKind = 'tel';
  rest = at;
  const digits = octet(at) === PLUS ? at + 1 : at;
  paramsStart = span(digits, end, PHONE);
  if (paramsStart === digits) return flaw('uri', digits, 'a tel URI without a number');
  paramsEnd = scanUriParams(paramsStart, end);
  return paramsEnd === end
    ? undefined
    : flaw('uri-params', offset(paramsEnd), 'not a parameter of a tel URI');
}

/**
 * A `pres:` URI as the `sip:` URI of the same user and domain, where its presence is to be had (RFC 3856 §4, RFC 3861 §3); any
 * other URI as it is.
 */
export function sipOfPres(uri: Uri): Uri {
  if (uri.kind !== 'other' || uri.scheme.toLowerCase() !== 'pres') return uri;
  const same = parseUri(`sip:${uri.text.slice(uri.scheme.length + 1)}`);
  return same.ok ? same.value : uri;
}
