import { BoundedMap } from '@rollcall/kernel';
import type { Timers } from '@rollcall/kernel';
import { respond } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { reasonLines } from '@rollcall/sip-transaction';
import type { OnCancel } from '@rollcall/sip-transaction';
import type { BusyFlows } from './busy-flows.ts';
import type { EdgeCounters } from './counters.ts';
import type { FlowNames } from './flow-names.ts';
import { newBranch } from './hop.ts';
import { ownCopy } from './own-copy.ts';
import type { UpstreamObserver } from './proxy/call-proxy.ts';
import type { Egress, Origin } from './proxy/egress.ts';
import type { OutsideTargets } from './proxy/outside.ts';
import { ResponseContext } from './proxy/response-context.ts';
import type { Target } from './proxy/response-context.ts';
import type { Upstream } from './proxy/upstream.ts';
import type { SubscribeOrder } from './subscribe-order.ts';
import type { RefusalName } from './refusals.ts';
import { REFUSALS } from './refusals.ts';
import type { Router, Routing } from './routing.ts';

/** INVITEs from other edges that are remembered, for their CANCEL and the ACK of a refusal. */
const REMEMBERED_INVITES = 10_000;

/** From inside nothing is removed but what is only for inside, and our own flow is not recorded twice. */
const INNER_ORIGIN: Origin = { flow: undefined, topVia: undefined, identity: '' };

/** A request of presence or of another edge; its answers go back on the connection that it came on. */
class InnerUpstream implements Upstream {
  readonly origin = INNER_ORIGIN;
  cancel: OnCancel | undefined;
  /** Called with the first final answer. */
  onFinal: (() => void) | undefined;

  constructor(
    readonly request: SipRequest,
    private readonly reply: (message: string) => void,
    private readonly counters: EdgeCounters,
  ) {}

  respond(status: number, message: string): void {
    this.reply(message);
    if (status >= 200) this.onFinal?.();
  }

  refuse(name: RefusalName): void {
    this.counters.refusals[name] += 1;
    this.fail(REFUSALS[name].status, REFUSALS[name].reason);
  }

  fail(status: number, reason: string, headers?: string): void {
    this.respond(status, respond(this.request, status, { reason, toTag: newBranch().slice(-8), headers }));
  }

  onCancel(act: OnCancel): void {
    this.cancel = act;
  }
}

/** Requests from inside to the flows of this edge: NOTIFY from presence, calls from other edges. */
export class OnInnerRequest {
  /** By branch; of an answered one is only kept that there was one. */
  readonly #invites = new BoundedMap<string, InnerUpstream | 'answered'>(REMEMBERED_INVITES);

  constructor(
    private readonly router: Router,
    private readonly names: FlowNames,
    private readonly egress: Egress,
    private readonly outside: OutsideTargets,
    private readonly timers: Timers,
    private readonly counters: EdgeCounters,
    private readonly observers: readonly UpstreamObserver[],
    private readonly busy: BusyFlows,
    private readonly order: SubscribeOrder,
  ) {}

  handle(request: SipRequest, reply: (message: string) => void): void {
    const upstream = new InnerUpstream(request, reply, this.counters);
    const via = request.topVia();
    const branch = via.ok ? (via.value.branch ?? '') : '';
    if (request.method === 'ACK') {
      // The ACK to a refusal has the branch of its INVITE and ends here (RFC 3261 §17.1.1.3).
      if (!this.#invites.has(branch)) this.#acknowledge(request);
      return;
    }
    if (request.method === 'CANCEL') {
      this.#cancel(upstream, branch);
      return;
    }
    const maxForwards = request.maxForwards();
    if (maxForwards.ok && maxForwards.value === 0) {
      upstream.refuse('tooManyHops');
      return;
    }
    const target = this.#target(request, this.router.route(request, undefined));
    if (target === undefined) {
      upstream.refuse('flowFailed');
      return;
    }
    if (request.method === 'INVITE') this.#remember(ownCopy(branch), upstream);
    const observed = this.observers.reduce<Upstream>((inner, one) => one.inDialog(inner), upstream);
    const callId = request.method === 'NOTIFY' ? request.header('call-id') : undefined;
    if (callId === undefined) this.#deliver(observed, target);
    else
      this.order.after(callId, () => {
        this.#deliver(observed, target);
      });
  }

  #remember(branch: string, upstream: InnerUpstream): void {
    this.#invites.set(branch, upstream);
    upstream.onFinal = () => {
      this.#invites.set(branch, 'answered');
      upstream.onFinal = undefined;
    };
  }

  #deliver(upstream: Upstream, target: Target): void {
    const { egress, timers, busy } = this;
    const start = (found: Target): void => {
      this.counters.delivered += 1;
      new ResponseContext({ egress, timers, busy, loopMark: '' }, upstream, [[found]]).start();
    };
    if (target.failover === true) {
      start(target);
      return;
    }
    target.resolve((hop) => {
      if (hop === undefined || hop.inner) {
        this.counters.flowsGone += 1;
        upstream.refuse('flowFailed');
        return;
      }
      start({
        onward: target.onward,
        resolve: (done) => {
          done(hop, false);
        },
      });
    });
  }

  /** A token that was signed for this edge leads to its flow; without one the next address of the route does. */
  #target(request: SipRequest, routing: Routing): Target | undefined {
    switch (routing.kind) {
      case 'flow':
        if (!this.names.isOwn(routing.ref)) return undefined;
        return {
          onward: routing,
          resolve: (done) => {
            this.egress.resolve(routing.ref, done);
          },
        };
      case 'elsewhere':
        return this.#direct(request, routing.route.uriText, [routing.route, ...routing.rest]);
      case 'here':
        return this.#direct(request, request.requestUri, []);
      case 'malformed':
        return undefined;
    }
  }

  #direct(request: SipRequest, uri: string, rest: readonly { readonly text: string }[]): Target | undefined {
    const onward = { route: undefined, rest: rest.map((route) => route.text) };
    return this.outside.of(uri, onward, request.raw.length);
  }

  #acknowledge(request: SipRequest): void {
    const target = this.#target(request, this.router.route(request, undefined));
    target?.resolve((hop) => {
      if (hop === undefined || hop.inner) return;
      hop.flow.send(this.egress.compose(request, hop, target.onward, INNER_ORIGIN, newBranch()));
    });
  }

  /** RFC 3261 §9.2: the CANCEL is answered by itself, the INVITE by what its branches then say. */
  #cancel(upstream: InnerUpstream, branch: string): void {
    const invite = this.#invites.peek(branch);
    if (invite === undefined) {
      upstream.refuse('noDialog');
      return;
    }
    upstream.fail(200, 'OK');
    if (invite !== 'answered') invite.cancel?.(reasonLines(upstream.request));
  }
}
