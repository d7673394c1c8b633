import type { SipRequest } from '@rollcall/sip';
import type { OnCancel, ServerTransaction } from '@rollcall/sip-transaction';
import { viaWithSource } from '../hop.ts';
import type { Replies } from '../reply.ts';
import type { RefusalName } from '../refusals.ts';
import { REFUSALS } from '../refusals.ts';
import type { Origin } from './egress.ts';

/** Where a proxied request came from and its answers go: a phone, or a service inside. */
export interface Upstream {
  readonly request: SipRequest;
  readonly origin: Origin;
  /** Passes on a whole response; after the first final only further 2xx to INVITE (RFC 3261 §16.7 step 5). */
  respond(status: number, message: string): void;
  refuse(name: RefusalName): void;
  /** Answers with a status of our own that is no refusal of the table. `headers`: whole lines that go with it. */
  fail(status: number, reason: string, headers?: string): void;
  /** Sets what happens when the client cancels. */
  onCancel(act: OnCancel): void;
}

/** A request of a phone. */
export class OuterUpstream implements Upstream {
  readonly request: SipRequest;
  readonly origin: Origin;
  /** Status of the first final answer; 0 while there is none. */
  #final = 0;

  constructor(
    private readonly transaction: ServerTransaction,
    private readonly replies: Replies,
    identity: string,
  ) {
    this.request = transaction.request;
    const { flow } = transaction;
    this.origin = { flow, topVia: viaWithSource(transaction.request, flow), identity };
  }

  respond(status: number, message: string): void {
    if (this.#final === 0) this.replies.send(this.transaction, status, message);
    // A further 2xx: the Accepted state of RFC 6026 §7.1 passes it, any other has to be passed beside the transaction.
    else if (this.#final < 300) this.transaction.respond(status, message);
    else this.transaction.flow.send(message);
    if (status >= 200 && this.#final === 0) this.#final = status;
  }

  /** `headers`: whole lines that go with it. */
  refuse(name: RefusalName, headers = ''): void {
    this.#final = REFUSALS[name].status;
    this.replies.refuseStateful(this.transaction, name, headers);
  }

  fail(status: number, reason: string, headers = ''): void {
    this.respond(status, this.replies.compose(this.transaction, status, reason, headers));
  }

  onCancel(act: OnCancel): void {
    this.transaction.onCancel = act;
  }
}
