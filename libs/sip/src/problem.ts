import { err } from '@rollcall/kernel';
import type { SipRequest } from './message/request.ts';

/** What is wrong with a message, where, and how a request that has it is answered. */
export interface ParseProblem {
  /** Stable name of the rule that is broken, such as `cseq-method`; fit for a metric label. */
  readonly code: string;
  /** Octet offset in the message (`raw` of the request or response), or in the text that was parsed. */
  readonly at: number;
  /** Lower-case long name of the header field, when it is in one. */
  readonly header?: string | undefined;
  /** One sentence for a log line or a Warning header. */
  readonly detail: string;
  /** The status that refuses a request with this problem; a response with one is discarded (RFC 3261 §18.1.2). */
  readonly status: number;
  /**
   * Set by `parseMessage` and `StreamFramer` when a request was refused but its lines could be indexed:
   * good for `respond(problem.request, problem.status)` and for its `topVia()`, and for nothing else.
   */
  readonly request?: SipRequest | undefined;
}

/** A failed reading: the `Result` of a problem. */
export interface Flawed {
  readonly ok: false;
  readonly error: ParseProblem;
}

/** A successful reading of a part: the value, and the offset of what follows it. */
export interface Good<T> {
  readonly ok: true;
  readonly value: T;
  readonly next: number;
}

/** Outcome of a reader that works on `raw[at, end)`; usable as a `Result`. */
export type Read<T> = Good<T> | Flawed;

export const good = <T>(value: T, next: number): Good<T> => ({ ok: true, value, next });

/** A problem with status 400 unless said otherwise. */
export const flaw = (code: string, at: number, detail: string, status = 400): Flawed =>
  err({ code, at, header: undefined, detail, status, request: undefined });
