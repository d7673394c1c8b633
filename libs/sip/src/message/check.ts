/** What must hold of a message before anybody acts on it (RFC 3261 §8.2, §16.3, §18.3; RFC 4475). */
import { isWsp } from '../grammar/chars.ts';
import { headerBit, headerName, SINGLE_BITS } from '../headers/registry.ts';
import { MAGIC_COOKIE } from '../headers/via.ts';
import { isMethod } from '../methods.ts';
import { flaw } from '../problem.ts';
import type { ParseProblem } from '../problem.ts';
import { LIMITS } from './limits.ts';
import { tooLarge } from './line-index.ts';
import { ID } from './header-fields.ts';
import type { SipMessage } from './message.ts';
import type { SipRequest } from './request.ts';
import type { SipResponse } from './response.ts';

/** "A valid SIP request … MUST, at a minimum, contain" these (§8.1.1); Max-Forwards is forgiven (RFC 4475 §3.4.1). */
const MANDATORY = [ID.via, ID.from, ID.to, ID.callId, ID.cseq] as const;
const MANDATORY_BITS = MANDATORY.reduce((bits, id) => bits | headerBit(id), 0);

export interface Transport {
  /** True on TCP and TLS, where the Content-Length must be there (§18.3); false on UDP, and on WebSocket (RFC 7118 §5). */
  readonly stream: boolean;
}

/**
 * Checks a request; the first problem found, or undefined. Order: header fields that are missing or repeated, body
 * length, top Via, From, To, Call-ID, CSeq, Max-Forwards, Request-URI.
 */
export function checkRequest(request: SipRequest, transport: Transport): ParseProblem | undefined {
  return (
    countProblem(request) ??
    lengthProblem(request, transport.stream) ??
    viaProblem(request) ??
    fieldProblem(request) ??
    methodProblem(request) ??
    uriProblem(request)
  );
}

/** Checks a response; one with a problem is discarded, whatever the problem's status (§18.1.2, RFC 4475 §3.1.2.5). */
export function checkResponse(response: SipResponse): ParseProblem | undefined {
  return (
    countProblem(response) ?? lengthProblem(response, false) ?? viaProblem(response) ?? fieldProblem(response)
  );
}

function countProblem({ index }: SipMessage): ParseProblem | undefined {
  const repeated = index.repeated & SINGLE_BITS;
  if (repeated !== 0) {
    // RFC 4475 §3.3.8, and §3.3.9 for the Content-Length
    const id = 32 - Math.clz32(repeated & -repeated);
    const again = index.find(id, index.find(id) + 1);
    const header = headerName(id);
    return { ...flaw('header-repeated', index.start(again), `more than one ${header}`).error, header };
  }
  if ((index.seen & MANDATORY_BITS) === MANDATORY_BITS) return undefined;
  const header = headerName(MANDATORY.find((id) => (index.seen & headerBit(id)) === 0) ?? 0);
  return { ...flaw('header-missing', index.headEnd, `no ${header}`).error, header };
}

/** §18.3: too few octets are an error; those past the Content-Length were cut off. */
function lengthProblem(message: SipMessage, stream: boolean): ParseProblem | undefined {
  const length = message.contentLength();
  if (!length.ok) return length.error;
  if (length.value === undefined) {
    return stream
      ? lengthFlaw(message, 'content-length-missing', 'no Content-Length on a stream')
      : undefined;
  }
  if (length.value <= message.raw.length - message.bodyStart) return undefined;
  return lengthFlaw(message, 'body-short', 'the body is shorter than its Content-Length');
}

const lengthFlaw = (message: SipMessage, code: string, detail: string): ParseProblem =>
  inHeader(message, ID.contentLength, flaw(code, message.index.headEnd, detail).error);

/** The problem with the place of a header's value, when the header is there. */
function inHeader({ index }: SipMessage, id: number, problem: ParseProblem): ParseProblem {
  const line = index.find(id);
  return { ...problem, at: line < 0 ? problem.at : index.valueStart(line), header: headerName(id) };
}

