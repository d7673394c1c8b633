/** From, To, Contact, Route, Record-Route, Path, P-Asserted-Identity: name-addr / addr-spec with parameters. */
import { octet, span } from '../grammar/octets.ts';
import {
  BRACKETED,
  COLON,
  COMMA,
  DOT,
  DQUOTE,
  LAQUOT,
  QUESTION,
  RAQUOT,
  SEMI,
  TOKEN,
  WSP,
  ZERO,
  isWsp,
} from '../grammar/chars.ts';
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
import { readDigits, scanQuoted, skipLws, trimEnd, unquote } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Flawed, Read } from '../problem.ts';
import { readUri } from '../uri/uri.ts';
import type { Uri } from '../uri/uri.ts';

/** (name-addr / addr-spec) *( SEMI generic-param ) */
export interface NameAddr {
  /** Without quotes and backslashes; octets. Absent when there is none. */
  readonly display?: string | undefined;
  readonly uri: Uri;
  readonly uriText: string;
  /** Header parameters, not those of the URI. */
  readonly params: Params;
  readonly tag?: string | undefined;
  /** The whole value as received. */
  readonly text: string;
}

/** A value of Contact with its own parameters read. */
export interface Contact extends NameAddr {
  /** qvalue in thousandths, 0 to 1000. */
  readonly q?: number | undefined;
  /** Seconds, clamped to 2^32-1; 3600 when the parameter is there but malformed (RFC 3261 §10.2.1.1). */
  readonly expires?: number | undefined;
  /** The parameters other than q and expires, `;...` as received; '' when there are none. */
  readonly paramsText: string;
}

/** delta-seconds is at most 2^32-1 (RFC 3261 §20.19). */
export const MAX_DELTA_SECONDS = 2 ** 32 - 1;
/** "Malformed values SHOULD be treated as equivalent to 3600" (RFC 3261 §10.2.1.1). */
export const MALFORMED_EXPIRES = 3600;

/** Reads one value from `raw[at, end)`; `next` is `end` or the COMMA that ends the value. */
export function readNameAddr(raw: string, at: number, end: number): Read<NameAddr> {
  const start = skipLws(at, end);
  const bracket = scanDisplayName(start, end);
  if (bracket < 0) return addressFlaw(start, ~bracket, end);
  const bare = octet(bracket) !== LAQUOT || bracket >= end;
  const address = bare ? readBare(raw, start, end) : readBracketed(raw, bracket, end);
  if (!address.ok) return address;
  const display = bare || bracket === start ? undefined : displayName(raw, start, bracket);
  const uri = address.value;
  const uriText = uri.text;
  const stop = scanParams(address.next, end);
  if (stop < 0) return flaw('params', ~stop, 'not a header parameter, or one given twice');
  const textEnd = trimEnd(address.next, stop);
  if (textEnd === address.next) {
    return good(
      { display, uri, uriText, params: NO_PARAMS, tag: undefined, text: raw.slice(start, textEnd) },
      stop,
    );
  }
  const mark = findMark('tag');
  const tag = mark < 0 ? undefined : markedValue(raw, mark);
  if (tag === '') return flaw('tag', address.next, 'a tag without a value');
  const params = paramsOf(raw, skipLws(address.next, textEnd), textEnd);
  return good({ display, uri, uriText, params, tag, text: raw.slice(start, textEnd) }, stop);
}

/** contact-param = (name-addr / addr-spec) *( SEMI contact-params ) */
export function readContact(raw: string, at: number, end: number): Read<Contact> {
  const read = readNameAddr(raw, at, end);
  if (!read.ok) return read;
  const { display, uri, uriText, params, tag, text } = read.value;
  if (params === NO_PARAMS) {
    return good(
      { display, uri, uriText, params, tag, text, q: undefined, expires: undefined, paramsText: '' },
      read.next,
    );
  }
  // the marks of the parameters are still those that readNameAddr left
  const qMark = findMark('q');
  const expiresMark = findMark('expires');
  const q = qMark < 0 ? undefined : readQvalue(markedStart(qMark), markedEnd(qMark));
  if (q === -1) return flaw('contact-q', at, 'q is 0 to 1 with at most three decimals');
  const expires =
    expiresMark < 0 ? undefined : readDeltaSeconds(markedStart(expiresMark), markedEnd(expiresMark));
  const paramsText =
    qMark < 0 && expiresMark < 0
      ? params.text
      : markedText(raw, trimEnd(at, read.next), [qMark, expiresMark]);
  return good({ display, uri, uriText, params, tag, text, q, expires, paramsText }, read.next);
}

