import type { FlowRef } from '@rollcall/location';
import type { NameAddr, SipRequest } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';
import type { DomainTable } from './domain-table.ts';
import type { FlowNames } from './flow-names.ts';
import type { OwnAddresses } from './own-addresses.ts';

/** Where the Route headers of a request send it (RFC 3261 §16.4, RFC 5626 §5.3). */
export type Routing =
  /** To the flow that a token of ours names; `token` and what stands behind it. */
  | {
      readonly kind: 'flow';
      readonly ref: FlowRef;
      readonly route: NameAddr;
      readonly rest: readonly NameAddr[];
    }
  /** Nothing of the route is left: by method and Request-URI. `ours` when it came with a token that we had signed. */
  | { readonly kind: 'here'; readonly popped: number; readonly ours: boolean }
  /** To somebody else. */
  | { readonly kind: 'elsewhere'; readonly route: NameAddr; readonly rest: readonly NameAddr[] }
  | { readonly kind: 'malformed' };

const NO_ROUTE: Routing = { kind: 'here', popped: 0, ours: false };

/**
 * Reads the route of a request and pops what is ours. A dialog that we are in has one token of ours for each of its sides:
 * the first names the flow that the request should have come on, the last the flow that it goes out on. A phone behind a NAT
 * that has changed its mapping comes on another flow than the first token names; that token is popped all the same.
 */
export class Router {
  constructor(
    private readonly names: FlowNames,
    private readonly domains: DomainTable,
    private readonly own: OwnAddresses,
  ) {}

  /** `flow`: where the request came from; undefined for one from inside, whose first token is always its target. */
  route(request: SipRequest, flow: Flow | undefined): Routing {
    if (!request.has('route')) return NO_ROUTE;
    const read = request.routes();
    if (!read.ok) return { kind: 'malformed' };
    const routes = read.value;
    let ours = false;
    for (let i = 0; i < routes.length; i += 1) {
      const route = routes[i] as NameAddr;
      const ref = this.#token(route);
      if (ref !== undefined) {
        if (flow === undefined) return { kind: 'flow', ref, route, rest: routes.slice(i + 1) };
        const next = routes[i + 1];
        const last = next === undefined || this.#token(next) === undefined;
        // With one of ours before it, the last is the target even when it names the very flow that the request came on.
        if (last && (ours || !this.#isOn(ref, flow)))
          return { kind: 'flow', ref, route, rest: routes.slice(i + 1) };
        ours = true;
      } else if (!this.#isUs(route)) {
        return { kind: 'elsewhere', route, rest: routes.slice(i + 1) };
      }
    }
    return { kind: 'here', popped: routes.length, ours };
  }

  /** A verified token of ours in a Route or Path value. */
  #token(route: NameAddr): FlowRef | undefined {
    const { uri } = route;
    return uri.kind === 'sip' && uri.user !== undefined ? this.names.read(uri.user) : undefined;
  }

  #isOn(ref: FlowRef, flow: Flow): boolean {
    return this.names.isOwn(ref) && this.names.isCurrent(ref) && ref.flow === flow.id;
  }

  /** A phone that preloads a route to its outbound proxy names us by address or by domain (RFC 3261 §8.1.2). */
  #isUs(route: NameAddr): boolean {
    const { uri } = route;
    return (
      uri.kind === 'sip' &&
      uri.user === undefined &&
      (this.own.has(uri) || this.domains.get(uri.host) !== undefined)
    );
  }
}
