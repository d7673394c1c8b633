import type { ParseProblem, SipRequest, SipResponse } from '@rollcall/sip';
import { err, ok, type Result } from '@rollcall/kernel';

/** RFC 3261 §8.1.1.6: the recommended initial value. */
const MAX_FORWARDS = 70;

/**
 * The ACK of the INVITE client transaction to a final of 300–699 (RFC 3261 §17.1.1.3): Request-URI, top Via, From,
 * Call-ID, Route and CSeq number of the INVITE, To of the response. Octet string.
 */
export function ackFor(invite: SipRequest, response: SipResponse): Result<string, ParseProblem> {
  return sameHop(invite, 'ACK', response.header('to'));
}

/**
 * The CANCEL of an INVITE that we sent (RFC 3261 §9.1): as the ACK, but with the To of the INVITE itself. `headers`: whole lines
 * that go into it.
 */
export function cancelFor(invite: SipRequest, headers = ''): Result<string, ParseProblem> {
  return sameHop(invite, 'CANCEL', invite.header('to'), headers);
}

/** The Reason lines of a CANCEL: they say to the next hop what they have said to us (RFC 3326 §2). */
export const reasonLines = (cancel: SipRequest): string =>
  cancel
    .headers('reason')
    .map((value) => `Reason: ${value}\r\n`)
    .join('');

function sameHop(
  invite: SipRequest,
  method: 'ACK' | 'CANCEL',
  to: string | undefined,
  headers = '',
): Result<string, ParseProblem> {
  const via = invite.topVia();
  if (!via.ok) return via;
  const cseq = invite.cseq();
  if (!cseq.ok) return cseq;
  const from = invite.header('from');
  const callId = invite.header('call-id');
  if (to === undefined || from === undefined || callId === undefined) {
    return err({
      code: 'missing-header',
      at: 0,
      detail: `no ${method} without To, From and Call-ID`,
      status: 400,
    });
  }
  const routes = invite.headers('route').map((value) => `Route: ${value}\r\n`);
  return ok(
    `${method} ${invite.requestUri} SIP/2.0\r\n` +
      `Via: ${via.value.text}\r\n` +
      routes.join('') +
      `Max-Forwards: ${String(MAX_FORWARDS)}\r\n` +
      `From: ${from}\r\n` +
      `To: ${to}\r\n` +
      `Call-ID: ${callId}\r\n` +
      `CSeq: ${String(cseq.value.seq)} ${method}\r\n` +
      headers +
      'Content-Length: 0\r\n\r\n',
  );
}
