import type { SipUri } from '@rollcall/sip';
import type { Endpoint } from '@rollcall/sip-transaction';

/** Where a URI points when it names no port (RFC 3261 §19.1.2, RFC 7118 §5.5). */
export function defaultPort(uri: SipUri): number {
  const transport = uri.params.get('transport')?.toLowerCase();
  if (transport === 'ws') return uri.secure ? 443 : 80;
  return uri.secure || transport === 'tls' ? 5061 : 5060;
}

/** The addresses that are this edge: what it listens on and what it tells the outside. */
export class OwnAddresses {
  readonly #known = new Set<string>();

  add(endpoint: Endpoint): void {
    this.#known.add(nameOf(endpoint.address, endpoint.port));
  }

  /** True for a URI whose host and port are ours, whatever its user. */
  has(uri: SipUri): boolean {
    return this.#known.has(nameOf(uri.host, uri.port ?? defaultPort(uri)));
  }
}

function nameOf(host: string, port: number): string {
  const bare = host.startsWith('[') ? host.slice(1, -1) : host;
  return `${bare.toLowerCase()} ${String(port)}`;
}
