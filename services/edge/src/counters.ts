import { REFUSAL_NAMES } from './refusals.ts';
import type { RefusalName } from './refusals.ts';

/** SIP status codes are below this (RFC 3261 §7.2). */
export const STATUS_LIMIT = 700;

export type DigestOutcome = 'accepted' | 'wrong' | 'stale' | 'replayed' | 'forged' | 'none' | 'malformed';
export type InnerTarget = 'registrar' | 'presence';

/** What the edge counts: plain fields, bumped on hot paths and read when somebody asks for the metrics. */
export interface EdgeCounters {
  /** Requests from outside by method; unknown methods under `other`. */
  readonly requests: Record<string, number>;
  /** Answers to the outside by status code. */
  readonly answers: Float64Array;
  readonly refusals: Record<RefusalName, number>;
  readonly digest: Record<DigestOutcome, number>;
  readonly inner: Record<InnerTarget, { response: number; unavailable: number; timeout: number }>;
  /** Requests from inside that were sent on a flow, and those whose flow was gone. */
  delivered: number;
  flowsGone: number;
  userHits: number;
  userMisses: number;
}

const KNOWN_METHODS = [
  'REGISTER',
  'SUBSCRIBE',
  'PUBLISH',
  'NOTIFY',
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'MESSAGE',
  'REFER',
  'INFO',
  'UPDATE',
  'PRACK',
] as const;

export function zeroCounters(): EdgeCounters {
  return {
    requests: Object.fromEntries([...KNOWN_METHODS, 'other'].map((method) => [method, 0])),
    answers: new Float64Array(STATUS_LIMIT),
    refusals: Object.fromEntries(REFUSAL_NAMES.map((name) => [name, 0])) as Record<RefusalName, number>,
    digest: { accepted: 0, wrong: 0, stale: 0, replayed: 0, forged: 0, none: 0, malformed: 0 },
    inner: {
      registrar: { response: 0, unavailable: 0, timeout: 0 },
      presence: { response: 0, unavailable: 0, timeout: 0 },
    },
    delivered: 0,
    flowsGone: 0,
    userHits: 0,
    userMisses: 0,
  };
}

/** Counts a request; its method comes from the packet and is never a label of its own. */
export function countRequest(counters: EdgeCounters, method: string): void {
  const { requests } = counters;
  if (Object.hasOwn(requests, method)) requests[method] = (requests[method] ?? 0) + 1;
  else requests['other'] = (requests['other'] ?? 0) + 1;
}
