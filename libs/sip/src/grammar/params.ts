/**
 * Parameters: `*( SEMI generic-param )` behind header values, and `*( ";" uri-parameter )` inside URIs.
 *
 * Facts: one scan checks the grammar and leaves marks (offsets) for its caller, which must read them before the next
 * scan; the map of a `Params` is made only when somebody asks for it.
 */
import { load, octet, span } from './octets.ts';
import { COMMA, DQUOTE, EQUAL, PARAM, SEMI, TOKEN, VALUE } from './chars.ts';
import { scanEscaped, scanQuoted, scanToken, skipLws, spells, trimEnd, unquote } from './scan.ts';

/** A value with more parameters than this is refused: twice what RFC 3840 §9 can make of one Contact. */
export const MAX_PARAMS = 64;

const STRIDE = 5;
/** For each parameter of the last scan: offsets of its ";", name start and end, value start (0: none) and end. */
const marks = new Int32Array(MAX_PARAMS * STRIDE);
let count = 0;

const markAt = (param: number, field: number): number => marks[param * STRIDE + field] ?? 0;

function remember(semi: number, name: number, nameEnd: number, value: number, end: number): boolean {
  if (count === MAX_PARAMS) return false;
  // RFC 3261 §7.3.1 and §19.1.1: any given parameter name MUST NOT appear more than once
  for (let i = 0; i < count; i += 1) {
    if (sameName(markAt(i, 1), markAt(i, 2), name, nameEnd)) return false;
  }
  const base = count * STRIDE;
  marks[base] = semi;
  marks[base + 1] = name;
  marks[base + 2] = nameEnd;
  marks[base + 3] = value;
  marks[base + 4] = end;
  count += 1;
  return true;
}

function sameName(a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (let i = 0; a + i < aEnd; i += 1) {
    const left = octet(a + i);
    const right = octet(b + i);
    if (left !== right && lower(left) !== lower(right)) return false;
  }
  return true;
}

const lower = (code: number): number => (code >= 0x41 && code <= 0x5a ? code + 0x20 : code);

/**
 * *( SEMI generic-param ), generic-param = token [ EQUAL gen-value ], up to `end` or a COMMA.
 * gen-value = token / host / quoted-string.
 */
export function scanParams(at: number, end: number): number {
  count = 0;
  let i = skipLws(at, end);
  while (i < end && octet(i) === SEMI) {
    const semi = i;
    const name = skipLws(i + 1, end);
    const nameEnd = scanToken(name, end);
    if (nameEnd < 0) return nameEnd;
    let value = 0;
    let stop = nameEnd;
    i = skipLws(nameEnd, end);
    if (i < end && octet(i) === EQUAL) {
      value = skipLws(i + 1, end);
      stop = scanGenValue(value, end);
      if (stop < 0) return stop;
      i = skipLws(stop, end);
    }
    if (!remember(semi, name, nameEnd, value, stop)) return ~name;
  }
  return i >= end || octet(i) === COMMA ? i : ~i;
}

/**
 * gen-value = token / host / quoted-string.
 * `received=2001:db8::1` without brackets is grammar too (RFC 3261 via-received, RFC 5118 §4.5).
 */
export function scanGenValue(at: number, end: number): number {
  if (octet(at) === DQUOTE && at < end) return scanQuoted(at, end);
  const i = span(at, end, VALUE);
  return i === at ? ~at : i;
}

/** *( ";" uri-parameter ), uri-parameter = pname [ "=" pvalue ]; stops at "?" or `end`. */
export function scanUriParams(at: number, end: number): number {
  count = 0;
  let i = at;
  while (i < end && octet(i) === SEMI) {
    const semi = i;
    const name = i + 1;
    const nameEnd = scanEscaped(name, end, PARAM);
    if (nameEnd < 0) return nameEnd;
    if (nameEnd === name) return ~name;
    let value = 0;
    let stop = nameEnd;
    if (nameEnd < end && octet(nameEnd) === EQUAL) {
      value = nameEnd + 1;
      stop = scanEscaped(value, end, PARAM);
      if (stop < 0) return stop;
      if (stop === value) return ~value;
    }
    if (!remember(semi, name, nameEnd, value, stop)) return ~name;
    i = stop;
  }
  return i;
}

