/** Values of list headers, found without reading them. */
import { BACKSLASH, COMMA, CR, DQUOTE, HTAB, LAQUOT, LF, RAQUOT, SP } from '../grammar/chars.ts';

/**
 * Offset of the end of the first value of a list header in `raw[at, end)`, white space before the comma left out:
 * commas in quotes and in angle brackets do not count.
 */
export function firstValueEnd(raw: string, at: number, end: number): number {
  const comma = firstComma(raw, at, end);
  let i = comma;
  while (i > at && isBlank(raw.charCodeAt(i - 1))) i -= 1;
  return i;
}

/** Offset of the second value of a list header, or `end` when there is none. */
export function secondValue(raw: string, at: number, end: number): number {
  let i = firstComma(raw, at, end) + 1;
  while (i < end && isBlank(raw.charCodeAt(i))) i += 1;
  return Math.min(i, end);
}

function firstComma(raw: string, at: number, end: number): number {
  const comma = raw.indexOf(',', at);
  if (comma < 0 || comma >= end) return end;
  let quoted = false;
  let bracketed = false;
  for (let i = at; i < end; i += 1) {
    const code = raw.charCodeAt(i);
    if (quoted) {
      if (code === BACKSLASH) i += 1;
      else if (code === DQUOTE) quoted = false;
    } else if (code === DQUOTE && !bracketed) quoted = true;
    else if (code === LAQUOT) bracketed = true;
    else if (code === RAQUOT) bracketed = false;
    else if (code === COMMA && !bracketed) return i;
  }
  return end;
}

const isBlank = (code: number): boolean => code === SP || code === HTAB || code === CR || code === LF;
