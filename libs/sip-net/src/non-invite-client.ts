import type { SipResponse } from '@rollcall/sip';
import {
  nonInviteClient,
  type NonInviteClientEvent,
  type NonInviteClientState,
  step,
} from '@rollcall/sip-transaction';
import { ClientTransaction } from './client-transaction.ts';

/** RFC 3261 §17.1.2. */
export class NonInviteClientTransaction extends ClientTransaction {
  state: NonInviteClientState = 'Trying';

  get terminated(): boolean {
    return this.state === 'Terminated';
  }

  begin(): void {
    this.carryOut(nonInviteClient.begin);
  }

  cancel(): void {
    // §9.1: only INVITE is cancelled.
  }

  receive(response: SipResponse): void {
    this.#apply(response.status < 200 ? 'provisional' : 'final', response);
  }

  onTimer(what: string): void {
    this.forgetTimer(what);
    this.fire(what);
  }

  onFlowClosed(): void {
    if (!this.terminated) this.transportError();
  }

  override end(): void {
    this.state = 'Terminated';
    super.end();
  }

  protected override fire(what: string): void {
    this.#apply(what as NonInviteClientEvent);
  }

  /** Completed: nothing is left to do but to know the answer when it comes again. */
  protected override start(name: string, ms: number | undefined): void {
    if (name === 'timerK' && ms !== undefined && ms > 0) this.owner.onClientAnswered(this, ms);
    else super.start(name, ms);
  }

  protected override transportError(): void {
    this.#apply('transportError');
  }

  #apply(event: NonInviteClientEvent, response?: SipResponse): void {
    if (this.state === 'Terminated') return;
    const transition = step(nonInviteClient, this.state, event);
    if (transition.to !== undefined) this.state = transition.to;
    if (transition.to === 'Completed') this.stopTimers();
    this.carryOut(transition, response);
    if (transition.to === 'Completed') this.settle(false);
  }
}
