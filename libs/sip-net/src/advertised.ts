import type { Endpoint } from '@rollcall/sip-transaction';

/** What the outside is told of a listener. One that serves both families may tell IPv4 peers another address. */
export interface Advertised {
  readonly any: Endpoint;
  readonly ipv4?: Endpoint | undefined;
}

/** What a peer at this address is told. */
export function advertisedFor({ any, ipv4 }: Advertised, address: string): Endpoint {
  return ipv4 !== undefined && !address.includes(':') ? ipv4 : any;
}
