/**
 * Scanners over `[at, end)` of the loaded text. Each quotes the rule of RFC 3261 §25.1 that it follows and returns the
 * offset of what comes after, or `~offset` (a negative number) of the octet that breaks the rule.
 *
 * Facts: values come here unfolded, so that LWS is SP and HTAB alone; no scanner throws, allocates or goes back.
 */
import {
  BACKSLASH,
  CR,
  DIGIT,
  DQUOTE,
  HEXDIG,
  LF,
  PERCENT,
  QDTEXT,
  TOKEN,
  ZERO,
  isIn,
  isWsp,
} from './chars.ts';
import { octet, octets, span } from './octets.ts';

/** SWS = [LWS] */
export function skipLws(at: number, end: number): number {
  let i = at;
  while (i < end && isWsp(octet(i))) i += 1;
  return i;
}

/** The end of `[at, end)` without the white space that trails it. */
export function trimEnd(at: number, end: number): number {
  let i = end;
  while (i > at && isWsp(octet(i - 1))) i -= 1;
  return i;
}

/** token = 1*(alphanum / ...) */
export function scanToken(at: number, end: number): number {
  const i = span(at, end, TOKEN);
  return i === at ? ~at : i;
}

/** quoted-string = DQUOTE *(qdtext / quoted-pair) DQUOTE, from its opening quote */
export function scanQuoted(at: number, end: number): number {
  if (octet(at) !== DQUOTE) return ~at;
  let i = at + 1;
  for (;;) {
    i = span(i, end, QDTEXT);
    if (i >= end) return ~end;
    const code = octet(i);
    if (code === DQUOTE) return i + 1;
    if (code !== BACKSLASH || i + 1 >= end || !isQuotable(octet(i + 1))) return ~i;
    i += 2;
  }
}

/** quoted-pair = "\" (%x00-09 / %x0B-0C / %x0E-7F) */
const isQuotable = (code: number): boolean => code <= 0x7f && code !== LF && code !== CR;

/** The text between the quotes of `raw[at, end)`, a scanned quoted-string, without its backslashes. */
export function unquote(raw: string, at: number, end: number): string {
  const inner = raw.slice(at + 1, end - 1);
  return inner.includes('\\') ? inner.replace(/\\([^])/g, '$1') : inner;
}

/** *( class / escaped ): stops at the first octet that is neither; a "%" without two HEXDIG breaks the rule. */
export function scanEscaped(at: number, end: number, flags: number): number {
  let i = at;
  for (;;) {
    i = span(i, end, flags);
    if (i >= end || octet(i) !== PERCENT) return i;
    if (i + 2 >= end || !isIn(octet(i + 1), HEXDIG) || !isIn(octet(i + 2), HEXDIG)) return ~i;
    i += 3;
  }
}

/** Numbers grow no further than this: every limit of the RFC is below it, and sums stay exact. */
export const NUMBER_CEILING = 2 ** 40;

/** 1*DIGIT that fills `[at, end)`; -1 when it does not. Values past 2^40 come out as 2^40. */
export function readDigits(at: number, end: number): number {
  if (at >= end) return -1;
  let value = 0;
  for (let i = at; i < end; i += 1) {
    const code = octet(i);
    if (!isIn(code, DIGIT)) return -1;
    value = value * 10 + (code - ZERO);
    if (value > NUMBER_CEILING) value = NUMBER_CEILING;
  }
  return value;
}

/** True when `[at, end)` spells `lower` (lower-case), in any case. */
export function spells(at: number, end: number, lower: string): boolean {
  if (end - at !== lower.length) return false;
  const text = octets;
  for (let i = 0; i < lower.length; i += 1) {
    const code = text[at + i] ?? 0;
    if ((code >= 0x41 && code <= 0x5a ? code + 0x20 : code) !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/** A header value with each fold replaced by one SP (RFC 3261 §7.3.1). */
export function unfold(text: string): string {
  return text.includes('\n') ? text.replace(/[ \t]*\r\n[ \t]+/g, ' ') : text;
}
