/**
 * Bounds on what one message may hold. A datagram cannot exceed the first two (RFC 3261 §18.1.1); the rest keep the
 * work for one message bounded, and are far above what user agents send.
 */
export const LIMITS = {
  /** Start line and header fields together, octets. */
  headBytes: 64 * 1024,
  /** Message body, octets. */
  bodyBytes: 64 * 1024,
  /** Header lines. */
  headers: 200,
  /** One header field with its folds, octets. */
  lineBytes: 8 * 1024,
  /** Via values: the Max-Forwards that everybody starts with (RFC 3261 §8.1.1.6) allows no more hops. */
  vias: 70,
  /** Contact values. */
  contacts: 32,
} as const;
