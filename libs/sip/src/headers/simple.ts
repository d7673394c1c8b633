/** Header fields that are a number, a word, or a list of tokens. */
import { octet, span } from '../grammar/octets.ts';
import { AT, SLASH, STAR, WORD } from '../grammar/chars.ts';
import { findMark, markedValue, paramsOf, scanParams } from '../grammar/params.ts';
import type { Params } from '../grammar/params.ts';
import { readDigits, scanToken, skipLws, trimEnd } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Read } from '../problem.ts';

export interface CSeq {
  readonly seq: number;
  readonly method: string;
}

/** "The sequence number value MUST be expressible as a 32-bit unsigned integer" (RFC 3261 §8.1.1.5). */
const MAX_SEQ = 2 ** 32 - 1;

/** True when `readCSeq` would read `[at, end)`. */
export function isCSeq(at: number, end: number): boolean {
  const i = numberEnd(at, end);
  const seq = readDigits(at, i);
  return seq >= 0 && seq <= MAX_SEQ && scanToken(skipLws(i, end), end) === end;
}

function numberEnd(at: number, end: number): number {
  let i = at;
  while (i < end && octet(i) > 0x20) i += 1;
  return i;
}

/** CSeq = 1*DIGIT LWS Method */
export function readCSeq(raw: string, at: number, end: number): Read<CSeq> {
  const i = numberEnd(at, end);
  const seq = readDigits(at, i);
  if (seq < 0) return flaw('cseq', at, 'a CSeq begins with a number');
  if (seq > MAX_SEQ) return flaw('cseq', at, 'a CSeq past 2^32-1');
  const method = skipLws(i, end);
  const methodEnd = scanToken(method, end);
  if (methodEnd !== end)
    return flaw('cseq', methodEnd < 0 ? ~methodEnd : methodEnd, 'a CSeq without a method');
  return good({ seq, method: raw.slice(method, end) }, end);
}

/** callid = word [ "@" word ] */
export function readCallId(raw: string, at: number, end: number): Read<string> {
  const i = scanCallId(at, end);
  return i === end && end > at ? good(raw.slice(at, end), end) : flaw('call-id', i, 'not a Call-ID');
}

/** True when `readCallId` would read `[at, end)`. */
export const isCallId = (at: number, end: number): boolean => end > at && scanCallId(at, end) === end;

function scanCallId(at: number, end: number): number {
  const i = span(at, end, WORD);
  return i > at && i + 1 < end && octet(i) === AT ? span(i + 1, end, WORD) : i;
}

/** True when `readNumber` would read `[at, end)`. */
export const isNumber = (at: number, end: number): boolean => readDigits(at, end) >= 0;

/** 1*DIGIT that fills the value; past 2^40 it comes out as 2^40. */
export function readNumber(raw: string, at: number, end: number): Read<number> {
  const value = readDigits(at, end);
  return value < 0 ? flaw('number', at, 'not a number') : good(value, end);
}

/**
 * option-tag *(COMMA option-tag), lower case, appended to `tags`. Never fails: an element that is no token comes as it
 * is, and is then an extension that nobody understands (RFC 3261 §8.2.2.3).
 */
export function readOptionTags(raw: string, at: number, end: number, tags: string[]): void {
  let i = at;
  while (i < end) {
    const comma = raw.indexOf(',', i);
    const stop = comma < 0 || comma > end ? end : comma;
    const start = skipLws(i, stop);
    if (start < stop) tags.push(raw.slice(start, trimEnd(start, stop)).toLowerCase());
    i = stop + 1;
  }
}

/** A media-range of Accept. */
export interface MediaRange {
  /** `type/subtype`, lower case; either may be "*". */
  readonly type: string;
  readonly params: Params;
}

/** ( m-type SLASH m-subtype ) *( SEMI m-parameter ), up to a COMMA */
export function readMediaRange(raw: string, at: number, end: number): Read<MediaRange> {
  const typeEnd = scanToken(at, end);
  if (typeEnd < 0) return flaw('media-type', at, 'not a media type');
  const slash = skipLws(typeEnd, end);
  if (slash >= end || octet(slash) !== SLASH) {
    // Departure: "*" alone for "*/*", as RFC 2543 user agents write it
    if (typeEnd - at !== 1 || octet(at) !== STAR)
      return flaw('media-type', slash, 'a media type without "/"');
    return withParams(raw, slash, end, '*/*');
  }
  const sub = skipLws(slash + 1, end);
  const subEnd = scanToken(sub, end);
  if (subEnd < 0) return flaw('media-type', sub, 'not a media type');
  return withParams(raw, subEnd, end, `${raw.slice(at, typeEnd)}/${raw.slice(sub, subEnd)}`.toLowerCase());
}

function withParams(raw: string, at: number, end: number, type: string): Read<MediaRange> {
  const stop = scanParams(at, end);
  if (stop < 0) return flaw('params', ~stop, 'not a parameter, or one given twice');
  return good({ type, params: paramsOf(raw, skipLws(at, stop), trimEnd(at, stop)) }, stop);
}

/** Event (RFC 6665 §8.2.1). */
export interface EventHeader {
  /** The package with its templates, as received: package names are case-sensitive (RFC 6665 §8.4). */
  readonly package: string;
  readonly id?: string | undefined;
  readonly params: Params;
}

/** Event = event-type *( SEMI event-param ) */
export function readEvent(raw: string, at: number, end: number): Read<EventHeader> {
  const typeEnd = scanToken(at, end);
  if (typeEnd < 0) return flaw('event', at, 'not an event package');
  const stop = scanParams(typeEnd, end);
  if (stop !== end) return flaw('params', stop < 0 ? ~stop : stop, 'not a parameter of Event');
  const mark = findMark('id');
  const id = mark < 0 ? undefined : markedValue(raw, mark);
  return good(
    { package: raw.slice(at, typeEnd), id, params: paramsOf(raw, skipLws(typeEnd, end), end) },
    end,
  );
}
