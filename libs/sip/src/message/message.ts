/** What requests and responses have in common: header fields by name, and the typed ones, read when asked for. */
import { load } from '../grammar/octets.ts';
import type { Result } from '@rollcall/kernel';
import { COMMA, STAR } from '../grammar/chars.ts';
import { skipLws, spells, unfold } from '../grammar/scan.ts';
import { readCredentials } from '../headers/credentials.ts';
import type { DigestCredentials } from '../headers/credentials.ts';
import { MALFORMED_EXPIRES, MAX_DELTA_SECONDS, readContact, readNameAddr } from '../headers/name-addr.ts';
import type { Contact, NameAddr } from '../headers/name-addr.ts';
import { headerId, headerName } from '../headers/registry.ts';
import {
  readCSeq,
  readCallId,
  readEvent,
  readMediaRange,
  readNumber,
  readOptionTags,
} from '../headers/simple.ts';
import type { CSeq, EventHeader, MediaRange } from '../headers/simple.ts';
import { readVia } from '../headers/via.ts';
import type { Via } from '../headers/via.ts';
import { flaw, good } from '../problem.ts';
import type { Flawed, ParseProblem, Read } from '../problem.ts';
import { LIMITS } from './limits.ts';
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

/** All the Contact header fields of a message together (RFC 3261 §20.10). */
export type Contacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'list'; readonly contacts: readonly Contact[] };

export type OptionHeader = 'require' | 'supported' | 'proxy-require' | 'unsupported';

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

/** RFC 4475 §3.1.2.4: a Max-Forwards above this may be processed as if it were absent. */
const MAX_MAX_FORWARDS = 255;

/** Base of `SipRequest` and `SipResponse`. */
export abstract class SipMessage {
  abstract readonly kind: 'request' | 'response';
  /** The message: CRLF line ends, from the start line to the end of what was received. */
  readonly raw: string;
  /** Where its lines are. */
  readonly index: LineIndex;
  private viaMemo: Read<Via> | undefined = undefined;
  private fromMemo: Read<NameAddr> | undefined = undefined;
  private toMemo: Read<NameAddr> | undefined = undefined;
  private callIdMemo: Read<string> | undefined = undefined;
  private cseqMemo: Read<CSeq> | undefined = undefined;
  private contactsMemo: Parsed<Contacts> | undefined = undefined;
  private maxForwardsMemo: Parsed<number | undefined> | undefined = undefined;
  private authorizationMemo: Parsed<readonly DigestCredentials[]> | undefined = undefined;
  private linesMemo: readonly HeaderLine[] | undefined = undefined;

  constructor(raw: string, index: LineIndex) {
    this.raw = raw;
    this.index = index;
  }

  /** Offset of the body. */
  get bodyStart(): number {
    return this.index.headEnd + 2;
  }

