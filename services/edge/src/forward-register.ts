import type { ServerTransaction } from '@rollcall/sip-transaction';
import type { Authenticator, OnIdentity } from './authenticate.ts';
import type { DomainTable } from './domain-table.ts';
import type { FlowNames } from './flow-names.ts';
import type { InnerForwarder } from './forward.ts';
import type { Replies } from './reply.ts';
import type { Router } from './routing.ts';

/**
 * REGISTER (RFC 3261 §10): the edge proves who asks, adds the flow as Path (RFC 3327 §5.2, RFC 5626 §5.1) and hands on. Whether
 * this identity may register that AoR, and everything else, is the registrar's.
 */
export class RegisterForwarder {
  readonly #proved: OnIdentity;

  constructor(
    private readonly domains: DomainTable,
    private readonly authenticator: Authenticator,
    private readonly router: Router,
    private readonly names: FlowNames,
    private readonly registrar: InnerForwarder,
    private readonly replies: Replies,
  ) {
    this.#proved = (transaction, { user, identity }) => {
      if (user === undefined) return;
      this.registrar.forward(transaction, {
        key: user.aor,
        lines: this.names.of(transaction.flow).path + identity,
      });
    };
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
