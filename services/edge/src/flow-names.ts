import { BoundedMap } from '@rollcall/kernel';
import type { FlowRef, FlowTokens } from '@rollcall/location';
import type { Endpoint, Flow, TransportName } from '@rollcall/sip-transaction';

/** What we call one flow towards the outside. */
export interface FlowName {
  readonly token: string;
  /** Header line for a REGISTER (RFC 3327 §5.2, RFC 5626 §5.1). */
  readonly path: string;
  /** Header line for a request that may make a dialog (RFC 3261 §16.6 step 4). */
  readonly recordRoute: string;
}

/** Which edge this is. */
export interface EdgeIdentity {
  readonly id: string;
  /** Grows with every start. */
  readonly epoch: number;
}

/** Names are made again when they are gone; this many are kept because a phone comes back on its flow. */
const KEPT_NAMES = 16_384;

/** Signed names of our flows in Path and Record-Route, and what the names of others mean. */
export class FlowNames {
  readonly #names = new BoundedMap<string, FlowName>(KEPT_NAMES);

  constructor(
    private readonly tokens: FlowTokens,
    private readonly edge: EdgeIdentity,
  ) {}

  of(flow: Flow): FlowName {
    const known = this.#names.peek(flow.id);
    if (known !== undefined) return known;
    const token = this.tokens.sign({ edge: this.edge.id, epoch: this.edge.epoch, flow: flow.id });
    const uri = `sip:${token}@${hostPort(flow.advertised)}${transportParam(flow.transport)};lr`;
    const name: FlowName = {
      token,
      path: `Path: <${uri};ob>\r\n`,
      recordRoute: `Record-Route: <${uri}>\r\n`,
    };
    this.#names.set(flow.id, name);
    return name;
  }

  /** What a token names; undefined when it is not one of ours. */
  read(token: string): FlowRef | undefined {
    return this.tokens.verify(token);
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

/** `host:port` as SIP writes it, an IPv6 address in brackets (RFC 3261 §25.1). */
export function hostPort(endpoint: Endpoint): string {
  const { address, port } = endpoint;
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}

/** Nothing for UDP, which is what a URI without the parameter means (RFC 3263 §4.1). */
function transportParam(transport: TransportName): string {
  return transport === 'udp' ? '' : `;transport=${transport}`;
}
