/** Header fields that are a number, a word, or a list of tokens. */
import { AT, COMMA, SLASH, STAR, WORD, isIn } from '../grammar/chars.ts';
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

/** CSeq = 1*DIGIT LWS Method */
export function readCSeq(raw: string, at: number, end: number): Read<CSeq> {
  let i = at;
  while (i < end && raw.charCodeAt(i) > 0x20) i += 1;
  const seq = readDigits(raw, at, i);
  if (seq < 0) return flaw('cseq', at, 'a CSeq begins with a number');
  if (seq > MAX_SEQ) return flaw('cseq', at, 'a CSeq past 2^32-1');
  const method = skipLws(raw, i, end);
  const methodEnd = scanToken(raw, method, end);
  if (methodEnd !== end)
    return flaw('cseq', methodEnd < 0 ? ~methodEnd : methodEnd, 'a CSeq without a method');
  return good({ seq, method: raw.slice(method, end) }, end);
}

/** callid = word [ "@" word ] */
export function readCallId(raw: string, at: number, end: number): Read<string> {
  let i = at;
  let ats = 0;
  for (; i < end; i += 1) {
    const code = raw.charCodeAt(i);
    if (isIn(code, WORD)) continue;
    if (code !== AT || ats > 0 || i === at || i + 1 === end) break;
    ats += 1;
  }
  return i === end && end > at ? good(raw.slice(at, end), end) : flaw('call-id', i, 'not a Call-ID');
}

/** 1*DIGIT that fills the value; past 2^40 it comes out as 2^40. */
export function readNumber(raw: string, at: number, end: number): Read<number> {
  const value = readDigits(raw, at, end);
  return value < 0 ? flaw('number', at, 'not a number') : good(value, end);
}

/** option-tag *(COMMA option-tag), lower case, appended to `tags`; empty for an empty value. */
export function readTokens(raw: string, at: number, end: number, tags: string[]): Read<string[]> {
  let i = at;
  while (i < end || i > at) {
    const stop = scanToken(raw, i, end);
    if (stop < 0) return flaw('token-list', ~stop, 'not a token');
    tags.push(raw.slice(i, stop).toLowerCase());
    i = skipLws(raw, stop, end);
    if (i >= end) break;
    if (raw.charCodeAt(i) !== COMMA) return flaw('token-list', i, 'neither the end nor a comma');
    i = skipLws(raw, i + 1, end);
  }
  return good(tags, end);
}

/** A media-range of Accept. */
export interface MediaRange {
  /** `type/subtype`, lower case; either may be "*". */
  readonly type: string;
  readonly params: Params;
}

/** accept-range *(COMMA accept-range), appended to `ranges`; empty for an empty value (RFC 3261 §20.1). */
export function readAccept(raw: string, at: number, end: number, ranges: MediaRange[]): Read<MediaRange[]> {
  let i = at;
  while (i < end || i > at) {
    const range = readMediaRange(raw, i, end);
    if (!range.ok) return range;
    ranges.push(range.value);
    i = range.next;
    if (i >= end) break;
    if (raw.charCodeAt(i) !== COMMA) return flaw('media-type', i, 'neither the end nor a comma');
    i = skipLws(raw, i + 1, end);
  }
  return good(ranges, end);
}

/** ( m-type SLASH m-subtype ) *( SEMI m-parameter ), up to a COMMA */
export function readMediaRange(raw: string, at: number, end: number): Read<MediaRange> {
  const typeEnd = scanToken(raw, at, end);
  if (typeEnd < 0) return flaw('media-type', at, 'not a media type');
  const slash = skipLws(raw, typeEnd, end);
  if (slash >= end || raw.charCodeAt(slash) !== SLASH) {
    // Departure: "*" alone for "*/*", as RFC 2543 user agents write it
    if (typeEnd - at !== 1 || raw.charCodeAt(at) !== STAR)
      return flaw('media-type', slash, 'a media type without "/"');
    return withParams(raw, slash, end, '*/*');
  }
  const sub = skipLws(raw, slash + 1, end);
  const subEnd = scanToken(raw, sub, end);
  if (subEnd < 0) return flaw('media-type', sub, 'not a media type');
  return withParams(raw, subEnd, end, `${raw.slice(at, typeEnd)}/${raw.slice(sub, subEnd)}`.toLowerCase());
}

function withParams(raw: string, at: number, end: number, type: string): Read<MediaRange> {
  const stop = scanParams(raw, at, end);
  if (stop < 0) return flaw('params', ~stop, 'not a parameter, or one given twice');
  return good({ type, params: paramsOf(raw, skipLws(raw, at, stop), trimEnd(raw, at, stop)) }, stop);
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
  const typeEnd = scanToken(raw, at, end);
  if (typeEnd < 0) return flaw('event', at, 'not an event package');
  const stop = scanParams(raw, typeEnd, end);
  if (stop !== end) return flaw('params', stop < 0 ? ~stop : stop, 'not a parameter of Event');
  const mark = findMark(raw, 'id');
  const id = mark < 0 ? undefined : markedValue(raw, mark);
  return good(
    { package: raw.slice(at, typeEnd), id, params: paramsOf(raw, skipLws(raw, typeEnd, end), end) },
    end,
  );
}
