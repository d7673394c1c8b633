/**
 * The line index: one pass over the head of a message that finds where each header field lies and which it is.
 * Nothing is parsed, copied or unfolded here.
 *
 * Facts: a header line is `header-name HCOLON header-value CRLF`, where HCOLON allows white space before the colon
 * (RFC 3261 §25.1); a line that begins with SP or HTAB continues the one before (§7.3.1). Control characters are
 * refused, but for those in a quoted-pair (RFC 4475 §3.1.1.2).
 */
import { nextControl, octet, octets } from '../grammar/octets.ts';
import { BACKSLASH, COLON, CR, DEL, FOLDED_TOKEN, HTAB, LF, SP, isWsp } from '../grammar/chars.ts';
import { findHeader, hashStep, headerBit, headerName } from '../headers/registry.ts';
import { flaw } from '../problem.ts';
import type { ParseProblem } from '../problem.ts';
import { LIMITS } from './limits.ts';

/**
 * Numbers kept for each line; each fits into 31 bits, for there is one such list for every message at work:
 * - the header number (8 bits), whether the value is folded (1 bit), and where the line starts (18 bits),
 * - how far behind that its name ends and its value starts (14 bits each),
 * - how far behind that its value and the line end (14 bits each). A line is no longer than `LIMITS.lineBytes`.
 */
const STRIDE = 3;
/** Set beside the header number when the value is folded. */
const FOLDED = 0x100;
const START_SHIFT = 9;
const OFFSET_SHIFT = 14;
const OFFSET_MASK = (1 << OFFSET_SHIFT) - 1;

export class LineIndex {
  /** Offset of the empty line that ends the head. */
  readonly headEnd: number;
  /** Bits of the headers that are there (`headerBit`). */
  readonly seen: number;
  /** Bits of the headers that are there more than once. */
  readonly repeated: number;
  readonly count: number;
  /** The first thing that is wrong; the index then has the lines that are not. */
  readonly problem: ParseProblem | undefined;
  /** 'lf': a line ends with LF alone, and the caller has it put right; 'open': the empty line is missing. */
  readonly ending: 'lf' | 'open' | 'complete';
  private readonly marks: readonly number[];

  constructor(
    marks: readonly number[],
    headEnd: number,
    seen: number,
    repeated: number,
    problem: ParseProblem | undefined,
    ending: LineIndex['ending'],
  ) {
    this.marks = marks;
    this.problem = problem;
    this.ending = ending;
    this.headEnd = headEnd;
    this.seen = seen;
    this.repeated = repeated;
    this.count = marks.length / STRIDE;
  }

  /** Number of the header (`headerId`), 0 for one that is not in the registry. */
  id(line: number): number {
    return (this.marks[line * STRIDE] ?? 0) & 0xff;
  }
  folded(line: number): boolean {
    return ((this.marks[line * STRIDE] ?? 0) & FOLDED) !== 0;
  }
  start(line: number): number {
    return (this.marks[line * STRIDE] ?? 0) >> START_SHIFT;
  }
  nameEnd(line: number): number {
    return this.start(line) + ((this.marks[line * STRIDE + 1] ?? 0) & OFFSET_MASK);
  }
  /** First octet of the value, after white space and folds. */
  valueStart(line: number): number {
    return this.start(line) + ((this.marks[line * STRIDE + 1] ?? 0) >> OFFSET_SHIFT);
  }
  /** Past the last octet of the value that is not white space. */
  valueEnd(line: number): number {
    return this.start(line) + ((this.marks[line * STRIDE + 2] ?? 0) & OFFSET_MASK);
  }
  /** Past the CRLF of the line. */
  end(line: number): number {
    return this.start(line) + ((this.marks[line * STRIDE + 2] ?? 0) >> OFFSET_SHIFT);
  }
  /** The first line of header `id`, at or after `from`; -1 when there is none. */
  find(id: number, from = 0): number {
    const { marks, count } = this;
    for (let line = from; line < count; line += 1) {
      if (((marks[line * STRIDE] ?? 0) & 0xff) === id) return line;
    }
    return -1;
  }
}

const scratch: number[] = [];

