import type { FlowRef } from '@rollcall/location';
import { edit } from '@rollcall/sip';
import type { NameAddr, SipRequest } from '@rollcall/sip';
import type { Flow, NextHop, SipFront } from '@rollcall/sip-transaction';
import type { EdgeFinder } from '../edge-finder.ts';
import { isSips } from '../flow-names.ts';
import type { FlowNames } from '../flow-names.ts';
import type { CurrentTrace } from '../forward.ts';
import { nextMaxForwards, outerVia } from '../hop.ts';
import { REMOVED } from '../trust-boundary.ts';

/** The next hop of a proxied request. */
export interface Hop {
  readonly flow: Flow;
  /** True for the connection to another edge: the token stays on the route, and the trace goes along. */
  readonly inner: boolean;
}

/** One way on for a request. */
export interface Onward {
  /** The new Request-URI; undefined leaves it. */
  readonly requestUri?: string;
  /** The Route value that names the flow, and those behind it. */
  readonly route: NameAddr | string | undefined;
  readonly rest: readonly (NameAddr | string)[];
}

/**
 * Told of the hop that a token leads to, or of none: `gone` for a flow that will never be there again, otherwise its edge is
 * away and the flow may still be good.
 */
export type OnHop = (hop: Hop | undefined, gone: boolean) => void;

/** What a proxied request brings along from where it came. */
export interface Origin {
  /** The flow it came on; undefined for one from inside, where the other edge has recorded its own. */
  readonly flow: Flow | undefined;
  /** Its top Via with what its source really is. */
  readonly topVia: string | undefined;
  /** Header line of the proved identity, or empty. */
  readonly identity: string;
}

/**
 * Requests that never make a dialog: RFC 3261 §16.6 step 4 wants Record-Route on all others, those of unknown methods
 * included.
 */
const NO_DIALOG = new Set([
  'MESSAGE',
  'OPTIONS',
  'PUBLISH',
  'REGISTER',
  'INFO',
  'ACK',
  'BYE',
  'CANCEL',
  'PRACK',
  'UPDATE',
]);

/** Finds next hops and composes what is sent there (RFC 3261 §16.6, RFC 5626 §5.3). */
export class Egress {
  readonly #innerFlows = new WeakSet<Flow>();

  constructor(
    private readonly front: SipFront,
    private readonly names: FlowNames,
    private readonly edges: EdgeFinder,
    private readonly trace: CurrentTrace,
  ) {}

  /** The hop that a token of ours leads to. */
  resolve(ref: FlowRef, done: OnHop): void {
    if (this.names.isOwn(ref)) {
      const flow = this.names.isCurrent(ref) ? this.front.flow(ref.flow) : undefined;
      if (flow?.open === true) done({ flow, inner: false }, false);
      else done(undefined, true);
      return;
    }
    this.edges.find(ref.edge).then(
      (lease) => {
        // A lease of a later start: its streams are not the ones that the token was signed for.
        const current = lease !== undefined && (lease.epoch === ref.epoch || ref.flow.startsWith('u'));
        const inner = current ? readHostPort(lease.inner) : undefined;
        const flow = inner === undefined ? undefined : this.front.connect('tcp', inner);
        if (flow === undefined) done(undefined, lease !== undefined && lease.epoch > ref.epoch && !current);
        else {
          this.#innerFlows.add(flow);
          done({ flow, inner: true }, false);
        }
      },
      () => {
        done(undefined, false);
      },
    );
  }

  /** True for a connection to another edge of ours. */
  isInner(flow: Flow): boolean {
    return this.#innerFlows.has(flow);
  }

  /** A hop straight to an address. Only for requests from inside, and for bindings that were stored without a Path. */
  direct({ transport, address, port, serverName }: NextHop): Hop | undefined {
    const flow = this.front.connect(transport, { address, port }, { serverName });
    return flow === undefined ? undefined : { flow, inner: false };
  }

  /** The request as it goes to `hop` under `branch`. `breadth`: its share of the parallel branches (RFC 5393 §5.3.3). */
  compose(
    request: SipRequest,
    hop: Hop,
    onward: Onward,
    origin: Origin,
    branch: string,
    breadth?: number,
  ): string {
    const routes = hop.inner && onward.route !== undefined ? [onward.route, ...onward.rest] : onward.rest;
    let lines = outerVia(hop.flow, branch);
    if (!NO_DIALOG.has(request.method) && isOutOfDialog(request)) {
      const uri = onward.requestUri ?? request.requestUri;
      if (!hop.inner) lines += this.names.recordRoute(hop.flow, uri);
      if (origin.flow !== undefined) lines += this.names.recordRoute(origin.flow, request.requestUri);
    }
    for (const route of routes) lines += `Route: ${typeof route === 'string' ? route : route.text}\r\n`;
    const named = hop.inner || !wantsPrivacy(request);
    if (named) lines += origin.identity;
    if (breadth !== undefined) lines += `Max-Breadth: ${String(breadth)}\r\n`;
    const trace = hop.inner ? this.trace() : undefined;
    if (trace !== undefined) lines += `Traceparent: ${trace}\r\n`;
    return edit(request, {
      prepend: lines,
      maxForwards: nextMaxForwards(request),
      remove: removedFrom(origin, named),
      requestUri: isSips(request.requestUri) ? onward.requestUri : withoutSips(onward.requestUri),
      topVia: origin.topVia,
    });
  }

  /** Starts the client transaction that carries a composed request. */
  get request(): SipFront['request'] {
    return this.front.request.bind(this.front);
  }
}

/** RFC 5630 §5.3: a SIP request goes to the SIP form of a SIPS Contact. */
function withoutSips(uri: string | undefined): string | undefined {
  return uri !== undefined && isSips(uri) ? `sip${uri.slice('sips'.length)}` : uri;
}

/** RFC 3325 §9.3: `Privacy: id` keeps the asserted identity inside. */
function wantsPrivacy(request: SipRequest): boolean {
  return request.has('privacy') && /(?:^|[;\s])id(?:$|[;\s])/i.test(request.header('privacy') ?? '');
}

function removedFrom(origin: Origin, named: boolean): readonly string[] {
  if (origin.flow === undefined) return named ? REMOVED.outward : REMOVED.outwardPrivate;
  return origin.identity === '' ? REMOVED.toPhone : REMOVED.toPhoneProved;
}

/** True for a request without a To-tag (RFC 3261 §12.2). */
export function isOutOfDialog(request: SipRequest): boolean {
  const to = request.to();
  return !to.ok || to.value.tag === undefined;
}

function readHostPort(text: string): { address: string; port: number } | undefined {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port)) return undefined;
  const host = text.slice(0, colon);
  return { address: host.startsWith('[') ? host.slice(1, -1) : host, port };
}
