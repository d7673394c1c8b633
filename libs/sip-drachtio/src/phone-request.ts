import type { SipRequest } from '@rollcall/sip';
import type { Flow, ServerTransaction } from '@rollcall/sip-transaction';
import type { Leg } from './legs.ts';

/** Hands on what the core answers. */
export type Answer = (request: PhoneRequest, status: number, message: string) => void;

/** A request of a phone that the core has not finally answered yet. */
export class PhoneRequest implements ServerTransaction {
  onCancel?: () => void;
  #final = false;

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

  cancelled(): void {
    // The server has answered the INVITE with 487 itself: what the core says now is for nobody.
    const { onCancel } = this;
    this.onCancel = () => undefined;
    onCancel?.();
  }
}
