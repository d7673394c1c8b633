import { edit } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';

/** A message of ours has one char for each octet; the server's protocol, as drachtio-srf reads it, is text in UTF-8. */
export const textOf = (octets: string): string => Buffer.from(octets, 'latin1').toString('utf8');
export const octetsOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** What the server makes itself and takes from nobody. */
const SERVERS_OWN = ['via', 'route', 'record-route', 'content-length'];
const OWN_AND_CONTACT = [...SERVERS_OWN, 'contact'];
const OWN_AND_CALL_ID = [...SERVERS_OWN, 'call-id'];
/** In a call the server is the peer of both phones: its Contact, and its Call-ID on the second leg. */
const OWN_OF_CALL = [...OWN_AND_CONTACT, 'call-id'];

/** A message as it is given to the server, with another Call-ID for the wire when there is one. */
export function forServer(message: SipRequest | SipResponse, call: boolean, callId?: string): string {
  const other = callId !== undefined;
  const remove = call ? (other ? OWN_OF_CALL : OWN_AND_CONTACT) : other ? OWN_AND_CALL_ID : SERVERS_OWN;
  const spliced = edit(message, { remove, ...(other ? { prepend: `Call-ID: ${callId}\r\n` } : {}) });
  return textOf(spliced);
}

/** What a response must have of its request, which the server has replaced by its own. */
const OF_REQUEST = ['via', 'record-route', 'call-id', 'cseq'];

/** A response of a phone as it would have come to the request that the core has sent (RFC 3261 §8.2.6, §12.1.1). */
export function asAnswerTo(request: SipRequest, response: SipResponse): string {
  let lines = '';
  for (const via of request.headers('via')) lines += `Via: ${via}\r\n`;
  if (response.status > 100 && response.status < 300) {
    for (const route of request.headers('record-route')) lines += `Record-Route: ${route}\r\n`;
  }
  lines += `Call-ID: ${request.header('call-id') ?? ''}\r\nCSeq: ${request.header('cseq') ?? ''}\r\n`;
  return edit(response, { remove: OF_REQUEST, prepend: lines });
}

/** The CANCEL of a request (RFC 3261 §9.1), for the server to finish. */
export function cancelOf(request: SipRequest, wireCallId: string, headers: string): string {
  const cseq = request.cseq();
  const lines = [
    `CANCEL ${request.requestUri} SIP/2.0`,
    'Max-Forwards: 70',
    `From: ${request.header('from') ?? ''}`,
    `To: ${request.header('to') ?? ''}`,
    `Call-ID: ${wireCallId}`,
    `CSeq: ${String(cseq.ok ? cseq.value.seq : 1)} CANCEL`,
    `${headers}\r\n`,
  ];
  return textOf(lines.join('\r\n'));
}
