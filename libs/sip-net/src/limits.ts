/**
 * The bounds of everything that a peer can make grow. Each has a counter in `counters.ts` that says when it was met.
 */
export interface NetLimits {
  /** Start line and headers of one message, bytes. More is 413 and the end of a stream. */
  readonly maxHeaderBytes: number;
  /** Body of one message, bytes. */
  readonly maxBodyBytes: number;
  /** Stream connections over all listeners. */
  readonly maxConnections: number;
  /** Stream connections from one address. */
  readonly maxConnectionsPerAddress: number;
  /** A new connection that sends nothing for so long is closed. */
  readonly firstByteMs: number;
  /** A message whose end does not come for so long closes its connection. */
  readonly unfinishedMessageMs: number;
  /** Bytes that may wait for a peer that does not read; more closes its connection. */
  readonly maxSendQueueBytes: number;
  /** Server transactions that wait for an answer; past it a request gets 503. */
  readonly maxServerTransactions: number;
  /** Answered non-INVITE transactions kept for retransmissions (timer J); past it the oldest goes. */
  readonly maxCompletedTransactions: number;
  /** Bytes of the responses of these; past it the oldest goes. */
  readonly maxCompletedBytes: number;
  /** Client transactions; past it a request fails at once. */
  readonly maxClientTransactions: number;
  /** INVITEs answered statelessly whose ACK is still to be absorbed; past it the oldest is forgotten. */
  readonly maxStatelessInvites: number;
}

/** RFC 3261 timer F: no client waits longer for an answer, so no honest peer needs longer to finish a message. */
const TRANSACTION_TIMEOUT_MS = 32_000;

/**
 * Defaults. A head may be somewhat larger here than the parser takes (`LIMITS` of `sip`), so that a request with too large
 * a head is still framed and gets its 413. A body is at most what a datagram can hold (RFC 3261 §18.1.1).
 */
export const DEFAULT_LIMITS: NetLimits = {
  maxHeaderBytes: 81_920,
  maxBodyBytes: 65_536,
  maxConnections: 50_000,
  maxConnectionsPerAddress: 2_000,
  firstByteMs: TRANSACTION_TIMEOUT_MS,
  unfinishedMessageMs: TRANSACTION_TIMEOUT_MS,
  maxSendQueueBytes: 262_144,
  maxServerTransactions: 65_536,
  maxCompletedTransactions: 65_536,
  maxCompletedBytes: 33_554_432,
  maxClientTransactions: 65_536,
  maxStatelessInvites: 8_192,
};
