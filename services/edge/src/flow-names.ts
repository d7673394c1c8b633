import { BoundedMap } from '@rollcall/kernel';
import { readFlowToken } from '@rollcall/location';
import type { FlowRef, FlowTokens } from '@rollcall/location';
import type { Endpoint, Flow, TransportName } from '@rollcall/sip-transaction';

import { ownCopy } from './own-copy.ts';

/** What we call one flow towards the outside. */
export interface FlowName {
  readonly token: string;
  /** Header line for a REGISTER (RFC 3327 §5.2, RFC 5626 §5.1). */
  readonly path: string;
  /** The same when another hop came first: only the first says that outbound works (RFC 5626 §5.1). */
  readonly pathBehind: string;
  /** Header line for a request that may make a dialog (RFC 3261 §16.6 step 4). */
  readonly recordRoute: string;
  /** The same for a request to a SIPS URI (§16.6 step 4, RFC 5630 §3.1.2); undefined on a flow without TLS. */
  readonly recordRouteSips: string | undefined;
}

/** Which edge this is. */
export interface EdgeIdentity {
  readonly id: string;
  /** Grows with every start. */
  readonly epoch: number;
}

/** Names are made again when they are gone; this many are kept because a phone comes back on its flow. */
const KEPT_NAMES = 16_384;

/**
 * Nothing for UDP, which is what a URI without the parameter means (RFC 3263 §4.1); "ws" for both kinds of WebSocket (RFC 7118
 * §5.2). "tls" is deprecated (RFC 3261 §26.2.2) and what phones understand: a SIP URI has no other word for it.
 */
const TRANSPORT_PARAM: Readonly<Record<TransportName, string>> = {
  udp: '',
  tcp: ';transport=tcp',
  tls: ';transport=tls',
  ws: ';transport=ws',
  wss: ';transport=ws',
};
/** In a SIPS URI the parameter names what is below TLS (RFC 5630 §3.1.4). */
const SIPS_TRANSPORT_PARAM: Readonly<Partial<Record<TransportName, string>>> = {
  tls: ';transport=tcp',
  wss: ';transport=ws',
};

/** Signed names of our flows in Path and Record-Route, and what the names of others mean. */
export class FlowNames {
  readonly #names = new BoundedMap<string, FlowName>(KEPT_NAMES);
  /** Tokens whose signature has been found right. */
  readonly #read = new BoundedMap<string, FlowRef>(KEPT_NAMES);

  constructor(
    private readonly tokens: FlowTokens,
    private readonly edge: EdgeIdentity,
  ) {}

  of(flow: Flow): FlowName {
    const known = this.#names.peek(flow.id);
    if (known !== undefined) return known;
    const token = this.tokens.sign({ edge: this.edge.id, epoch: this.edge.epoch, flow: flow.id });
    const at = `${token}@${hostPort(flow.advertised)}`;
    const uri = `sip:${at}${TRANSPORT_PARAM[flow.transport]};lr`;
    const sipsParam = SIPS_TRANSPORT_PARAM[flow.transport];
    const name: FlowName = {
      token,
      path: `Path: <${uri};ob>\r\n`,
      pathBehind: `Path: <${uri}>\r\n`,
      recordRoute: `Record-Route: <${uri}>\r\n`,
      recordRouteSips: sipsParam === undefined ? undefined : `Record-Route: <sips:${at}${sipsParam};lr>\r\n`,
    };
    this.#names.set(flow.id, name);
    return name;
  }

  /** The Record-Route line for a request that goes to `requestUri`: SIPS only where that is, and the flow has TLS. */
  recordRoute(flow: Flow, requestUri: string): string {
    const { recordRoute, recordRouteSips } = this.of(flow);
    if (recordRouteSips === undefined || !isSips(requestUri)) return recordRoute;
    return recordRouteSips;
  }

  /** What a token names; undefined when it is not one of ours. */
  read(token: string): FlowRef | undefined {
    const known = this.#read.peek(token);
    if (known !== undefined) return known;
    if (this.tokens.verify(token) === undefined) return undefined;
    const own = ownCopy(token);
    const ref = readFlowToken(own);
    if (ref !== undefined) this.#read.set(own, ref);
    return ref;
  }

  /** True for a flow of this very edge. */
  isOwn(ref: FlowRef): boolean {
    return ref.edge === this.edge.id;
  }

  /** True when the flow can still exist: streams end with the process, a UDP flow is but an address. */
  isCurrent(ref: FlowRef): boolean {
    return ref.epoch === this.edge.epoch || ref.flow.startsWith('u');
  }
}

const SIPS = 'sips:';
export const isSips = (uri: string): boolean => uri.slice(0, SIPS.length).toLowerCase() === SIPS;

/** `host:port` as SIP writes it, an IPv6 address in brackets (RFC 3261 §25.1). */
export function hostPort(endpoint: Endpoint): string {
  const { address, port } = endpoint;
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}
