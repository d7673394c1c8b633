import type { FlowRef } from '@rollcall/location';
import type { NameAddr, SipRequest, Uri } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';
import type { DomainTable } from './domain-table.ts';
import type { FlowNames } from './flow-names.ts';
import type { OwnAddresses } from './own-addresses.ts';

/** Where the Route headers of a request send it (RFC 3261 §16.4, RFC 5626 §5.3). */
export type Routing =
  /**
   * To the flow that a token of ours names; `route` and what stands behind it. `requestUri` is there when a strict router had put
   * the token in its place (RFC 3261 §16.4).
   */
  | {
      readonly kind: 'flow';
      readonly ref: FlowRef;
      readonly route: NameAddr;
      readonly rest: readonly NameAddr[];
      readonly requestUri?: string;
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
    const strict = this.#afterStrictRouter(request, read.value);
    if (strict === undefined) return this.#follow(read.value, flow);
    const routing = this.#follow(strict.routes, flow);
    return routing.kind === 'flow' ? { ...routing, requestUri: strict.requestUri } : routing;
  }

  /** Pops what is ours from the front of a route. */
  #follow(routes: readonly NameAddr[], flow: Flow | undefined): Routing {
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
      } else if (!this.#isUs(route) && !(i === 0 && flow !== undefined && hasNoUser(route))) {
        return { kind: 'elsewhere', route, rest: routes.slice(i + 1) };
      }
    }
    return { kind: 'here', popped: routes.length, ours };
  }

  /**
   * RFC 3261 §16.4: a Request-URI that we have put into a Record-Route comes from a strict router, which moved the remote target to
   * the end of the route; undefined for all others.
   */
  #afterStrictRouter(
    request: SipRequest,
    routes: readonly NameAddr[],
  ): { readonly routes: readonly NameAddr[]; readonly requestUri: string } | undefined {
    const uri = request.uri();
    const target = routes.at(-1);
    if (!uri.ok || target === undefined || this.#tokenOf(uri.value) === undefined) return undefined;
    const self: NameAddr = {
      ...target,
      text: `<${request.requestUri}>`,
      uriText: request.requestUri,
      uri: uri.value,
    };
    return { routes: [self, ...routes.slice(0, -1)], requestUri: target.uriText };
  }

  /** A verified token of ours in a Route or Path value. */
  #token(route: NameAddr): FlowRef | undefined {
    return this.#tokenOf(route.uri);
  }

  #tokenOf(uri: Uri): FlowRef | undefined {
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

/**
 * The topmost Route is where its sender sent the request (RFC 3261 §8.1.2), so it means us under whatever name or address a phone
 * knows us by: an edge cannot list every DNS name, balancer and interface that leads to it. With a user part it would be a token
 * of somebody else.
 */
const hasNoUser = ({ uri }: NameAddr): boolean => uri.kind === 'sip' && uri.user === undefined;