function viaProblem(message: SipMessage): ParseProblem | undefined {
  const via = message.topVia();
  if (!via.ok) return via.error;
  if (via.value.branch === MAGIC_COOKIE) {
    // RFC 4475 §3.2.1: the cookie promises an identifier, and there is none
    return inHeader(message, ID.via, flaw('via-branch', 0, 'a branch that is only the magic cookie').error);
  }
  return countVias(message) > LIMITS.vias
    ? inHeader(message, ID.via, tooLarge('too-many-vias', 0, 'Via', LIMITS.vias))
    : undefined;
}

/** At least as many as there are Vias: the commas of long lines are counted, quoted or not. */
function countVias({ index, raw }: SipMessage): number {
  let count = 0;
  for (let line = index.find(ID.via); line >= 0; line = index.find(ID.via, line + 1)) {
    count += 1;
    const end = index.valueEnd(line);
    if (end - index.valueStart(line) < LIMITS.vias) continue;
    for (let i = raw.indexOf(',', index.valueStart(line)); i >= 0 && i < end; i = raw.indexOf(',', i + 1))
      count += 1;
  }
  return count;
}

function fieldProblem(message: SipMessage): ParseProblem | undefined {
  if (message.areFieldsSound()) return undefined;
  const from = message.from();
  if (!from.ok) return from.error;
  const to = message.to();
  if (!to.ok) return to.error;
  const callId = message.callId();
  if (!callId.ok) return callId.error;
  const cseq = message.cseq();
  if (!cseq.ok) return cseq.error;
  const maxForwards = message.maxForwards();
  return maxForwards.ok ? undefined : maxForwards.error;
}

/** §8.1.1.5: the method of the CSeq MUST match that of the request. */
function methodProblem(request: SipRequest): ParseProblem | undefined {
  // what ends with " REGISTER" names REGISTER
  const { index, raw, method } = request;
  const line = index.find(ID.cseq);
  const methodAt = index.valueEnd(line) - method.length;
  if (line >= 0 && isWsp(raw.charCodeAt(methodAt - 1)) && raw.startsWith(method, methodAt)) return undefined;
  const cseq = request.cseq();
  if (!cseq.ok || cseq.value.method === request.method) return undefined;
  // RFC 4475 §3.1.2.18 prefers 501 when the method is unknown
  const status = isMethod(request.method) ? 400 : 501;
  return inHeader(request, ID.cseq, flaw('cseq-method', 0, 'the CSeq names another method', status).error);
}

function uriProblem(request: SipRequest): ParseProblem | undefined {
  const uri = request.uri();
  if (!uri.ok) return uri.error;
  const at = request.method.length + 1;
  // §8.2.2.1, §16.3 item 2
  if (uri.value.kind === 'other' && !namesPresentity(request, uri.value.scheme))
    return flaw('request-uri-scheme', at, 'a scheme that is not understood', 416).error;
  // §19.1.1, table: headers are not allowed in a Request-URI; RFC 4475 §3.1.2.11
  if (uri.value.kind === 'sip' && uri.value.headers !== undefined) {
    return flaw('request-uri-headers', at, 'a Request-URI with headers').error;
  }
  return registerProblem(request);
}

/** RFC 3856 §6.1, RFC 3903 §4.1: presence may be asked for and published under a `pres:` URI. */
const namesPresentity = ({ method }: SipRequest, scheme: string): boolean =>
  scheme.toLowerCase() === 'pres' && (method === 'SUBSCRIBE' || method === 'PUBLISH');

/** §10.3, RFC 4475 §3.3.4: the To of a REGISTER is a SIP or SIPS URI; a telephone number is an AoR here too (RFC 3966 §5). */
function registerProblem(request: SipRequest): ParseProblem | undefined {
  if (request.method !== 'REGISTER' || request.isToSip()) return undefined;
  const to = request.to();
  if (!to.ok || to.value.uri.kind !== 'other') return undefined;
  return inHeader(
    request,
    ID.to,
    flaw('to-scheme', 0, 'a REGISTER for something else than a SIP or tel URI').error,
  );
}
