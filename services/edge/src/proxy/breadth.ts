import type { SipRequest } from '@rollcall/sip';

/** RFC 5393 §5.3.3: what a request without the header gets, and the most that a proxy should allow. */
export const MAX_BREADTH = 60;

/** How many branches a request may have at one time from here on (RFC 5393 §5.3.3). */
export function incomingBreadth(request: SipRequest): number {
  const text = request.header('max-breadth');
  const value = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : MAX_BREADTH;
  return Math.max(1, Math.min(value, MAX_BREADTH));
}

/** The share of each of `branches` that run at the same time; never so much that their sum exceeds what came in. */
export const shareOf = (breadth: number, branches: number): number =>
  Math.max(1, Math.floor(breadth / Math.max(1, Math.min(branches, breadth))));
