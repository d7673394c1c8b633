/** The header fields of a message, by name and by number, and how the typed ones are read out of their lines. */
import type { Result } from '@rollcall/kernel';
import { COMMA } from '../grammar/chars.ts';
import { load } from '../grammar/octets.ts';
import { skipLws, spells, unfold } from '../grammar/scan.ts';
import { headerId, headerName } from '../headers/registry.ts';
import { flaw, good } from '../problem.ts';
import type { Flawed, ParseProblem, Read } from '../problem.ts';
import { lineName, tooLarge } from './line-index.ts';
import type { LineIndex } from './line-index.ts';

type Reader<T> = (raw: string, at: number, end: number) => Read<T>;
/** Outcome of a typed accessor. */
export type Parsed<T> = Result<T, ParseProblem>;

/** Where a header field lies in `raw`. */
export interface HeaderLine {
  /** Lower-case long name. */
  readonly name: string;
  readonly rawName: string;
  /** The whole line with its folds and its CRLF: `raw.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Numbers of the headers that this package reads. */
export const ID = {
  via: headerId('via'),
  from: headerId('from'),
  to: headerId('to'),
  callId: headerId('call-id'),
  cseq: headerId('cseq'),
  maxForwards: headerId('max-forwards'),
  contentLength: headerId('content-length'),
  contentType: headerId('content-type'),
  contact: headerId('contact'),
  expires: headerId('expires'),
  authorization: headerId('authorization'),
  proxyAuthorization: headerId('proxy-authorization'),
  route: headerId('route'),
  recordRoute: headerId('record-route'),
  path: headerId('path'),
  assertedIdentity: headerId('p-asserted-identity'),
  event: headerId('event'),
  accept: headerId('accept'),
  timestamp: headerId('timestamp'),
} as const;

export const NOTHING = good(undefined, 0);

/** Base of `SipMessage`: knows lines, and no header in particular. */
export abstract class HeaderFields {
  /** The message: CRLF line ends, from the start line to the end of what was received. */
  readonly raw: string;
  /** Where its lines are. */
  readonly index: LineIndex;
  private linesMemo: readonly HeaderLine[] | undefined = undefined;

  constructor(raw: string, index: LineIndex) {
    this.raw = raw;
    this.index = index;
  }

  /** The header lines in order. */
  get lines(): readonly HeaderLine[] {
    return (this.linesMemo ??= Array.from({ length: this.index.count }, (_, line) => this.line(line)));
  }

  /** Value of the first line of a header (lower-case long name), unfolded and trimmed. */
  header(name: string): string | undefined {
    const line = this.findLine(name, 0);
    return line < 0 ? undefined : this.valueAt(line);
  }

  /** Values of all the lines of a header, in order. */
  headers(name: string): readonly string[] {
    const values: string[] = [];
    for (let line = this.findLine(name, 0); line >= 0; line = this.findLine(name, line + 1)) {
      values.push(this.valueAt(line));
    }
    return values;
  }

  has(name: string): boolean {
    return this.findLine(name, 0) >= 0;
  }

  /** Value of a line by its number, unfolded. */
  valueAt(line: number): string {
    const { index } = this;
    const text = this.raw.slice(index.valueStart(line), index.valueEnd(line));
    return index.folded(line) ? unfold(text) : text;
  }

  private line(line: number): HeaderLine {
    const { raw, index } = this;
    return {
      name: lineName(raw, index, line),
      rawName: raw.slice(index.start(line), index.nameEnd(line)),
      start: index.start(line),
      end: index.end(line),
      valueStart: index.valueStart(line),
      valueEnd: index.valueEnd(line),
    };
  }

  /** Number of the first line called `name` at or after `from`. */
  private findLine(name: string, from: number): number {
    const { index } = this;
    const id = headerId(name);
    if (id > 0) return index.find(id, from);
    load(this.raw);
    for (let line = index.find(0, from); line >= 0; line = index.find(0, line + 1)) {
      if (spells(index.start(line), index.nameEnd(line), name)) return line;
    }
    return -1;
  }

  /** The problem with its header, and its place in the message: in a folded value, the value's. */
  protected located(problem: ParseProblem, line: number): Flawed {
    const { index, raw } = this;
    const at = index.folded(line) ? index.valueStart(line) : problem.at;
    return { ok: false, error: { ...problem, at, header: lineName(raw, index, line) } };
  }

  private missing(id: number): Flawed {
    const header = headerName(id);
    return {
      ok: false,
      error: { ...flaw('header-missing', this.index.headEnd, `no ${header}`).error, header },
    };
  }

  protected readLine<T>(line: number, read: Reader<T>): Read<T> {
    const { index } = this;
    if (!index.folded(line)) {
      load(this.raw);
      return read(this.raw, index.valueStart(line), index.valueEnd(line));
    }
    const text = this.valueAt(line);
    load(text);
    const outcome = read(text, 0, text.length);
    return outcome.ok && outcome.next === text.length ? good(outcome.value, index.valueEnd(line)) : outcome;
  }

  /** The first value of a header that must be there. */
  protected first<T>(id: number, read: Reader<T>): Read<T> {
    const line = this.index.find(id);
    if (line < 0) return this.missing(id);
    const outcome = this.readLine(line, read);
    return outcome.ok ? outcome : this.located(outcome.error, line);
  }

  /** The only value of a header that must be there. */
  protected only<T>(id: number, read: Reader<T>): Read<T> {
    const line = this.index.find(id);
    if (line < 0) return this.missing(id);
    const outcome = this.readLine(line, read);
    if (!outcome.ok) return this.located(outcome.error, line);
    if (outcome.next === this.index.valueEnd(line)) return outcome;
    return this.located(flaw('value-repeated', outcome.next, 'more than one value').error, line);
  }

  protected optional<T>(id: number, read: Reader<T>): Parsed<T | undefined> {
    return this.index.find(id) < 0 ? NOTHING : this.only(id, read);
  }

  /** Every value of every line of a list header. */
  protected list<T>(id: number, read: Reader<T>, limit = Infinity, limitCode = ''): Parsed<T[]> {
    const { index } = this;
    const values: T[] = [];
    for (let line = index.find(id); line >= 0; line = index.find(id, line + 1)) {
      const folded = index.folded(line);
      const text = folded ? this.valueAt(line) : this.raw;
      load(text);
      const end = folded ? text.length : index.valueEnd(line);
      let at = folded ? 0 : index.valueStart(line);
      // RFC 3261 §20.1: an empty Accept accepts nothing
      if (at >= end && id === ID.accept) continue;
      for (;;) {
        const outcome = read(text, at, end);
        if (!outcome.ok) return this.located(outcome.error, line);
        if (values.length >= limit) return this.located(tooLarge(limitCode, at, 'the list', limit), line);
        values.push(outcome.value);
        if (outcome.next >= end) break;
        if (text.charCodeAt(outcome.next) !== COMMA) {
          return this.located(flaw('list', outcome.next, 'neither the end nor a comma').error, line);
        }
        at = skipLws(outcome.next + 1, end);
      }
    }
    return good(values, 0);
  }
}
