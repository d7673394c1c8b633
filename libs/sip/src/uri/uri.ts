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
import { NO_PARAMS, paramsOf, scanUriParams } from '../grammar/params.ts';
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

/** addr-spec = SIP-URI / SIPS-URI / absoluteURI, filling `raw[at, end)`. */
export function readUri(raw: string, at: number, end: number): Read<Uri> {
  if (end - at > SIP_COLON && spells(at, at + SIP_COLON, 'sip:'))
    return readSip(raw, at, at + SIP_COLON, end, false);
  const colon = scanScheme(at, end);
  if (colon < 0) return flaw('uri-scheme', at, 'a URI begins with a scheme and a colon');
  if (spells(at, colon, 'sips')) return readSip(raw, at, colon + 1, end, true);
  if (spells(at, colon, 'tel')) return readTel(raw, at, colon + 1, end);
  if (spells(at, colon, 'sip')) return flaw('uri-host', end, 'a URI without a host');
  const stop = scanEscaped(colon + 1, end, URIC);
  if (stop !== end || stop === colon + 1) return flaw('uri', offset(stop), 'an octet that no URI has');
  return good({ kind: 'other', scheme: raw.slice(at, colon).toLowerCase(), text: raw.slice(at, end) }, end);
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
function readSip(raw: string, start: number, at: number, end: number, secure: boolean): Read<Uri> {
  let user: string | undefined;
  let password: string | undefined;
  let host = at;
  // userinfo = user [ ":" password ] "@"
  const userEnd = scanEscaped(at, end, USER);
  if (userEnd < 0) return flaw('uri-user', ~userEnd, 'a "%" that is no escape');
  let sign = userEnd;
  if (userEnd < end && octet(userEnd) === COLON) sign = scanEscaped(userEnd + 1, end, PASSWORD);
  if (sign >= 0 && sign < end && octet(sign) === AT) {
    if (userEnd === at) return flaw('uri-user', at, 'an empty user part');
    user = raw.slice(at, userEnd);
    if (sign > userEnd) password = raw.slice(userEnd + 1, sign);
    host = sign + 1;
  }
  const hostEnd = scanHost(host, end);
  if (hostEnd < 0) return flaw('uri-host', ~hostEnd, 'not a host');
  let i = hostEnd;
  let port: number | undefined;
  if (octet(i) === COLON && i < end) {
    const stop = span(i + 1, end, DIGIT);
    port = readPort(i + 1, stop);
    if (port < 0) return flaw('uri-port', i + 1, 'not a port');
    i = stop;
  }
  return readSipTail(raw, start, end, { secure, user, password, host: raw.slice(host, hostEnd), port }, i);
}

type Front = Pick<SipUri, 'secure' | 'user' | 'password' | 'host' | 'port'>;

/** uri-parameters [ headers ] */
function readSipTail(raw: string, start: number, end: number, front: Front, at: number): Read<Uri> {
  let i = at;
  let params: UriParams = NO_PARAMS;
  let headers: string | undefined;
  if (i < end && octet(i) === SEMI) {
    const stop = scanUriParams(i, end);
    if (stop < 0) return flaw('uri-params', ~stop, 'not a URI parameter, or one given twice');
    params = paramsOf(raw, i, stop);
    i = stop;
  }
  if (i < end && octet(i) === QUESTION) {
    const stop = scanEscaped(i + 1, end, HEADERS);
    if (stop !== end || stop === i + 1) return flaw('uri-headers', offset(stop), 'not a URI header');
    headers = raw.slice(i + 1, end);
    i = end;
  }
  if (i !== end) return flaw('uri', i, 'an octet that no SIP URI has there');
  const { secure, user, password, host, port } = front;
  return good(
    { kind: 'sip', secure, user, password, host, port, params, headers, text: raw.slice(start, end) },
    end,
  );
}

/** telephone-uri = "tel:" ( global-number / local-number ) *( ";" parameter ) (RFC 3966 §3) */
function readTel(raw: string, start: number, at: number, end: number): Read<Uri> {
  let i = octet(at) === PLUS ? at + 1 : at;
  const digits = i;
  i = span(i, end, PHONE);
  if (i === digits) return flaw('uri', i, 'a tel URI without a number');
  const stop = scanUriParams(i, end);
  if (stop !== end) return flaw('uri-params', offset(stop), 'not a parameter of a tel URI');
  return good(
    { kind: 'tel', number: raw.slice(at, i), params: paramsOf(raw, i, stop), text: raw.slice(start, end) },
    end,
  );
}

/** Narrows a URI to sip: and sips:, or fails with status 416 (RFC 3261 §21.4.14). */
export function asSipUri(uri: Uri): Read<SipUri> | Flawed {
  return uri.kind === 'sip'
    ? good(uri, uri.text.length)
    : flaw('uri-scheme', 0, `not a sip: or sips: URI: ${uri.text}`, 416);
}
