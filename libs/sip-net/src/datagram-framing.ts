import { err, ok, type Result } from '@rollcall/kernel';
import { parseMessage, type ParseProblem, type SipRequest, type SipResponse } from '@rollcall/sip';
import type { NetLimits } from './limits.ts';

/**
 * RFC 3261 §18.3 for datagrams: without a Content-Length the body ends with the datagram; what follows a body of the
 * stated length is discarded; a body that is shorter is an error. What comes out carries a true Content-Length and nothing after its body, so that
 * it may be sent on over a stream as it is: otherwise a datagram could smuggle a second message into the inner link.
 */
export function withFraming(
  message: SipRequest | SipResponse,
  limits: NetLimits,
): Result<SipRequest | SipResponse, ParseProblem> {
  const { raw } = message;
  const headersEnd = raw.indexOf('\r\n\r\n');
  if (headersEnd < 0) return err(problem('no-end-of-headers', raw.length, 'the datagram ends within the headers', 400));
  const bodyStart = headersEnd + 4;
  const available = raw.length - bodyStart;
  if (bodyStart > limits.maxHeaderBytes) return err(problem('headers-too-large', limits.maxHeaderBytes, 'headers too large', 413));
  if (available > limits.maxBodyBytes) return err(problem('body-too-large', bodyStart, 'body too large', 413));
  const stated = message.contentLength();
  if (!stated.ok) return stated;
  if (stated.value === available) return ok(message);
  if (stated.value === undefined) {
    return parseMessage(`${raw.slice(0, headersEnd)}\r\nContent-Length: ${String(available)}\r\n\r\n${raw.slice(bodyStart)}`);
  }
  if (stated.value > available) return err(problem('body-short', raw.length, 'Content-Length is more than the datagram holds', 400));
  return parseMessage(raw.slice(0, bodyStart + stated.value));
}

const problem = (code: string, at: number, detail: string, status: number): ParseProblem => ({ code, at, detail, status });
