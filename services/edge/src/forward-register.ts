import { canonicalAor } from '@rollcall/location';
import type { Aor, User } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Flow, ServerTransaction } from '@rollcall/sip-transaction';
import type { Authenticator, OnIdentity } from './authenticate.ts';
import type { DomainTable } from './domain-table.ts';
import type { FlowNames } from './flow-names.ts';
import type { InnerForwarder } from './forward.ts';
import type { Registered, RegisterListener } from './register-listeners.ts';
import type { Replies } from './reply.ts';
import type { Router } from './routing.ts';
import { shortened } from './short-expiry.ts';
import type { TrustedPeers } from './trusted-peers.ts';

/**
 * REGISTER (RFC 3261 §10): the edge proves who asks, adds the flow as Path (RFC 3327 §5.2, RFC 5626 §5.1) and hands on. Whether
 * this identity may register that AoR, and everything else, is the registrar's.
 */
export class RegisterForwarder {
  readonly #proved: OnIdentity;
  /** Set while the edge drains: what a device gets at most, seconds, so that it soon comes back through another edge. */
  longest: number | undefined;

  constructor(
    private readonly domains: DomainTable,
    private readonly authenticator: Authenticator,
    private readonly router: Router,
    private readonly names: FlowNames,
    private readonly trusted: TrustedPeers,
    private readonly registrar: InnerForwarder,
    private readonly replies: Replies,
    private readonly listeners: readonly RegisterListener[],
  ) {
    this.#proved = (transaction, { user, identity, policy }) => {
      if (user === undefined) return;
      const { request, flow } = transaction;
      const name = this.names.of(flow);
      const path = isFirstHop(request) ? name.path : name.pathBehind;
      const lines = path + identity + policy;
      const keepsPath = request.has('path') && this.trusted.trusts(flow);
      // A datagram flow has nothing that could be closed, and nothing is to be told of it.
      const watched = flow.expectKeepAlive !== undefined;
      if (this.longest === undefined && this.listeners.length === 0 && !watched) {
        this.registrar.forward(transaction, { key: user.aor, lines, keepsPath });
        return;
      }
      this.registrar.forward(transaction, {
        key: user.aor,
        lines,
        keepsPath,
        ...this.#shortened(transaction),
        settled: (status, answer) => {
          if (status !== 200) return;
          if (watched) expectKeepAlive(flow, answer);
          this.#tell(transaction, user, path, answer);
        },
      });
    };
  }

  #shortened({ request }: ServerTransaction): { contacts?: string } {
    if (this.longest === undefined) return {};
    const uri = request.uri();
    const domain = uri.ok && uri.value.kind === 'sip' ? this.domains.get(uri.value.host) : undefined;
    const contacts = shortened(request, Math.max(this.longest, domain?.minExpires ?? 0));
    return contacts === undefined ? {} : { contacts };
  }

  /** Bindings stand under the user's own AoR, also when it is an alias that was registered. */
  #tell({ request, flow }: ServerTransaction, user: User, path: string, answer: string): void {
    if (this.listeners.length === 0) return;
    const to = request.to();
    const named = to.ok ? canonicalAor(to.value.uri, { domainAliases: this.domains.aliases }) : undefined;
    if (named?.ok !== true) return;
    const aor: Aor = user.aliases?.includes(named.value) === true ? user.aor : named.value;
    const registered: Registered = { request, flow, path: path.slice('Path: '.length, -2), aor, answer };
    for (const listener of this.listeners) listener(registered);
  }

  handle(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    const uri = request.uri();
    if (!uri.ok || uri.value.kind !== 'sip') {
      this.replies.refuse(transaction, uri.ok ? 'foreignScheme' : 'badUri');
      return;
    }
    const domain = this.domains.get(uri.value.host);
    if (domain === undefined) {
      this.replies.refuse(transaction, this.domains.ready ? 'foreignDomain' : 'storeAway');
      return;
    }
    if (request.has('route')) {
      const routing = this.router.route(request, flow);
      if (routing.kind !== 'here') {
        this.replies.refuse(transaction, routing.kind === 'malformed' ? 'badRoute' : 'foreignRoute');
        return;
      }
    }
    this.authenticator.authenticate(transaction, domain.realm, 'user', this.#proved);
  }
}

/** RFC 5626 §5.1: the first hop behind the phone is the one that sees a single Via. */
const isFirstHop = (request: SipRequest): boolean => {
  const vias = request.headers('via');
  return vias.length === 1 && vias[0]?.includes(',') === false;
};

/** "The server MUST wait for an amount of time larger than the Flow-Timer" (RFC 5626 §5.4). */
const GRACE_MS = 15_000;
const FLOW_TIMER = '\r\nFlow-Timer: ';

/** A device that was told a Flow-Timer has promised to keep its flow alive. */
function expectKeepAlive(flow: Flow, answer: string): void {
  const at = answer.indexOf(FLOW_TIMER);
  if (at < 0) return;
  const seconds = parseInt(answer.slice(at + FLOW_TIMER.length), 10);
  if (seconds > 0) flow.expectKeepAlive?.(seconds * 1_000 + GRACE_MS);
}
