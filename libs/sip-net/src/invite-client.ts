import { parseMessage, type SipResponse } from '@rollcall/sip';
import {
  ackFor,
  cancelFor,
  inviteClient,
  type InviteClientEvent,
  type InviteClientState,
  step,
  timersFor,
} from '@rollcall/sip-transaction';
import { ClientTransaction } from './client-transaction.ts';

/** RFC 3261 §9.1: an INVITE whose CANCEL has brought no final in 64*T1 is over. */
const AFTER_CANCEL = 'afterCancel';

/** RFC 3261 §17.1.1 with RFC 6026. */
export class InviteClientTransaction extends ClientTransaction {
  state: InviteClientState = 'Calling';
  #cancel: 'no' | 'wanted' | 'sent' = 'no';
  #cancelHeaders = '';
  /** Completed: sent once more for each final that comes again. */
  #ack = '';

  get terminated(): boolean {
    return this.state === 'Terminated';
  }

  begin(): void {
    this.carryOut(inviteClient.begin);
  }

  /** §9.1: no CANCEL before a provisional has come; none after a final. */
  cancel(headers = ''): void {
    if (this.#cancel !== 'no') return;
    this.#cancel = 'wanted';
    this.#cancelHeaders = headers;
    if (this.state === 'Proceeding') this.#sendCancel();
  }

  receive(response: SipResponse): void {
    this.#apply(
      response.status < 200 ? 'provisional' : response.status < 300 ? 'success' : 'failure',
      response,
    );
    if (this.#cancel === 'wanted' && this.state === 'Proceeding') this.#sendCancel();
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

  protected override acknowledge(response: SipResponse): void {
    if (this.#ack === '') this.#ack = this.#composeAck(response);
    if (this.#ack !== '' && !this.flow.send(this.#ack)) this.deferTransportError();
  }

  protected override fire(what: string): void {
    if (what === AFTER_CANCEL) {
      if (this.state !== 'Proceeding') return;
      this.state = 'Terminated';
      this.fail('timeout');
      this.terminate();
      return;
    }
    this.#apply(what as InviteClientEvent);
  }

  protected override transportError(): void {
    this.#apply('transportError');
  }

  #composeAck(response: SipResponse): string {
    const invite = parseMessage(this.message);
    const ack = invite.ok && invite.value.kind === 'request' ? ackFor(invite.value, response) : undefined;
    return ack?.ok === true ? ack.value : '';
  }

  #sendCancel(): void {
    this.#cancel = 'sent';
    const invite = parseMessage(this.message);
    if (!invite.ok || invite.value.kind !== 'request') return;
    const message = cancelFor(invite.value, this.#cancelHeaders);
    const via = invite.value.topVia();
    if (!message.ok || !via.ok) return;
    this.owner.startCancel(this.flow, via.value.branch ?? '', message.value);
    this.start(AFTER_CANCEL, timersFor(this.flow.transport).first('B'));
  }

  #apply(event: InviteClientEvent, response?: SipResponse): void {
    if (this.state === 'Terminated') return;
    const transition = step(inviteClient, this.state, event);
    if (transition.to !== undefined) this.state = transition.to;
    const final = transition.to === 'Completed' || transition.to === 'Accepted';
    if (final) this.stopTimers();
    this.carryOut(transition, response);
    if (final) this.settle(transition.to === 'Accepted');
  }
}
