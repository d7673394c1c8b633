import { hash } from 'node:crypto';
import type { SipRequest } from '@rollcall/sip';

/** What separates the unique part of our branches from the part that shows a loop. */
const JOINT = '.';
const MARK_LENGTH = 12;

/**
 * The part of a branch that shows a loop (RFC 3261 §16.6 step 8): a hash of what decides how the request is routed. The same
 * for every pass of a request that comes back unchanged, another one when it spirals.
 */
export function loopMark(request: SipRequest): string {
  const parts = [
    request.requestUri,
    request.header('from'),
    request.header('to'),
    request.header('call-id'),
    request.header('cseq')?.split(/\s/, 1)[0],
    ...request.headers('route'),
    ...request.headers('proxy-require'),
    ...request.headers('proxy-authorization'),
  ];
  return JOINT + hash('sha1', Buffer.from(parts.join('\0'), 'latin1')).slice(0, MARK_LENGTH);
}

/** True when a Via of the request carries the mark: it has been here before, unchanged (RFC 3261 §16.3 item 4). */
export function hasLooped(request: SipRequest, mark: string): boolean {
  for (const value of request.headers('via')) if (value.includes(mark)) return true;
  return false;
}