/** delta-seconds = 1*DIGIT, clamped; malformed text counts as 3600. */
function readDeltaSeconds(at: number, end: number): number {
  const seconds = readDigits(at, end);
  return seconds < 0 ? MALFORMED_EXPIRES : Math.min(seconds, MAX_DELTA_SECONDS);
}

/** qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), in thousandths; -1 when it is not one. */
function readQvalue(at: number, end: number): number {
  const length = end - at;
  const whole = octet(at) - ZERO;
  if (length < 1 || length > 5 || (whole !== 0 && whole !== 1)) return -1;
  if (length > 1 && octet(at + 1) !== DOT) return -1;
  const decimals = length <= 2 ? 0 : readDigits(at + 2, end);
  if (decimals < 0) return -1;
  const q = whole * 1000 + decimals * (SCALE[length - 2] ?? 0);
  return q > 1000 ? -1 : q;
}
/** Thousandths in a digit string of this length. */
const SCALE = [0, 100, 10, 1] as const;

/**
 * name-addr = [ display-name ] LAQUOT addr-spec RAQUOT, or addr-spec alone: the offset of the LAQUOT, or of the COLON
 * that makes it an addr-spec.
 *
 * display-name = *( token LWS ) / quoted-string. Departure: LWS before "<" may be missing (RFC 4475 §3.1.1.6; eyeBeam,
 * Zoiper).
 */
function scanDisplayName(at: number, end: number): number {
  const first = octet(at);
  if (first === LAQUOT && at < end) return at;
  if (first !== DQUOTE) {
    const i = span(at, end, TOKEN | WSP);
    return i < end && (octet(i) === LAQUOT || octet(i) === COLON) ? i : ~i;
  }
  const quoteEnd = scanQuoted(at, end);
  if (quoteEnd < 0) return quoteEnd;
  const bracket = skipLws(quoteEnd, end);
  return bracket < end && octet(bracket) === LAQUOT ? bracket : ~bracket;
}

function addressFlaw(start: number, at: number, end: number): Flawed {
  if (start >= end) return flaw('address-empty', start, 'an address is missing');
  return flaw('display-name', at, 'neither a display name with a "<" behind it nor a URI');
}

function displayName(raw: string, at: number, bracket: number): string {
  const end = trimEnd(at, bracket);
  return octet(at) === DQUOTE ? unquote(raw, at, end) : raw.slice(at, end);
}

function readBracketed(raw: string, bracket: number, end: number): Read<Uri> {
  const close = span(bracket + 1, end, BRACKETED);
  if (close >= end || octet(close) !== RAQUOT) return flaw('name-addr', bracket, 'a "<" that is not closed');
  const uri = readUri(raw, bracket + 1, close);
  return uri.ok ? good(uri.value, close + 1) : uri;
}

/**
 * addr-spec without brackets: "if the URI contains a comma, question mark or semicolon, the URI MUST be enclosed in
 * angle brackets" (RFC 3261 §20), so that a ";" begins the header parameters.
 */
function readBare(raw: string, at: number, end: number): Read<Uri> {
  let stop = at;
  while (stop < end) {
    const code = octet(stop);
    if (code === SEMI || code === COMMA || isWsp(code)) break;
    if (code === QUESTION) return flaw('addr-spec', stop, 'a URI with "?" wants angle brackets');
    stop += 1;
  }
  return readUri(raw, at, stop);
}
