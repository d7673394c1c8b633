import { respond, type SipRequest, type Via } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';
import { bareHost } from './addresses.ts';

/** RFC 3261 §18.2.2: where a response goes when the sent-by has no port. */
const DEFAULT_SIP_PORT = 5060;

/**
 * The top Via of a request with what its source really is (RFC 3261 §18.2.1, RFC 3581 §4): `received` when the
 * sent-by host is not the source address, and both `received` and `rport` when the client asked for it. What the client
 * wrote there itself is replaced. Text of the Via as it came when nothing is to be added; undefined when it cannot be read.
 */
export function viaWithSource(request: SipRequest, flow: Flow): string | undefined {
  const via = request.topVia();
  return via.ok ? withSource(via.value, flow) : undefined;
}

function withSource(via: Via, flow: Flow): string {
  const { address, port } = flow.remote;
  const wantsRport = via.rport !== undefined;
  if (via.received === undefined) {
    if (!wantsRport) return sentByIs(via, address) ? via.text : `${via.text};received=${address}`;
    const at = via.text.indexOf(';rport');
    const next = via.text[at + 6];
    if (via.rport === '' && at >= 0 && (next === undefined || next === ';')) {
      return `${via.text.slice(0, at)};received=${address};rport=${String(port)}${via.text.slice(at + 6)}`;
    }
  }
  const kept = parameters(via.text).filter((parameter, index) => index === 0 || !/^(received|rport)\s*(=|$)/i.test(parameter.trim()));
  if (wantsRport) kept.push(`received=${address}`, `rport=${String(port)}`);
  else if (!sentByIs(via, address)) kept.push(`received=${address}`);
  return kept.join(';');
}

const sentByIs = (via: Via, address: string): boolean => bareHost(via.host) === address;

/** Splits at the semicolons that are not inside a quoted string. */
function parameters(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted && char === '\\') at += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === ';' && !quoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/**
 * The port at the source address that responses go to over an unreliable transport: the source port when the client
 * asked for `rport` (RFC 3581 §4), otherwise the port of its sent-by or 5060 (RFC 3261 §18.2.2). A `maddr` is not
 * followed: it would let anybody aim our responses at a third party.
 */
export function responsePort(request: SipRequest, flow: Flow): number {
  const via = request.topVia();
  if (!via.ok || via.value.rport !== undefined) return flow.remote.port;
  return via.value.port ?? DEFAULT_SIP_PORT;
}

export type AnswerOptions = NonNullable<Parameters<typeof respond>[2]>;

/** A response of RFC 3261 §8.2.6 whose top Via says where the request came from. Octet string. */
export function answer(request: SipRequest, flow: Flow, status: number, options: AnswerOptions = {}): string {
  const response = respond(request, status, options);
  const via = request.topVia();
  if (!via.ok) return response;
  const text = withSource(via.value, flow);
  if (text === via.value.text) return response;
  const at = response.indexOf(via.value.text);
  return at < 0 ? response : response.slice(0, at) + text + response.slice(at + via.value.text.length);
}
