import { sipOfPres } from '@rollcall/sip';
import type { Uri } from '@rollcall/sip';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import type { Authenticator, OnIdentity } from './authenticate.ts';
import type { DomainTable } from './domain-table.ts';
import type { FlowNames } from './flow-names.ts';
import type { InnerForwarder } from './forward.ts';
import type { OwnAddresses } from './own-addresses.ts';
import type { Replies } from './reply.ts';
import type { SubscribeOrder } from './subscribe-order.ts';

/**
 * SUBSCRIBE (RFC 6665) and PUBLISH (RFC 3903): the edge proves who asks, puts itself on the route of the dialog with the flow's
 * name, and hands on to presence.
 */
export class EventForwarder {
  readonly #proved: OnIdentity;

  constructor(
    private readonly domains: DomainTable,
    private readonly own: OwnAddresses,
    private readonly authenticator: Authenticator,
    private readonly names: FlowNames,
    private readonly presence: InnerForwarder,
    private readonly replies: Replies,
    private readonly order: SubscribeOrder,
  ) {
    this.#proved = (transaction, { identity }) => {
      const { request, flow } = transaction;
      const subscribes = request.method === 'SUBSCRIBE';
      const recordRoute = subscribes ? this.names.recordRoute(flow, request.requestUri) : '';
      const callId = subscribes ? request.header('call-id') : undefined;
      const ended = callId === undefined ? undefined : this.order.begin(callId);
      this.presence.forward(transaction, { key: request.requestUri, lines: recordRoute + identity, ended });
    };
  }

  /**
   * True for what presence answers: a resource of a domain of ours, or a dialog whose remote target is our own address because
   * presence has put it into its Contact.
   */
  serves(transaction: ServerTransaction): boolean {
    const uri = resourceOf(transaction);
    if (uri?.kind !== 'sip') return false;
    return this.domains.get(uri.host) !== undefined || this.own.has(uri);
  }

  handle(transaction: ServerTransaction): void {
    const realm = realmOf(transaction, this.domains);
    if (realm === undefined)
      this.replies.refuse(transaction, this.domains.ready ? 'foreignTarget' : 'storeAway');
    else this.authenticator.authenticate(transaction, realm, 'user', this.#proved);
  }
}

/**
 * The realm a client is challenged for: that of the domain it says it is from, because it has credentials there, else that of
 * the domain it writes to.
 */
export function realmOf(transaction: ServerTransaction, domains: DomainTable): string | undefined {
  const realm = fromRealm(transaction, domains);
  if (realm !== undefined) return realm;
  const uri = resourceOf(transaction);
  return uri?.kind === 'sip' ? domains.get(uri.host)?.realm : undefined;
}

/** What the Request-URI names; presence of `pres:` is that of `sip:` (RFC 3856 §4). */
function resourceOf({ request }: ServerTransaction): Uri | undefined {
  const uri = request.uri();
  return uri.ok ? sipOfPres(uri.value) : undefined;
}

/** The realm of the domain in From, when that is one of ours. */
export function fromRealm(transaction: ServerTransaction, domains: DomainTable): string | undefined {
  const from = transaction.request.from();
  const uri = from.ok ? sipOfPres(from.value.uri) : undefined;
  return uri?.kind === 'sip' ? domains.get(uri.host)?.realm : undefined;
}
