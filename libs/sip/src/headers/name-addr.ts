/** From, To, Contact, Route, Record-Route, Path, P-Asserted-Identity: name-addr / addr-spec with parameters. */
import { octet, span } from '../grammar/octets.ts';
import {
  BRACKETED,
  COLON,
  COMMA,
  DISPLAY,
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
  isMarkedEmpty,
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
import { scanUri, scannedUri } from '../uri/uri.ts';
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

// What the last `scanNameAddr` found: offsets of the loaded text.
let start = 0;
/** Offset of the "<", or of the colon of an address without brackets. */
let bracket = 0;
let bare = false;
/** Past the address. */
let addressEnd = 0;
let textEnd = 0;
/** Number of the mark of the tag, or -1. */
let tagMark = -1;
/** `end`, or the COMMA that ends the value. */
let next = 0;

/** Where the value that was scanned last ends: at `end`, or at the COMMA behind it. */
export const scannedNameAddrEnd = (): number => next;
/** True when the value that was scanned last has a tag. */
export const scannedTag = (): boolean => tagMark >= 0;

/** Checks what `readNameAddr` reads, and makes nothing: the problem, or undefined. */
export function scanNameAddr(at: number, end: number): Flawed | undefined {
  start = skipLws(at, end);
  bracket = scanDisplayName(start, end);
  if (bracket < 0) return addressFlaw(start, ~bracket, end);
  bare = octet(bracket) !== LAQUOT || bracket >= end;
  const problem = bare ? scanBare(start, end) : scanBracketed(bracket, end);
  if (problem !== undefined) return problem;
  next = scanParams(addressEnd, end);
  if (next < 0) return flaw('params', ~next, 'not a header parameter, or one given twice');
  textEnd = trimEnd(addressEnd, next);
  tagMark = textEnd === addressEnd ? -1 : findMark('tag');
  if (tagMark >= 0 && isMarkedEmpty(tagMark)) return flaw('tag', addressEnd, 'a tag without a value');
  return undefined;
}

/** Reads one value from `raw[at, end)`; `next` is `end` or the COMMA that ends the value. */
export function readNameAddr(raw: string, at: number, end: number): Read<NameAddr> {
  const problem = scanNameAddr(at, end);
  if (problem !== undefined) return problem;
  const display = bare || bracket === start ? undefined : displayName(raw, start, bracket);
  const uri = scannedUri(raw);
  const uriText = uri.text;
  const tag = tagMark < 0 ? undefined : markedValue(raw, tagMark);
  const params = textEnd === addressEnd ? NO_PARAMS : paramsOf(raw, skipLws(addressEnd, textEnd), textEnd);
  return good({ display, uri, uriText, params, tag, text: raw.slice(start, textEnd) }, next);
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
 * display-name = *( token LWS ) / quoted-string. Departures: LWS before "<" may be missing (RFC 4475 §3.1.1.6; eyeBeam,
 * Zoiper); a name without quotes may have letters of every script and signs that no token has, but none that could mean something else.
 */
function scanDisplayName(at: number, end: number): number {
  const first = octet(at);
  if (first === LAQUOT && at < end) return at;
  if (first !== DQUOTE) {
    const i = span(at, end, TOKEN | WSP);
    if (i < end && (octet(i) === LAQUOT || octet(i) === COLON)) return i;
    const loose = span(i, end, DISPLAY);
    return loose < end && octet(loose) === LAQUOT ? loose : ~i;
  }
  const quoteEnd = scanQuoted(at, end);
  if (quoteEnd < 0) return quoteEnd;
  const angle = skipLws(quoteEnd, end);
  return angle < end && octet(angle) === LAQUOT ? angle : ~angle;
}

function addressFlaw(from: number, at: number, end: number): Flawed {
  if (from >= end) return flaw('address-empty', from, 'an address is missing');
  return flaw('display-name', at, 'neither a display name with a "<" behind it nor a URI');
}

function displayName(raw: string, at: number, stop: number): string {
  const end = trimEnd(at, stop);
  return octet(at) === DQUOTE ? unquote(raw, at, end) : raw.slice(at, end);
}

function scanBracketed(at: number, end: number): Flawed | undefined {
  const close = span(at + 1, end, BRACKETED);
  if (close >= end || octet(close) !== RAQUOT) return flaw('name-addr', at, 'a "<" that is not closed');
  addressEnd = close + 1;
  return scanUri(at + 1, close);
}

/**
 * addr-spec without brackets: "if the URI contains a comma, question mark or semicolon, the URI MUST be enclosed in
 * angle brackets" (RFC 3261 §20), so that a ";" begins the header parameters.
 */
function scanBare(at: number, end: number): Flawed | undefined {
  let stop = at;
  while (stop < end) {
    const code = octet(stop);
    if (code === SEMI || code === COMMA || isWsp(code)) break;
    if (code === QUESTION) return flaw('addr-spec', stop, 'a URI with "?" wants angle brackets');
    stop += 1;
  }
  addressEnd = stop;
  return scanUri(at, stop);
}