/** Number of the parameter of the last scan that is called `name` (lower-case), or -1. */
export function findMark(name: string): number {
  for (let i = 0; i < count; i += 1) {
    if (spells(markAt(i, 1), markAt(i, 2), name)) return i;
  }
  return -1;
}

/** Offsets of the value of parameter `index` of the last scan; start 0 when it has none. */
export const markedStart = (index: number): number => markAt(index, 3);
export const markedEnd = (index: number): number => markAt(index, 4);

/** True when parameter `index` of the last scan has no value, or an empty one. */
export function isMarkedEmpty(index: number): boolean {
  const value = markAt(index, 3);
  const length = markAt(index, 4) - value;
  return value === 0 || length === 0 || (length === 2 && octet(value) === DQUOTE);
}

/** The value of parameter `index` of the last scan: unquoted; '' when it has none. */
export function markedValue(raw: string, index: number): string {
  const value = markAt(index, 3);
  return value === 0 ? '' : textOf(raw, value, markAt(index, 4));
}

/** `;name=value` of the last scan as received, without the parameters in `except` (numbers of marks). */
export function markedText(raw: string, end: number, except: readonly number[]): string {
  let text = '';
  for (let i = 0; i < count; i += 1) {
    if (except.includes(i)) continue;
    // neighbours that both stay are one piece
    const start = markAt(i, 0);
    while (i + 1 < count && !except.includes(i + 1)) i += 1;
    text += raw.slice(start, i + 1 < count ? trimEnd(start, markAt(i + 1, 0)) : end);
  }
  return text;
}

const textOf = (raw: string, at: number, end: number): string =>
  octet(at) === DQUOTE ? unquote(raw, at, end) : raw.slice(at, end);

/**
 * Parameters that passed a scan. Names are lower-case, values unquoted, `undefined` for one without "=".
 * Reads as a map, in the order received.
 */
export class Params implements ReadonlyMap<string, string | undefined> {
  /** As received, from the first ";" on; '' when there are none. */
  readonly text: string;
  private map: Map<string, string | undefined> | undefined;

  constructor(text: string) {
    this.text = text;
    this.map = undefined;
  }

  get size(): number {
    return this.entriesMap().size;
  }
  get(name: string): string | undefined {
    return this.entriesMap().get(name);
  }
  has(name: string): boolean {
    return this.entriesMap().has(name);
  }
  forEach(
    visit: (value: string | undefined, name: string, map: ReadonlyMap<string, string | undefined>) => void,
  ): void {
    for (const [name, value] of this.entriesMap()) visit(value, name, this);
  }
  entries(): MapIterator<[string, string | undefined]> {
    return this.entriesMap().entries();
  }
  keys(): MapIterator<string> {
    return this.entriesMap().keys();
  }
  values(): MapIterator<string | undefined> {
    return this.entriesMap().values();
  }
  [Symbol.iterator](): MapIterator<[string, string | undefined]> {
    return this.entries();
  }

  private entriesMap(): Map<string, string | undefined> {
    return (this.map ??= readEntries(this.text));
  }
}

/** No parameters at all; shared. */
export const NO_PARAMS = new Params('');

/** The `Params` of text that passed a scan, without a new object when there are none. */
export const paramsOf = (raw: string, at: number, end: number): Params =>
  at >= end ? NO_PARAMS : new Params(raw.slice(at, end));

function readEntries(text: string): Map<string, string | undefined> {
  const map = new Map<string, string | undefined>();
  load(text);
  let i = 0;
  while (i < text.length) {
    const name = skipLws(i + 1, text.length);
    const nameEnd = span(name, text.length, TOKEN | PARAM);
    i = skipLws(nameEnd, text.length);
    let value: string | undefined;
    if (octet(i) === EQUAL) {
      const start = skipLws(i + 1, text.length);
      let stop = start;
      if (octet(start) === DQUOTE) stop = Math.abs(scanQuoted(start, text.length));
      else while (stop < text.length && octet(stop) !== SEMI && octet(stop) > 0x20) stop += 1;
      value = textOf(text, start, stop);
      i = skipLws(stop, text.length);
    }
    map.set(text.slice(name, nameEnd).toLowerCase(), value);
    if (i < text.length && octet(i) !== SEMI) break;
  }
  return map;
}
