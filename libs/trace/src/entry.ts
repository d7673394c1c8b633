import type { Endpoint, TransportName } from '@rollcall/sip-transaction';

/** Who is at the other end of what the edge sent or received. `inner`: a service of ours that connected to the edge. */
export type Hop = 'phone' | 'registrar' | 'presence' | 'inner';

/** The row of the edge's refusal table that an answer comes from. */
export interface Rule {
  readonly label: string;
  readonly section: string;
}

/** One message as an edge received or sent it. */
export interface TraceEntry {
  /** Microseconds since 1970, by the clock of the edge. */
  readonly at: number;
  readonly edge: string;
  readonly hop: Hop;
  readonly direction: 'in' | 'out';
  readonly transport: TransportName;
  /** The edge's end of the flow. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Names the flow inside the edge. */
  readonly flow: string;
  /** The whole message, an octet string. */
  readonly octets: string;
  /** Of an answer by which the edge itself refuses. */
  readonly rule?: Rule;
}

/** Where a message came from. */
export const sourceOf = (entry: TraceEntry): Endpoint =>
  entry.direction === 'in' ? entry.remote : entry.local;
/** Where a message went. */
export const destinationOf = (entry: TraceEntry): Endpoint =>
  entry.direction === 'in' ? entry.local : entry.remote;
