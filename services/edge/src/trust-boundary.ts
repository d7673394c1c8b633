/** Headers that only we may speak inside (RFC 3325 §5, W3C Trace Context), by canonical name; `*` ends a prefix. */
const INNER_ONLY = [
  'p-asserted-identity',
  'p-preferred-identity',
  'traceparent',
  'tracestate',
  'x-rollcall-*',
] as const;

/**
 * What a message loses when it crosses the trust boundary. Names are compared as parsed, so that no spelling of a header slips
 * through. A request that is handed on has used up its route, which its sender writes anew.
 */
export const REMOVED = {
  /** From a phone to a registrar or to presence: nobody but the edge adds a Path (RFC 3327 §5.2), and it consumes the credentials. */
  toService: [...INNER_ONLY, 'path', 'authorization', 'route'],
  /** From a peer that we trust: what it put into Path is part of the way. */
  toServiceBehind: [...INNER_ONLY, 'authorization', 'route'],
  /** From a phone with Contact and Expires written anew. */
  toServiceAnew: [...INNER_ONLY, 'path', 'authorization', 'route', 'contact', 'expires'],
  /** From a phone on to a phone; what is left of Max-Breadth is written anew (RFC 5393 §5.3.3). */
  toPhone: [...INNER_ONLY, 'route', 'max-breadth'],
  /** The same with the credentials for this proxy (RFC 3261 §22.3). */
  toPhoneProved: [...INNER_ONLY, 'route', 'max-breadth', 'proxy-authorization'],
  /** The answer of a phone. */
  answer: INNER_ONLY,
  /** From inside to a phone: the asserted identity may go along (RFC 3325 §5), the trace does not. */
  outward: ['traceparent', 'tracestate', 'x-rollcall-*', 'route'],
  /** The same when the caller wants to stay unnamed (RFC 3325 §9.3). */
  outwardPrivate: [...INNER_ONLY, 'route'],
} as const satisfies Record<string, readonly string[]>;
