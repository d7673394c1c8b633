import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import { readFlowToken } from '@rollcall/location';
import type { FoundLease } from '@rollcall/location';
import { routeUri } from '@rollcall/events';
import type { Subscription } from '@rollcall/events';
import { parseUri } from '@rollcall/sip';
import type { SipUri } from '@rollcall/sip';
import type { Peer } from './ports.ts';

/** The part of `EdgeLeases` that finds one. Throws `StoreUnavailable`. */
export interface LeaseReader {
  find(id: string): Promise<FoundLease | undefined>;
}

/** How long an answer is believed without asking again; a lease never beyond its end. */
const BELIEVED_MS = 2_000;
const KEPT = 1_024;
/** RFC 3261 §19.1.2. */
const SIP_PORT = 5060;

interface Found {
  readonly peer: Peer | undefined;
  readonly until: number;
}

/** Where the next hop of a subscription's NOTIFY is: the edge that its route names by flow token (architecture §7). */
export class EdgeFinder {
  readonly #found = new BoundedMap<string, Found>(KEPT);

  constructor(
    private readonly leases: LeaseReader,
    private readonly clock: Clock,
  ) {}

  /** Undefined when the edge does not live. Throws `StoreUnavailable`. A kept answer comes back without a turn in between. */
  nextHop(subscription: Subscription): Peer | undefined | Promise<Peer | undefined> {
    const top = subscription.route[0];
    if (top === undefined) return addressOf(subscription.remoteTarget);
    const edge = edgeOf(top);
    if (edge === undefined) return addressOf(routeUri(top));
    const known = this.#found.peek(edge);
    if (known !== undefined && known.until > this.clock.now()) return known.peer;
    return this.#ask(edge);
  }

  async #ask(edge: string): Promise<Peer | undefined> {
    const now = this.clock.now();
    const lease = await this.leases.find(edge);
    const peer = lease === undefined ? undefined : readPeer(lease.inner);
    // Counted from before the store was asked.
    this.#found.set(edge, { peer, until: now + Math.min(BELIEVED_MS, lease?.leftMs ?? BELIEVED_MS) });
    return peer;
  }
}

/** Edge id in the flow token of `<sip:TOKEN@…>`, without parsing the whole URI. */
function edgeOf(route: string): string | undefined {
  const start = route.indexOf(':') + 1;
  const end = route.indexOf('@', start);
  return end < 0 ? undefined : readFlowToken(route.slice(start, end))?.edge;
}

/** A next hop that is no edge of ours: another proxy in front of this service. */
function addressOf(uri: SipUri | string | undefined): Peer | undefined {
  if (typeof uri === 'string') {
    const parsed = parseUri(uri);
    return parsed.ok && parsed.value.kind === 'sip' ? addressOf(parsed.value) : undefined;
  }
  if (uri === undefined) return undefined;
  return { host: uri.host.replace(/^\[|\]$/g, ''), port: uri.port ?? SIP_PORT };
}

/** `host:port`, an IPv6 host in brackets. */
function readPeer(inner: string): Peer | undefined {
  const colon = inner.lastIndexOf(':');
  const port = Number(inner.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port)) return undefined;
  return { host: inner.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}
