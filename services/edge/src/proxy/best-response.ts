import type { SipResponse } from '@rollcall/sip';

/** A final answer that a proxy may pass on: one that it got, or one that it makes in place of none. */
export interface Candidate {
  readonly status: number;
  readonly response?: SipResponse;
}

/** "Responses that provide information affecting resubmission" (RFC 3261 §16.7 step 6). */
const TELLING = new Set([401, 407, 415, 420, 484]);
/** What only says that a branch was not reached; any other answer says more. */
const SILENT = new Set([404, 408, 410, 430, 480, 487]);

/**
 * The best of the final answers of a response context (RFC 3261 §16.7 step 6): 6xx if there is one, else the lowest class, in it
 * the most telling, then the first that came. A 503 stands behind all others, because to pass it on would say that all of
 * this proxy is away.
 */
export function bestResponse(candidates: readonly Candidate[]): Candidate | undefined {
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    if (best === undefined || rank(candidate.status) < rank(best.status)) best = candidate;
  }
  return best;
}

function rank(status: number): number {
  const statusClass = Math.floor(status / 100);
  if (statusClass === 6) return 0;
  if (status === 503) return 1_000;
  if (TELLING.has(status)) return statusClass * 10;
  return statusClass * 10 + (SILENT.has(status) ? 2 : 1);
}

/** Challenges of the answers that were not chosen (RFC 3261 §16.7 step 7), as header lines. */
export function otherChallenges(chosen: Candidate, candidates: readonly Candidate[]): string {
  if (chosen.status !== 401 && chosen.status !== 407) return '';
  let lines = '';
  for (const { status, response } of candidates) {
    if (response === undefined || response === chosen.response || (status !== 401 && status !== 407))
      continue;
    for (const value of response.headers('www-authenticate')) lines += `WWW-Authenticate: ${value}\r\n`;
    for (const value of response.headers('proxy-authenticate')) lines += `Proxy-Authenticate: ${value}\r\n`;
  }
  return lines;
}
