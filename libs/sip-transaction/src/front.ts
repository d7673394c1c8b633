import type { SipRequest, SipResponse } from '@rollcall/sip';

/** What a SIP message travels on (RFC 3261 §18, RFC 7118). */
export type TransportName = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * One way to reach one peer: a connection, or for UDP the pair of our listener and the peer's address.
 * A flow has no owner but the front; `id` names it inside this process (RFC 5626 §3).
 */
export interface Flow {
  readonly id: string;
  readonly transport: TransportName;
  /** True for streams: nothing is retransmitted on it, and it can die. */
  readonly reliable: boolean;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** What the outside may be told of our side of this flow. */
  readonly advertised: Endpoint;
  /** False once the connection is gone; a UDP flow stays open for ever. */
  readonly open: boolean;
  /**
   * What the peer's certificate proves, when it has shown one and an authority of ours has signed it (RFC 5922 §7.1): DNS
   * names in lower case and the hosts of `sip:` URIs; the common name only when there are none of these.
   */
  readonly certificateNames?: readonly string[];
  /** Queues one whole message (octet string). False when the flow is gone or its queue is full. */
  send(message: string): boolean;
  close(reason: string): void;
  /**
   * The peer has been told to keep this flow alive (`Flow-Timer`, RFC 5626 §4.4): a stream that is silent for longer is
   * closed. Flows without a connection have nothing to close.
   */
  expectKeepAlive?(withinMs: number): void;
}

/** Told of a CANCEL, with its Reason as whole header lines (RFC 3326 §2). */
export type OnCancel = (reason: string) => void;

/** Where an accepted request is answered: a server transaction of RFC 3261 §17.2, or a stateless stand-in. */
export interface ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;
  /** Sends a whole response (octet string with the Via stack of the request, §8.2.6). Finals after the first are dropped. */
  respond(status: number, message: string): void;
  /**
   * Sends a final answer that leaves no state behind (§8.2.7), for what an unauthenticated request gets:
   * a retransmission is simply answered again.
   */
  respondStateless(message: string): void;
  /**
   * INVITE only: the caller's CANCEL arrived (§9.2), also when it did before this was set. The 200 to the CANCEL has been sent; the
   * 487 is the user's. `reason`: the Reason lines of the CANCEL (RFC 3326), or empty.
   */
  onCancel?: OnCancel;
  /** INVITE only: the ACK to a 2xx does not come here; see `FrontUser.onAck`. */
}

export interface ClientTransactionUser {
  /** Every response: provisionals but 100, and finals. A 2xx to INVITE may come more than once (RFC 6026). */
  onResponse(response: SipResponse): void;
  /** No final answer in time (timer B or F), or the flow is gone: the transaction is over (§8.1.3.1). */
  onFailure(reason: 'timeout' | 'transport'): void;
}

export interface ClientTransaction {
  /** INVITE only: sends CANCEL as soon as a provisional has been seen (§9.1). `headers`: whole lines that go into it. */
  cancel(headers?: string): void;
}

export interface FrontUser {
  /** A well-formed request other than ACK and CANCEL, already deduplicated. */
  onRequest(transaction: ServerTransaction): void;
  /** An ACK that belongs to no INVITE transaction: the ACK to a 2xx, to be forwarded (§13.2.2.4, §16). */
  onAck(request: SipRequest, flow: Flow): void;
  /** A 2xx to INVITE for which no client transaction is left (RFC 6026 §7.2 drops or forwards it). */
  onStrayResponse?(response: SipResponse, flow: Flow): void;
  onFlowClosed?(flow: Flow): void;
}

export interface ConnectOptions {
  /** TLS: the name that the peer's certificate must be for (RFC 5922 §7.3); its address when unset. */
  readonly serverName?: string;
}

/** The edge's view of a transport engine (`sip-net`, `sip-drachtio`). */
export interface SipFront {
  start(user: FrontUser): Promise<void>;
  /** A live flow by its id; for UDP ids a flow is made for the address that the id names. */
  flow(id: string): Flow | undefined;
  /** A flow to an address outside: for streams an existing connection, or a new one. Undefined when a limit refuses it. */
  connect(transport: TransportName, remote: Endpoint, options?: ConnectOptions): Flow | undefined;
  /**
   * Starts a client transaction (§17.1). `message` is a whole request whose top Via the caller has made with
   * `branch`; retransmission, timers and matching are the front's.
   */
  request(
    flow: Flow,
    method: string,
    branch: string,
    message: string,
    user: ClientTransactionUser,
  ): ClientTransaction;
  /** Addresses that are listened on, after `start`. */
  readonly listeners: readonly {
    readonly transport: TransportName;
    readonly local: Endpoint;
    readonly advertised: Endpoint;
  }[];
  /** Stops accepting, closes flows, drops transactions. */
  stop(): Promise<void>;
}