  /** The body, cut to its Content-Length (RFC 3261 §18.3); all that follows the head when there is none. */
  get body(): string {
    const length = this.contentLength();
    const end = length.ok && length.value !== undefined ? this.bodyStart + length.value : this.raw.length;
    return this.raw.slice(this.bodyStart, end);
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

  /** The topmost Via; a problem when there is none or it is malformed. */
  topVia(): Parsed<Via> {
    return (this.viaMemo ??= this.first(ID.via, readVia));
  }
  vias(): Parsed<readonly Via[]> {
    return this.list(ID.via, readVia, LIMITS.vias, 'too-many-vias');
  }
  from(): Parsed<NameAddr> {
    return (this.fromMemo ??= this.only(ID.from, readNameAddr));
  }
  to(): Parsed<NameAddr> {
    return (this.toMemo ??= this.only(ID.to, readNameAddr));
  }
  callId(): Parsed<string> {
    return (this.callIdMemo ??= this.only(ID.callId, readCallId));
  }
  cseq(): Parsed<CSeq> {
    return (this.cseqMemo ??= this.only(ID.cseq, readCSeq));
  }
  contacts(): Parsed<Contacts> {
    return (this.contactsMemo ??= this.readContacts());
  }

  /** Undefined when absent, and when above 255. */
  maxForwards(): Parsed<number | undefined> {
    return (this.maxForwardsMemo ??= this.readMaxForwards());
  }

  /** Seconds, clamped to 2^32-1. Malformed text is a problem, but 3600 in a REGISTER (RFC 3261 §10.2.1.1). */
  expires(): Parsed<number | undefined> {
    const read = this.optional(ID.expires, readNumber);
    if (read.ok) return read.value !== undefined && read.value > MAX_DELTA_SECONDS ? LONGEST : read;
    return this.isRegister() && read.error.code === 'number' ? MALFORMED : read;
  }

  routes(): Parsed<readonly NameAddr[]> {
    return this.list(ID.route, readNameAddr);
  }
  recordRoutes(): Parsed<readonly NameAddr[]> {
    return this.list(ID.recordRoute, readNameAddr);
  }
  paths(): Parsed<readonly NameAddr[]> {
    return this.list(ID.path, readNameAddr);
  }
  assertedIdentities(): Parsed<readonly NameAddr[]> {
    return this.list(ID.assertedIdentity, readNameAddr);
  }

  /** The Digest credentials of all the lines; those of other schemes are left out (RFC 4475 §3.3.7). */
  authorization(): Parsed<readonly DigestCredentials[]> {
    return (this.authorizationMemo ??= this.credentials(ID.authorization));
  }
  proxyAuthorization(): Parsed<readonly DigestCredentials[]> {
    return this.credentials(ID.proxyAuthorization);
  }

  event(): Parsed<EventHeader | undefined> {
    return this.optional(ID.event, readEvent);
  }
  /** The media ranges; empty when the header is absent or empty (`has('accept')` tells). */
  accept(): Parsed<readonly MediaRange[]> {
    return this.list(ID.accept, readMediaRange);
  }
  /** Option tags of one of these headers, lower case; what is no token is among them as it came. */
  options(name: OptionHeader): readonly string[] {
    const tags: string[] = [];
    for (const value of this.headers(name)) {
      load(value);
      readOptionTags(value, 0, value.length, tags);
    }
    return tags;
  }
  contentLength(): Parsed<number | undefined> {
    return this.optional(ID.contentLength, readNumber);
  }

  /** Value of a line by its number, unfolded. */
  valueAt(line: number): string {
    const { index } = this;
    const text = this.raw.slice(index.valueStart(line), index.valueEnd(line));
    return index.folded(line) ? unfold(text) : text;
  }

  /** True when an Expires that is malformed has a meaning. */
  protected isRegister(): boolean {
    return false;
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
  private located(problem: ParseProblem, line: number): Flawed {
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

  private readLine<T>(line: number, read: Reader<T>): Read<T> {
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
  private first<T>(id: number, read: Reader<T>): Read<T> {
    const line = this.index.find(id);
    if (line < 0) return this.missing(id);
    const outcome = this.readLine(line, read);
    return outcome.ok ? outcome : this.located(outcome.error, line);
  }

  /** The only value of a header that must be there. */
  private only<T>(id: number, read: Reader<T>): Read<T> {
    const line = this.index.find(id);
    if (line < 0) return this.missing(id);
    const outcome = this.readLine(line, read);
    if (!outcome.ok) return this.located(outcome.error, line);
    if (outcome.next === this.index.valueEnd(line)) return outcome;
    return this.located(flaw('value-repeated', outcome.next, 'more than one value').error, line);
  }

  private optional<T>(id: number, read: Reader<T>): Parsed<T | undefined> {
    return this.index.find(id) < 0 ? NOTHING : this.only(id, read);
  }

  /** Every value of every line of a list header. */
  private list<T>(id: number, read: Reader<T>, limit = Infinity, limitCode = ''): Parsed<T[]> {
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

  private readMaxForwards(): Parsed<number | undefined> {
    const read = this.optional(ID.maxForwards, readNumber);
    return read.ok && read.value !== undefined && read.value > MAX_MAX_FORWARDS ? NOTHING : read;
  }

  private readContacts(): Parsed<Contacts> {
    const { index } = this;
    const first = index.find(ID.contact);
    if (first < 0) return NO_CONTACTS;
    for (let line = first; line >= 0; line = index.find(ID.contact, line + 1)) {
      const at = index.valueStart(line);
      if (this.raw.charCodeAt(at) !== STAR || index.valueEnd(line) !== at + 1) continue;
      if (line === first && index.find(ID.contact, line + 1) < 0) return WILDCARD;
      // RFC 3261 §10.2.2: "*" stands alone
      return this.located(flaw('contact-wildcard', at, '"*" beside another Contact').error, line);
    }
    const list = this.list(ID.contact, readContact, LIMITS.contacts, 'too-many-contacts');
    return list.ok ? good({ kind: 'list', contacts: list.value } as const, 0) : list;
  }

  private credentials(id: number): Parsed<readonly DigestCredentials[]> {
    const found: DigestCredentials[] = [];
    for (let line = this.index.find(id); line >= 0; line = this.index.find(id, line + 1)) {
      const outcome = this.readLine(line, readCredentials);
      if (!outcome.ok) return this.located(outcome.error, line);
      if (outcome.value !== undefined) found.push(outcome.value);
    }
    return good(found, 0);
  }
}

const NOTHING = good(undefined, 0);
const LONGEST = good(MAX_DELTA_SECONDS, 0);
const MALFORMED = good(MALFORMED_EXPIRES, 0);
const NO_CONTACTS = good({ kind: 'none' } as const, 0);
const WILDCARD = good({ kind: 'wildcard' } as const, 0);
