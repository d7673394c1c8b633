/** Counters of a front: plain fields that hot paths bump, read by whoever shows metrics. They only rise. */
export interface FrontCounters {
  datagramsIn: number;
  datagramsOut: number;
  /** Datagrams that the system refused to send. */
  datagramsFailed: number;
  requestsIn: number;
  responsesIn: number;
  /** CRLFCRLF pings answered (RFC 5626 §4.4.1), and empty or CRLF-only datagrams. */
  keepAlives: number;
  /** Datagrams that are no SIP at all, and no STUN that is answered. */
  notSip: number;
  /** Requests refused before the user saw them, and what was too broken for a reply. */
  malformedRefused: number;
  malformedDropped: number;
  /** Messages over the size limits. */
  tooLarge: number;
  retransmissionsAbsorbed: number;
  /** Responses without a client transaction (RFC 6026 §8.9). */
  strayResponses: number;
  /** Completed transactions pushed out by the limit before timer J. */
  completedEvicted: number;
  serverTransactionsRefused: number;
  clientTransactionsRefused: number;
  clientTimeouts: number;
  connectionsAccepted: number;
  connectionsOpened: number;
  connectionsRefused: number;
  /** Connections closed because no first byte came, a message stalled, the framing broke, or the peer did not read. */
  closedIdle: number;
  closedStalled: number;
  closedFraming: number;
  closedSlow: number;
  /** Streams whose peer has missed its keep-alive (Flow-Timer of RFC 5626, WebSocket pong), or said nothing for too long. */
  closedSilent: number;
  /** Connections of ours that did not come up. */
  closedUnconnected: number;
  /** New connections that ended before they were flows: a wrong PROXY header, TLS, the WebSocket upgrade, or time was up. */
  proxyRefused: number;
  tlsFailed: number;
  upgradesRefused: number;
  handshakesTimedOut: number;
  tlsHandshakes: number;
  tlsResumed: number;
  /** STUN Binding requests answered (RFC 5626 §8). */
  stunAnswered: number;
  /** Exceptions of the front's user, each answered 500. */
  userErrors: number;
}

export const zeroCounters = (): FrontCounters => ({
  datagramsIn: 0,
  datagramsOut: 0,
  datagramsFailed: 0,
  requestsIn: 0,
  responsesIn: 0,
  keepAlives: 0,
  notSip: 0,
  malformedRefused: 0,
  malformedDropped: 0,
  tooLarge: 0,
  retransmissionsAbsorbed: 0,
  strayResponses: 0,
  completedEvicted: 0,
  serverTransactionsRefused: 0,
  clientTransactionsRefused: 0,
  clientTimeouts: 0,
  connectionsAccepted: 0,
  connectionsOpened: 0,
  connectionsRefused: 0,
  closedIdle: 0,
  closedStalled: 0,
  closedFraming: 0,
  closedSlow: 0,
  closedSilent: 0,
  closedUnconnected: 0,
  proxyRefused: 0,
  tlsFailed: 0,
  upgradesRefused: 0,
  handshakesTimedOut: 0,
  tlsHandshakes: 0,
  tlsResumed: 0,
  stunAnswered: 0,
  userErrors: 0,
});
