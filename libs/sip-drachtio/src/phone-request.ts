import type { SipRequest } from '@rollcall/sip';
import { CancelNotice } from '@rollcall/sip-transaction';
import type { Flow, OnCancel, ServerTransaction } from '@rollcall/sip-transaction';
import type { Leg } from './legs.ts';

/** Hands on what the core answers. */
export type Answer = (request: PhoneRequest, status: number, message: string) => void;

/** A request of a phone that the core has not finally answered yet. */
export class PhoneRequest implements ServerTransaction {
  #final = false;
  readonly #cancel = new CancelNotice();

  constructor(
    readonly request: SipRequest,
    readonly flow: Flow,
    readonly transactionId: string,
    /** The dialog that it came in. */
    readonly leg: Leg | undefined,
    private readonly answer: Answer,
  ) {}

  respond(status: number, message: string): void {
    if (this.#final) return;
    this.#final = status >= 200;
    this.answer(this, status, message);
  }

  respondStateless(message: string): void {
    // "SIP/2.0 401 …"
    this.respond(Number(message.slice(8, 11)), message);
  }

  get onCancel(): OnCancel {
    return this.#cancel.listener;
  }

  set onCancel(act: OnCancel) {
    this.#cancel.listener = act;
  }

  /** The server has answered the INVITE with 487 itself: what the core says now is for nobody. */
  cancelled(reason: string): void {
    this.#cancel.arrived(reason);
  }
}
