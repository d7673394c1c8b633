import type { SipRequest, SipResponse } from '@rollcall/sip';

/** Headers that only we may speak inside (RFC 3325 §5, W3C Trace Context), by canonical name. */
const INNER_ONLY = ['p-asserted-identity', 'p-preferred-identity', 'traceparent', 'tracestate'] as const;
const INNER_PREFIX = 'x-rollcall-';

/**
 * From a phone to a registrar or to presence: nobody but the edge adds a Path (RFC 3327 §5.2), the edge consumes the
 * credentials, and a request that goes there has used up its route.
 */
const TO_SERVICE = [...INNER_ONLY, 'path', 'authorization', 'route'] as const;
/** From a phone to a phone, and from a phone back inside. */
const TO_PHONE = [...INNER_ONLY] as const;
/** From inside to a phone: the asserted identity may go along (RFC 3325 §5), the trace does not. */
const OUTWARD = ['traceparent', 'tracestate'] as const;

export type Crossing = 'to-service' | 'to-phone' | 'outward';

const REMOVED: Readonly<Record<Crossing, readonly string[]>> = {
  'to-service': TO_SERVICE,
  'to-phone': TO_PHONE,
  outward: OUTWARD,
};

/**
 * Names of the headers of `message` that do not cross the trust boundary in this direction; only those that are there. Names
 * are compared as parsed, so that no spelling of a header slips through.
 */
export function notCrossing(message: SipRequest | SipResponse, crossing: Crossing): readonly string[] {
  const found: string[] = [];
  for (const name of REMOVED[crossing]) if (message.has(name)) found.push(name);
  // Headers that the registry does not know have the number 0.
  const { index, raw } = message;
  for (let line = index.find(0); line >= 0; line = index.find(0, line + 1)) {
    const name = raw.slice(index.start(line), index.nameEnd(line)).toLowerCase();
    if (name.startsWith(INNER_PREFIX)) found.push(name);
  }
  return found;
}
