/** Messages out of a byte stream (RFC 3261 §7.5, §18.3; RFC 5626 §3.5.1). */
import { load, octet } from './grammar/octets.ts';
import { COLON, CR, LF, TOKEN, isIn, isWsp } from './grammar/chars.ts';
import { readDigits, skipLws, spells } from './grammar/scan.ts';
import { tooLarge } from './message/line-index.ts';
import { parseMessage } from './message/parse.ts';
import { flaw } from './problem.ts';
import type { ParseProblem } from './problem.ts';

export interface FramerLimits {
  /** Start line, header fields and the empty line, octets. */
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
}

export type FramerEvent =
  /** One whole message, head and body. */
  | { readonly kind: 'message'; readonly raw: string }
  /** A CRLFCRLF between messages: the ping of RFC 5626 §3.5.1, to be answered with CRLF. */
  | { readonly kind: 'keepalive' }
  /**
   * The stream can no longer be cut into messages: refuse `problem.request` if it is there, and close the stream.
   * `raw` is the head when it is whole, the beginning of one that is too large, and nothing where no message has begun. The
   * framer yields nothing more.
   */
  | { readonly kind: 'problem'; readonly problem: ParseProblem; readonly raw: string };

const KEEPALIVE: FramerEvent = { kind: 'keepalive' };
const NO_SIP = flaw('start-line', 0, 'no start line of SIP').error;
const PING = '\r\n\r\n';
/** Of a head that does not end, so much is told: enough to refuse it. */
const BEGINNING = 4096;

/** How far the end of the head has been seen: within a line, after its LF, after a CR behind that. */
const WITHIN = 0;
const AFTER_LF = 1;
const AFTER_LF_CR = 2;

/**
 * Cuts a stream into messages. The events do not depend on how the stream was cut into chunks, and the work is
 * linear in its length: no octet is looked at again when the next chunk comes.
 */
export class StreamFramer {
  private readonly limits: FramerLimits;
  /** Chunks of the message that is not complete yet. */
  private parts: string[] = [];
  private size = 0;
  private state: 'between' | 'head' | 'body' | 'broken' = 'between';
  /** Octets of CRLFCRLF seen since the last message or keep-alive. */
  private pinged = 0;
  private tail = WITHIN;
  /** In 'body': octets of the whole message. */
  private wanted = 0;

  constructor(limits: FramerLimits) {
    this.limits = limits;
  }

  /** Octets held of a message that is not complete yet. */
  get pending(): number {
    return this.size;
  }

  push(chunk: string): FramerEvent[] {
    const events: FramerEvent[] = [];
    let at = 0;
    while (at < chunk.length && this.state !== 'broken') {
      if (this.state === 'between') at = this.skipBetween(chunk, at, events);
      else if (this.state === 'head') at = this.readHead(chunk, at, events);
      else at = this.readBody(chunk, at, events);
    }
    return events;
  }

  /** CRLF before a start line is ignored (RFC 3261 §7.5); two of them are a ping. */
  private skipBetween(chunk: string, at: number, events: FramerEvent[]): number {
    let i = at;
    for (; i < chunk.length; i += 1) {
      const code = chunk.charCodeAt(i);
      if (code !== CR && code !== LF) {
        this.pinged = 0;
        // a start line begins with a token: what TLS, STUN and the like send is refused at its first octet
        if (!isIn(code, TOKEN)) return this.fail(NO_SIP, '', chunk, events);
        this.state = 'head';
        this.tail = WITHIN;
        return i;
      }
      if (code !== PING.charCodeAt(this.pinged)) this.pinged = code === CR ? 1 : 0;
      else this.pinged += 1;
      if (this.pinged === PING.length) {
        events.push(KEEPALIVE);
        this.pinged = 0;
      }
    }
    return i;
  }

  private readHead(chunk: string, at: number, events: FramerEvent[]): number {
    const end = this.findHeadEnd(chunk, at);
    const size = this.size + (end < 0 ? chunk.length : end) - at;
    // an incomplete head needs at least one octet more
    if (end < 0 ? size >= this.limits.maxHeaderBytes : size > this.limits.maxHeaderBytes) {
      const { maxHeaderBytes } = this.limits;
      // as many octets as are there however the stream was cut
      const begun = this.take(chunk, at, chunk.length).slice(0, Math.min(BEGINNING, maxHeaderBytes));
      const problem = tooLarge('head-too-large', maxHeaderBytes, 'the head', maxHeaderBytes);
      return this.fail(problem, begun, chunk, events);
    }
    if (end < 0) return this.keep(chunk, at, chunk.length);
    const head = this.take(chunk, at, end);
    const length = contentLength(head);
    if (typeof length !== 'number') return this.refuse(length, head, chunk, events);
    if (length > this.limits.maxBodyBytes) {
      const problem = flaw('body-too-large', head.length, `a body of ${String(length)} octets`, 413).error;
      return this.refuse({ ...problem, header: 'content-length' }, head, chunk, events);
    }
    if (length <= chunk.length - end)
      return this.emit(
        head.length === end - at ? chunk.slice(at, end + length) : head + chunk.slice(end, end + length),
        end + length,
        events,
      );
    this.keep(head, 0, head.length);
    this.wanted = head.length + length;
    this.state = 'body';
    return end;
  }