/** Indexes the header lines of the loaded text from offset `at` (after the start line) to the empty line. */
export function indexLines(raw: string, at: number): LineIndex {
  const text = octets;
  const folding = FOLDED_TOKEN;
  const length = raw.length;
  let start = at;
  let used = 0;
  let seen = 0;
  let repeated = 0;
  let problem: ParseProblem | undefined;
  for (;;) {
    if (text[start] === CR && text[start + 1] === LF) break;
    if (start >= length) return finish(used, start, seen, repeated, problem, 'open');
    // header-name = token, *( SP / HTAB ) ":"
    let i = start;
    let hash = 0;
    for (let letter = folding[text[i] ?? 0] ?? 0; letter !== 0; letter = folding[text[i] ?? 0] ?? 0) {
      hash = hashStep(hash, letter);
      i += 1;
    }
    const nameEnd = i;
    while (isWsp(text[i] ?? 0)) i += 1;
    const named = text[i] === COLON && nameEnd > start;
    if (named) i += 1;
    const valueAt = i;
    // header-value, up to a CRLF that no white space follows
    let folded = 0;
    let broken = -1;
    for (;;) {
      i = nextControl(i);
      const code = text[i] ?? 0;
      if (code === CR && text[i + 1] === LF) {
        if (!isWsp(text[i + 2] ?? 0)) break;
        folded = FOLDED;
        i += 3;
      } else if (i >= length) {
        const cut = problem ?? flaw('head-truncated', i, 'the message ends within a header line').error;
        return finish(used, start, seen, repeated, cut, 'open');
      } else if (code === LF) {
        return finish(used, start, seen, repeated, problem, 'lf');
      } else {
        // quoted-pair = "\" (%x00-09 / %x0B-0C / %x0E-7F)
        if (broken < 0 && (text[i - 1] !== BACKSLASH || code === CR)) broken = i;
        i += 1;
      }
    }
    const end = i + 2;
    if (!named) problem ??= lineProblem(raw, start, nameEnd);
    else if (broken >= 0)
      problem ??= flaw('control-character', broken, 'a control character in a header value').error;
    else if (end - start > LIMITS.lineBytes)
      problem ??= tooLarge('line-too-long', start, 'a header line', LIMITS.lineBytes);
    else {
      const id = findHeader(start, nameEnd, hash);
      const bit = headerBit(id);
      repeated |= seen & bit;
      seen |= bit;
      scratch[used] = id | folded | (start << START_SHIFT);
      scratch[used + 1] = (nameEnd - start) | ((skipBlank(valueAt, i) - start) << OFFSET_SHIFT);
      scratch[used + 2] = (trimBlank(valueAt, i) - start) | ((end - start) << OFFSET_SHIFT);
      used += STRIDE;
    }
    start = end;
    if (used >= LIMITS.headers * STRIDE && text[start] !== CR) {
      problem ??= tooLarge('too-many-headers', start, 'the header', LIMITS.headers);
      return finish(used, start, seen, repeated, problem, 'complete');
    }
  }
  return finish(used, start, seen, repeated, problem, 'complete');
}

/** The first octet of `[at, end)` that is no white space; folds are white space. */
function skipBlank(at: number, end: number): number {
  let i = at;
  while (i < end && isBlank(octet(i))) i += 1;
  return i;
}

function trimBlank(at: number, end: number): number {
  let i = end;
  while (i > at && isBlank(octet(i - 1))) i -= 1;
  return i;
}

const isBlank = (code: number): boolean => code === SP || code === HTAB || code === CR || code === LF;

function finish(
  used: number,
  headEnd: number,
  seen: number,
  repeated: number,
  problem: ParseProblem | undefined,
  ending: LineIndex['ending'],
): LineIndex {
  return new LineIndex(scratch.slice(0, used), headEnd, seen, repeated, problem, ending);
}

function lineProblem(raw: string, start: number, nameEnd: number): ParseProblem {
  const code = octet(nameEnd);
  if (code < SP || code === DEL)
    return flaw('control-character', nameEnd, 'a control character in a header name').error;
  return flaw('header-name', nameEnd, `no header name and colon: ${raw.slice(start, nameEnd + 1)}`).error;
}

/** Status 513 (RFC 3261 §21.5.7) for what exceeds a limit of ours. */
export const tooLarge = (code: string, at: number, what: string, limit: number): ParseProblem =>
  flaw(code, at, `${what} exceeds ${String(limit)}`, 513).error;

/** The lower-case long name of a line. */
export function lineName(raw: string, index: LineIndex, line: number): string {
  const id = index.id(line);
  return id > 0 ? headerName(id) : raw.slice(index.start(line), index.nameEnd(line)).toLowerCase();
}
