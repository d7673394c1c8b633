/** Splicing: a message forwarded is the message received with a few cuts, never one printed anew. */
import { HEADERS, headerId } from '../headers/registry.ts';
import { lineName } from './line-index.ts';
import { ID } from './header-fields.ts';
import type { SipRequest } from './request.ts';
import type { SipResponse } from './response.ts';
import { firstValueEnd, secondValue } from './values.ts';

export interface Edit {
  /** Requests only. */
  readonly requestUri?: string | undefined;
  /** Replaces the value of the topmost Via (the first that `dropFirst` leaves). */
  readonly topVia?: string | undefined;
  /** Header lines with CRLF, put before all others. */
  readonly prepend?: string | undefined;
  /** Header lines with CRLF, put after all others. */
  readonly append?: string | undefined;
  /**
   * All lines of these headers go: lower-case long names, or prefixes such as `x-inner-*`. What a list says is looked up
   * once: it must not be changed afterwards.
   */
  readonly remove?: readonly string[] | undefined;
  /** The first value of each of these list headers goes (lower-case long names). */
  readonly dropFirst?: readonly string[] | undefined;
  /** Replaces the Max-Forwards, or adds one. */
  readonly maxForwards?: number | undefined;
  /** Replaces the body, and the Content-Length with it. */
  readonly body?: string | undefined;
}

/**
 * The octets of a message with changes spliced in; what is not named stays as it is, in its place.
 *
 * What comes out is whole: the body is cut to its Content-Length, and a message that has none (UDP allows that) gets
 * one, so that it means the same on every transport (RFC 3261 §18.3).
 */
export function edit(message: SipRequest | SipResponse, changes: Edit): string {
  return new Splice(message, changes).run();
}

class Splice {
  private readonly message: SipRequest | SipResponse;
  private readonly changes: Edit;
  private readonly raw: string;
  private out = '';
  /** What of `raw` is in `out` already. */
  private copied = 0;
  private topVia: string | undefined;
  private maxForwards: number | undefined;
  private length: number | undefined;
  private readonly removed: NameSet;
  private readonly dropping: NameSet;
  /** Names whose first value has been dropped. */
  private dropped: string[] | undefined = undefined;

  constructor(message: SipRequest | SipResponse, changes: Edit) {
    this.message = message;
    this.changes = changes;
    this.raw = message.raw;
    this.topVia = changes.topVia;
    this.maxForwards = changes.maxForwards;
    this.length = changes.body === undefined ? undefined : changes.body.length;
    this.removed = nameSet(changes.remove);
    this.dropping = nameSet(changes.dropFirst);
  }

  run(): string {
    const { message, changes, raw } = this;
    const { index } = message;
    if (changes.requestUri !== undefined && message.kind === 'request') {
      const at = message.method.length + 1;
      this.replace(at, at + message.requestUri.length, changes.requestUri);
    }
    const first = index.count > 0 ? index.start(0) : index.headEnd;
    if (changes.prepend !== undefined) this.replace(first, first, changes.prepend);
    for (let line = 0; line < index.count; line += 1) this.editLine(line);
    const body = changes.body ?? message.body;
    let tail = changes.append ?? '';
    if (this.maxForwards !== undefined) tail += `Max-Forwards: ${String(this.maxForwards)}\r\n`;
    if (this.length !== undefined || index.find(ID.contentLength) < 0)
      tail += `Content-Length: ${String(body.length)}\r\n`;
    if (tail !== '') this.replace(index.headEnd, index.headEnd, tail);
    if (changes.body === undefined && message.bodyStart + body.length === raw.length)
      return this.out + raw.slice(this.copied);
    return this.out + raw.slice(this.copied, message.bodyStart) + body;
  }

  /** Puts `text` in the place of `raw[at, end)`. */
  private replace(at: number, end: number, text: string): void {
    this.out += this.raw.slice(this.copied, at) + text;
    this.copied = end;
  }

  private editLine(line: number): void {
    const { raw } = this;
    const { index } = this.message;
    const id = index.id(line);
    if (this.isNamed(line, id, this.removed)) {
      this.replace(index.start(line), index.end(line), '');
      return;
    }
    const drops = this.isFirst(line, id, this.dropping);
    if (!drops && !isEdited(id)) return;
    let at = index.valueStart(line);
    const end = index.valueEnd(line);
    if (drops) {
      const second = secondValue(raw, at, end);
      if (second === end) {
        this.replace(index.start(line), index.end(line), '');
        return;
      }
      this.replace(at, second, '');
      at = second;
    }
    if (id === ID.via && this.topVia !== undefined) {
      this.replace(at, firstValueEnd(raw, at, end), this.topVia);
      this.topVia = undefined;
    } else if (id === ID.maxForwards && this.maxForwards !== undefined) {
      this.replace(at, end, String(this.maxForwards));
      this.maxForwards = undefined;
    } else if (id === ID.contentLength && this.length !== undefined) {
      this.replace(at, end, String(this.length));
      this.length = undefined;
    }
  }

  /** True on the first line of each header of the set. */
  private isFirst(line: number, id: number, names: NameSet): boolean {
    if (!this.isNamed(line, id, names)) return false;
    const name = lineName(this.raw, this.message.index, line);
    if (this.dropped?.includes(name) === true) return false;
    (this.dropped ??= []).push(name);
    return true;
  }

  private isNamed(line: number, id: number, names: NameSet): boolean {
    if (id > 0) return names.known[id] === 1;
    return names.others.length > 0 && names.hasOther(lineName(this.raw, this.message.index, line));
  }
}

/** The headers whose values `Edit` names. */
const isEdited = (id: number): boolean => id === ID.via || id === ID.maxForwards || id === ID.contentLength;

/** Header names looked up once; edits mostly come with the same list again and again. */
class NameSet {
  /** By header number: 1 for those in the set. */
  readonly known = new Uint8Array(256);
  /** Those that the registry does not have, and prefixes, which end in "*". */
  readonly others: string[] = [];

  constructor(names: readonly string[]) {
    for (const name of names) {
      const id = headerId(name);
      if (id > 0) this.known[id] = 1;
      else this.others.push(name);
      if (!name.endsWith('*')) continue;
      for (const known of Object.keys(HEADERS)) if (this.hasOther(known)) this.known[headerId(known)] = 1;
    }
  }

  hasOther(lower: string): boolean {
    for (const name of this.others) {
      if (name === lower || (name.endsWith('*') && lower.startsWith(name.slice(0, -1)))) return true;
    }
    return false;
  }
}

const EMPTY = new NameSet([]);
const sets = new WeakMap<readonly string[], NameSet>();

function nameSet(names: readonly string[] | undefined): NameSet {
  if (names === undefined) return EMPTY;
  let set = sets.get(names);
  if (set === undefined) {
    set = new NameSet(names);
    sets.set(names, set);
  }
  return set;
}
