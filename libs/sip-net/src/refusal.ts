import { type ParseProblem, parseMessage, type SipRequest } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';
import { newToken } from './tokens.ts';
import { answer, replyFlow, type SiblingFlow } from './via-source.ts';

/** RFC 3261 §21.5.7 and §21.4.11: what is too large is refused alike, wherever the octets are too many. */
const MESSAGE_TOO_LARGE = 513;
const REQUEST_ENTITY_TOO_LARGE = 413;

export const isTooLarge = (problem: ParseProblem): boolean =>
  problem.status === MESSAGE_TOO_LARGE || problem.status === REQUEST_ENTITY_TOO_LARGE;

/**
 * Refuses a malformed request, without state (RFC 3261 §8.2.7). False when there must be no answer or can be none: to
 * a response (§18.1.2), to an ACK (§17), and to what has no Via to send it along. `head` is what came of a message
 * whose head did not end.
 */
export function refuse(problem: ParseProblem, flow: Flow, sibling: SiblingFlow, head?: string): boolean {
  const request = problem.request ?? requestIn(head);
  if (request?.has('via') !== true || request.method === 'ACK') return false;
  const status = isTooLarge(problem) ? REQUEST_ENTITY_TOO_LARGE : problem.status;
  const detail = problem.detail.replaceAll(/["\\]|[^ -~]/g, '?');
  const headers = `Warning: 399 rollcall "${detail}"\r\n`;
  const refusal = copiedOnly(answer(request, flow, status, { toTag: newToken(), headers }));
  return replyFlow(request, flow, sibling).send(refusal);
}

/** What may stand in a refusal: the status line, what §8.2.6.2 copies, and our own. */
const COPIED = /^(?:SIP\/2\.0 |(?:via|v|from|f|to|t|call-id|i|cseq|warning|content-length)[ \t]*:|$)/i;

/** A line that could not be indexed clings to the one before it; it must not come back to whoever sent it. */
function copiedOnly(response: string): string {
  const lines = response.split(/\r\n(?![ \t])/);
  return lines.filter((line) => COPIED.test(line)).join('\r\n');
}

function requestIn(head: string | undefined): SipRequest | undefined {
  if (head === undefined) return undefined;
  const parsed = parseMessage(head.slice(0, head.lastIndexOf('\r\n') + 2));
  if (parsed.ok) return parsed.value.kind === 'request' ? parsed.value : undefined;
  return parsed.error.request;
}
