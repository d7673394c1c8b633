import { respond, type RespondOptions, type SipRequest, viaFrom } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';

/** RFC 3261 §18.2.2: where a response goes when the sent-by has no port. */
const DEFAULT_SIP_PORT = 5060;

/**
 * The top Via of a request with what its source really is (RFC 3261 §18.2.1, RFC 3581 §4): `received` when the
 * sent-by host is not the source address, and both `received` and `rport` when the client asked for it. What the client
 * wrote there itself is replaced. Undefined when the Via cannot be read.
 */
export function viaWithSource(request: SipRequest, flow: Flow): string | undefined {
  const via = request.topVia();
  return via.ok ? viaFrom(via.value, flow.remote.address, flow.remote.port) : undefined;
}

/** Another port at the address of a flow. */
export type SiblingFlow = (flow: Flow, port: number) => Flow;

/**
 * The flow that the responses to a request take (RFC 3261 §18.2.2): the one it came on; but over an unreliable
 * transport, for a client that did not ask for `rport` (RFC 3581 §4), the port of its sent-by or 5060 at the source
 * address. A `maddr` is not followed: it would let anybody aim our responses at a third party.
 */
export function replyFlow(request: SipRequest, flow: Flow, sibling: SiblingFlow): Flow {
  if (flow.reliable) return flow;
  const via = request.topVia();
  if (!via.ok || via.value.rport !== undefined) return flow;
  const port = via.value.port ?? DEFAULT_SIP_PORT;
  return port === flow.remote.port ? flow : sibling(flow, port);
}

export type AnswerOptions = Omit<RespondOptions, 'topVia'>;

/** A response of RFC 3261 §8.2.6 whose top Via says where the request came from. Octet string. */
export function answer(request: SipRequest, flow: Flow, status: number, options: AnswerOptions = {}): string {
  return respond(request, status, { ...options, topVia: viaWithSource(request, flow) });
}
