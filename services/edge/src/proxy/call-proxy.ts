import type { Timers } from '@rollcall/kernel';
import { canonicalAor } from '@rollcall/location';
import type { Aor, LocationReader, StoreClock, User } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Flow, ServerTransaction } from '@rollcall/sip-transaction';
import type { Authenticator, OnIdentity } from '../authenticate.ts';
import type { DomainTable } from '../domain-table.ts';
import type { FlowNames } from '../flow-names.ts';
import { fromRealm, realmOf } from '../forward-event.ts';
import { newBranch, viaWithSource } from '../hop.ts';
import type { EdgeLog } from '../ports.ts';
import type { Replies } from '../reply.ts';
import type { Router, Routing } from '../routing.ts';
import type { Egress, Origin } from './egress.ts';
import { isOutOfDialog } from './egress.ts';
import { hasLooped, loopMark } from './loop.ts';
import { ResponseContext } from './response-context.ts';
import type { Target } from './response-context.ts';
import { groupByQ, targetOf } from './targets.ts';
import { OuterUpstream } from './upstream.ts';

export interface CallProxyDeps {
  readonly domains: DomainTable;
  readonly authenticator: Authenticator;
  readonly router: Router;
  readonly names: FlowNames;
  readonly egress: Egress;
  readonly replies: Replies;
  readonly location: LocationReader;
  readonly storeClock: StoreClock;
  /** Whether there is such a user at all. Throws when the store is away. */
  readonly findUser: (aor: Aor) => Promise<User | undefined>;
  readonly timers: Timers;
  readonly log: EdgeLog;
}

/** Who sends; empty for a request inside a dialog, whose route says that it was let in. */
const NO_IDENTITY = '';

/**
 * Calls, messages and all other requests of phones to phones (RFC 3261 §16): proved first, then to the bindings of the AoR,
 * or along the route of a dialog that we are in.
 */
export class CallProxy {
  readonly #proved: OnIdentity;

  constructor(private readonly deps: CallProxyDeps) {
    this.#proved = (transaction, { identity }) => {
      this.#route(transaction, identity);
    };
  }

  handle(transaction: ServerTransaction): void {
    const { deps } = this;
    const { request, flow } = transaction;
    if (hasLooped(request, loopMark(request))) {
      deps.replies.refuse(transaction, 'loop');
      return;
    }
    const routing = deps.router.route(request, flow);
    if (routing.kind === 'malformed') {
      deps.replies.refuse(transaction, 'badRoute');
      return;
    }
    if (routing.kind === 'elsewhere') {
      deps.replies.refuse(transaction, this.#isOurs(request) ? 'foreignRoute' : 'foreignTarget');
      return;
    }
    // Inside a dialog a token of ours in the route says that its first request was proved and accepted.
    if (routing.kind === 'flow' && !isOutOfDialog(request)) {
      this.#toFlow(transaction, routing, NO_IDENTITY);
      return;
    }
    const realm = realmOf(transaction, deps.domains);
    if (realm === undefined)
      deps.replies.refuse(transaction, deps.domains.ready ? 'foreignTarget' : 'storeAway');
    else deps.authenticator.authenticate(transaction, realm, 'proxy', this.#proved);
  }

  /** An ACK to a 2xx has no transaction: it follows the route of its dialog (RFC 3261 §13.2.2.4, §16.6), or goes nowhere. */
  acknowledge(request: SipRequest, flow: Flow): void {
    const routing = this.deps.router.route(request, flow);
    if (routing.kind !== 'flow') return;
    const { egress } = this.deps;
    const origin: Origin = { flow, topVia: viaWithSource(request, flow), identity: NO_IDENTITY };
    egress.resolve(routing.ref, (hop) => {
      if (hop !== undefined) hop.flow.send(egress.compose(request, hop, routing, origin, newBranch()));
    });
  }

  #route(transaction: ServerTransaction, identity: string): void {
    const routing = this.deps.router.route(transaction.request, transaction.flow);
    if (routing.kind === 'flow') this.#toFlow(transaction, routing, identity);
    else this.#toAor(transaction, identity);
  }

  #toFlow(transaction: ServerTransaction, routing: Routing & { kind: 'flow' }, identity: string): void {
    const { egress, replies } = this.deps;
    egress.resolve(routing.ref, (hop) => {
      if (hop === undefined) {
        replies.refuseStateful(transaction, 'flowFailed');
        return;
      }
      const upstream = new OuterUpstream(transaction, replies, identity);
      this.#start(upstream, [
        [
          {
            onward: routing,
            resolve: (done) => {
              done(hop);
            },
          },
        ],
      ]);
    });
  }

  #isOurs(request: SipRequest): boolean {
    const uri = request.uri();
    return uri.ok && uri.value.kind === 'sip' && this.deps.domains.get(uri.value.host) !== undefined;
  }

  #toAor(transaction: ServerTransaction, identity: string): void {
    const { domains, replies } = this.deps;
    const uri = transaction.request.uri();
    if (!uri.ok || uri.value.kind === 'other') {
      replies.refuse(transaction, 'badUri');
      return;
    }
    const domain = uri.value.kind === 'sip' ? domains.get(uri.value.host) : undefined;
    const realm = fromRealm(transaction, domains);
    if (domain === undefined && (uri.value.kind === 'sip' || realm === undefined)) {
      replies.refuse(transaction, 'foreignTarget');
      return;
    }
    const telDomain = uri.value.kind === 'tel' ? realm : undefined;
    const aor = canonicalAor(uri.value, {
      domainAliases: domains.aliases,
      ...(telDomain === undefined ? undefined : { telDomain }),
    });
    if (!aor.ok) {
      replies.refuse(transaction, 'notFound');
      return;
    }
    this.#fork(transaction, aor.value, identity).catch((error: unknown) => {
      this.deps.log.warn({ error: String(error) }, 'a request could not be proxied');
      replies.refuseStateful(transaction, 'storeAway');
    });
  }

  /** RFC 3261 §16.5: 404 for what does not exist, 480 for whom nobody has registered. */
  async #fork(transaction: ServerTransaction, aor: Aor, identity: string): Promise<void> {
    const { location, storeClock, findUser, replies, names, egress } = this.deps;
    const caller = { gone: false };
    transaction.onCancel = () => {
      caller.gone = true;
    };
    const { bindings } = await location.read(aor);
    const groups: Target[][] = [];
    for (const group of groupByQ(bindings, storeClock.now())) {
      const targets = group
        .map((binding) => targetOf(binding, names, egress))
        .filter((target) => target !== undefined);
      if (targets.length > 0) groups.push(targets);
    }
    const known = groups.length > 0 || (await findUser(aor)) !== undefined;
    const upstream = new OuterUpstream(transaction, replies, identity);
    if (caller.gone) upstream.fail(487, 'Request Terminated');
    else if (groups.length > 0) this.#start(upstream, groups);
    else upstream.refuse(known ? 'nobodyRegistered' : 'notFound');
  }

  #start(upstream: OuterUpstream, groups: Target[][]): void {
    const { egress, timers } = this.deps;
    new ResponseContext({ egress, timers, loopMark: loopMark(upstream.request) }, upstream, groups).start();
  }
}
