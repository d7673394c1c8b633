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
  /** PROXY header, TLS handshake and WebSocket upgrade of a new connection must be done within so long, all together. */
  readonly handshakeMs: number;
  /** A connection that we open must be up within so long. */
  readonly connectMs: number;
  /** A new connection that sends nothing for so long is closed. */
  readonly firstByteMs: number;
  /** A message whose end does not come for so long closes its connection. */
  readonly unfinishedMessageMs: number;
  /** A stream on which nothing has come for so long, no keep-alive either, is closed. */
  readonly idleMs: number;
  /** A WebSocket on which nothing has come for so long is pinged (RFC 7118 §6). */
  readonly pingMs: number;
  /** And closed when nothing comes for so long after that. */
  readonly pongMs: number;
  /** A TCP connection that is silent for so long is probed by the system, and gone 10 s later when nobody answers. */
  readonly tcpKeepAliveMs: number;
  /** Bytes that may wait for a peer that does not read; more closes its connection. */
  readonly maxSendQueueBytes: number;
  /** Server transactions that wait for an answer; past it a request gets 503. */
  readonly maxServerTransactions: number;
  /** Answered non-INVITE transactions kept for retransmissions (timer J); past it the oldest goes. */
  readonly maxCompletedTransactions: number;
  /** Bytes of the responses of these; past it the oldest goes. */
  readonly maxCompletedBytes: number;
  /** Client transactions that wait for an answer; past it a request fails at once. */
  readonly maxClientTransactions: number;
  /** Answered non-INVITE client transactions kept for answers that come again (timer K); past it the oldest goes. */
  readonly maxAnsweredClients: number;
  /** INVITEs answered statelessly whose ACK is still to be absorbed; past it the oldest is forgotten. */
  readonly maxStatelessInvites: number;
}

/** RFC 3261 timer F: no client waits longer for an answer, so no honest peer needs longer to finish a message. */
const TRANSACTION_TIMEOUT_MS = 32_000;

/** A client that has connected has something to say at once; `design/reliability.md` wants between 5 and 10 s. */
const BEGINNING_MS = 10_000;
/** Twice the longest registration that is granted unless told otherwise: a phone that lives refreshes before. */
const IDLE_MS = 7_200_000;
/** Below the minute after which common proxies and NATs forget a connection. */
const PING_MS = 45_000;

/**
 * Defaults. A head may be somewhat larger here than the parser takes (`LIMITS` of `sip`), so that a request with too large
 * a head is still framed and gets its 413. A body is at most what a datagram can hold (RFC 3261 §18.1.1).
 */
export const DEFAULT_LIMITS: NetLimits = {
  maxHeaderBytes: 81_920,
  maxBodyBytes: 65_536,
  maxConnections: 50_000,
  maxConnectionsPerAddress: 2_000,
  handshakeMs: BEGINNING_MS,
  connectMs: 5_000,
  firstByteMs: BEGINNING_MS,
  unfinishedMessageMs: TRANSACTION_TIMEOUT_MS,
  idleMs: IDLE_MS,
  pingMs: PING_MS,
  pongMs: 20_000,
  tcpKeepAliveMs: PING_MS,
  maxSendQueueBytes: 262_144,
  maxServerTransactions: 65_536,
  maxCompletedTransactions: 65_536,
  maxCompletedBytes: 33_554_432,
  maxClientTransactions: 65_536,
  maxAnsweredClients: 65_536,
  maxStatelessInvites: 8_192,
};
