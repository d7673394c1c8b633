import type { SipRequest } from '@rollcall/sip';
import type { Flow, OnCancel, ServerTransaction } from '@rollcall/sip-transaction';
import type { Leg } from './legs.ts';

/** Hands on what the core answers. */
export type Answer = (request: PhoneRequest, status: number, message: string) => void;

const NOBODY = (): void => undefined;

/** A request of a phone that the core has not finally answered yet. */
export class PhoneRequest implements ServerTransaction {
  #final = false;
  #onCancel: OnCancel | undefined;
  /** Reason of a CANCEL of which nobody has been told yet. */
  #cancelled: string | undefined;

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
    return this.#onCancel ?? NOBODY;
  }

  set onCancel(act: OnCancel) {
    this.#onCancel = act;
    if (this.#cancelled !== undefined) this.cancelled(this.#cancelled);
  }

  /** The server has answered the INVITE with 487 itself: what the core says now is for nobody. */
  cancelled(reason: string): void {
    const act = this.#onCancel;
    this.#onCancel = undefined;
    this.#cancelled = act === undefined ? reason : undefined;
    act?.(reason);
  }
}
