import type { SipRequest, SipResponse, Via } from '@rollcall/sip';

/** RFC 3261 §8.1.1.7: a branch that begins so is unique across space and time. */
export const MAGIC_COOKIE = 'z9hG4bK';

/** Separates the parts of a key; no header value can contain it. */
const SEPARATOR = '\n';

/**
 * True when the branch may be matched by itself (§17.2.3). A branch that is nothing but the cookie names no
 * transaction (RFC 4475 §3.2.1, `badbranch`), and is matched like one of RFC 2543.
 */
export const isUniqueBranch = (branch: string | undefined): branch is string =>
  branch !== undefined && branch.length > MAGIC_COOKIE.length && branch.startsWith(MAGIC_COOKIE);

/** Key of a client transaction (§17.1.3): branch of the top Via, and method, since CANCEL shares the branch. */
export const clientKey = (branch: string, method: string): string => method + SEPARATOR + branch;

/** Key of the client transaction that a response belongs to; undefined when its top Via or CSeq cannot be read. */
export function clientKeyOf(response: SipResponse): string | undefined {
  const via = response.topVia();
  const cseq = response.cseq();
  if (!via.ok || !cseq.ok || via.value.branch === undefined) return undefined;
  return clientKey(via.value.branch, cseq.value.method);
}

/**
 * Key of the server transaction that a request makes or is matched to (§17.2.3); an ACK has the key of its
 * INVITE. `method` is given to look for another method's transaction: a CANCEL's INVITE (§9.2).
 * Without a usable branch the rules for RFC 2543 clients hold: Request-URI, tags, Call-ID, CSeq and the top Via
 * are the key. Undefined when a header that the key needs cannot be read.
 */
export function serverKeyOf(request: SipRequest, method: string = request.method): string | undefined {
  const via = request.topVia();
  if (!via.ok) return undefined;
  const matched = method === 'ACK' ? 'INVITE' : method;
  const { branch } = via.value;
  if (!isUniqueBranch(branch)) return legacyKey(request, matched, via.value, request.method !== 'ACK');
  return matched + SEPARATOR + sentBy(via.value) + SEPARATOR + branch;
}

/**
 * RFC 2543: the ACK carries the To tag of our response, the INVITE did not. So an INVITE without a unique branch
 * is also found under this key, and the To tag is compared by whoever knows the response.
 */
export function legacyAckKeyOf(request: SipRequest): string | undefined {
  const via = request.topVia();
  if (!via.ok || isUniqueBranch(via.value.branch)) return undefined;
  return legacyKey(request, 'INVITE', via.value, false);
}

/** The sent-by of a Via. Hosts are compared without case; an absent port is not 5060 (only for sending, §18.2.2). */
function sentBy(via: Via): string {
  return via.port === undefined ? via.host.toLowerCase() : `${via.host.toLowerCase()}:${String(via.port)}`;
}

function legacyKey(request: SipRequest, method: string, via: Via, withToTag: boolean): string | undefined {
  const from = request.from();
  const to = request.to();
  const callId = request.callId();
  const cseq = request.cseq();
  if (!from.ok || !to.ok || !callId.ok || !cseq.ok) return undefined;
  return [
    '2543',
    method,
    request.requestUri,
    withToTag ? (to.value.tag ?? '') : '-',
    from.value.tag ?? '',
    callId.value,
    String(cseq.value.seq),
    via.text,
  ].join(SEPARATOR);
}