  private readBody(chunk: string, at: number, events: FramerEvent[]): number {
    const end = at + this.wanted - this.size;
    if (end > chunk.length) return this.keep(chunk, at, chunk.length);
    return this.emit(this.take(chunk, at, end), end, events);
  }

  /** Offset after the empty line, or -1; the same line ends as in `parseMessage`. */
  private findHeadEnd(chunk: string, from: number): number {
    let at = from;
    for (;;) {
      if (this.tail === AFTER_LF) {
        const code = chunk.charCodeAt(at);
        if (code === LF) return at + 1;
        this.tail = code === CR ? AFTER_LF_CR : WITHIN;
        if (this.tail === AFTER_LF_CR) at += 1;
        if (at >= chunk.length) return -1;
      }
      if (this.tail === AFTER_LF_CR) {
        if (chunk.charCodeAt(at) === LF) return at + 1;
        this.tail = WITHIN;
      }
      const lf = chunk.indexOf('\n', at);
      if (lf < 0) return -1;
      at = lf + 1;
      this.tail = AFTER_LF;
      if (at >= chunk.length) return -1;
    }
  }

  private keep(chunk: string, at: number, end: number): number {
    this.parts.push(at === 0 && end === chunk.length ? chunk : chunk.slice(at, end));
    this.size += end - at;
    return end;
  }

  private take(chunk: string, at: number, end: number): string {
    const last = chunk.slice(at, end);
    if (this.parts.length === 0) return last;
    const whole = this.parts.join('') + last;
    this.parts = [];
    this.size = 0;
    return whole;
  }

  private emit(raw: string, next: number, events: FramerEvent[]): number {
    events.push({ kind: 'message', raw });
    this.state = 'between';
    this.pinged = 0;
    return next;
  }

  /** The end, at a message of which only `begun` is known. */
  private fail(problem: ParseProblem, begun: string, chunk: string, events: FramerEvent[]): number {
    this.state = 'broken';
    this.parts = [];
    this.size = 0;
    events.push({ kind: 'problem', problem, raw: begun });
    return chunk.length;
  }

  /** The end, at a message whose head is whole. */
  private refuse(problem: ParseProblem, head: string, chunk: string, events: FramerEvent[]): number {
    this.state = 'broken';
    const parsed = parseMessage(head);
    const request = parsed.ok && parsed.value.kind === 'request' ? parsed.value : undefined;
    // a head that is no SIP at all is the better reason
    events.push({
      kind: 'problem',
      problem: parsed.ok ? { ...problem, request } : parsed.error,
      raw: head,
    });
    return chunk.length;
  }
}

/** The Content-Length of a whole head; a problem when it is missing, malformed, or there are two of them. */
function contentLength(head: string): number | ParseProblem {
  load(head);
  let found = -1;
  let line = 0;
  while (line < head.length) {
    let lf = head.indexOf('\n', line);
    const code = octet(line) | 0x20;
    if (code === 0x63 || code === 0x6c) {
      const colon = contentLengthColon(head, line);
      if (colon >= 0) {
        while (isWsp(octet(lf + 1))) lf = head.indexOf('\n', lf + 1);
        const value = lengthValue(colon + 1, lf);
        if (value < 0) return lengthProblem('number', line, 'not a number');
        // RFC 4475 §3.3.9: nobody knows how many octets are supposed to be here
        if (found >= 0) return lengthProblem('header-repeated', line, 'more than one Content-Length');
        found = value;
      }
    }
    line = lf + 1;
  }
  // RFC 3261 §18.3: "The Content-Length header field MUST be used with stream oriented transports"
  return found >= 0
    ? found
    : lengthProblem('content-length-missing', head.length, 'no Content-Length on a stream');
}

const lengthProblem = (code: string, at: number, detail: string): ParseProblem => ({
  ...flaw(code, at, detail).error,
  header: 'content-length',
});

/** Offset of the colon when the line that begins at `at` is a Content-Length; -1 otherwise. */
function contentLengthColon(head: string, at: number): number {
  const long = spells(at, at + 14, 'content-length');
  if (!long && !spells(at, at + 1, 'l')) return -1;
  const colon = skipLws(at + (long ? 14 : 1), head.length);
  return octet(colon) === COLON ? colon : -1;
}

/** 1*DIGIT in a value that may be folded around it; -1 when there is something else. */
function lengthValue(at: number, end: number): number {
  let start = at;
  while (start < end && isBlank(octet(start))) start += 1;
  let stop = end;
  while (stop > start && isBlank(octet(stop - 1))) stop -= 1;
  return readDigits(start, stop);
}

const isBlank = (code: number): boolean => isWsp(code) || code === CR || code === LF;
