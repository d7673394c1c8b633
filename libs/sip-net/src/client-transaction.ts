import { parseMessage, type SipResponse } from '@rollcall/sip';
import {
  ackFor,
  cancelFor,
  type ClientTransaction as ClientTransactionPort,
  type ClientTransactionUser,
  type Effect,
  type Flow,
  inviteClient,
  type InviteClientEvent,
  type InviteClientState,
  nonInviteClient,
  type NonInviteClientEvent,
  type NonInviteClientState,
  step,
  timersFor,
  type TransactionTimers,
  type Transition,
} from '@rollcall/sip-transaction';
import type { RunnerContext } from './runner-context.ts';
import { type FlowDependant, StreamFlow } from './stream-flow.ts';
import type { WheelTimer, WheelUser } from './timer-wheel.ts';

export interface ClientOwner {
  onClientTerminated(transaction: ClientTransaction): void;
  /** Sends the CANCEL of an INVITE in a transaction of its own. */
  startCancel(invite: ClientTransaction, message: string): void;
}

/** What both client machines have in common: the request on a flow, timers, and the effects of the tables. */
export abstract class ClientTransaction implements ClientTransactionPort, WheelUser, FlowDependant {
  protected last: SipResponse | undefined;
  readonly #timers = new Map<string, WheelTimer>();
  #interval = 0;
  #told = false;
  readonly #times: TransactionTimers;

  constructor(
    readonly key: string,
    readonly branch: string,
    readonly flow: Flow,
    readonly message: string,
    private readonly user: ClientTransactionUser,
    protected readonly owner: ClientOwner,
    protected readonly context: RunnerContext,
  ) {
    this.#times = timersFor(flow.transport);
    if (flow instanceof StreamFlow) flow.dependants.add(this);
  }

  abstract readonly terminated: boolean;
  abstract begin(): void;
  abstract cancel(): void;
  abstract onFlowClosed(): void;
  abstract onTimer(what: string): void;
  abstract receive(response: SipResponse): void;
  protected abstract transportError(): void;
  protected abstract fire(what: string): void;

  /** Ends without a word to the user: the front stops. */
  end(): void {
    this.#told = true;
    this.terminate();
  }

  protected carryOut(transition: Transition<string>, response?: SipResponse): void {
    for (const effect of transition.effects) {
      if (this.terminated && effect.kind !== 'timeout' && effect.kind !== 'transport') break;
      this.#carryOut(effect, response);
    }
    if (this.terminated) this.terminate();
  }

  #carryOut(effect: Effect, response: SipResponse | undefined): void {
    switch (effect.kind) {
      case 'send':
        if (!this.flow.send(this.message)) this.deferTransportError();
        break;
      case 'ack':
        if (response !== undefined) this.acknowledge(response);
        break;
      case 'pass':
        // RFC 3261 §16.7 step 4: a 100 is not for the user.
        if (response !== undefined && response.status !== 100) this.user.onResponse(response);
        break;
      case 'start':
        this.start(`timer${effect.timer}`, this.#times.first(effect.timer));
        break;
      case 'again':
        this.start(`timer${effect.timer}`, this.#times.next(effect.timer, this.#interval));
        break;
      case 'slow':
        this.start(`timer${effect.timer}`, this.#times.slow);
        break;
      case 'timeout':
      case 'transport':
        this.fail(effect.kind);
        break;
      default: // 'resend', 'trying': rows of the server machines only
        break;
    }
  }

  protected acknowledge(_response: SipResponse): void {
    // Only INVITE has an ACK.
  }

  protected fail(reason: 'timeout' | 'transport'): void {
    if (this.#told) return;
    this.#told = true;
    if (reason === 'timeout') this.context.counters.clientTimeouts += 1;
    this.user.onFailure(reason);
  }

  /** Not at once: the user must not hear of a failure before `request` has returned. */
  protected deferTransportError(): void {
    queueMicrotask(() => {
      if (!this.terminated) this.transportError();
    });
  }

  protected start(name: string, ms: number | undefined): void {
    if (ms === undefined) return;
    if (name === 'timerA' || name === 'timerE') this.#interval = ms;
    if (ms === 0) {
      this.fire(name);
      return;
    }
    this.#timers.set(name, this.context.wheel.start(ms, this.context.clock.now(), this, name));
  }

  protected forgetTimer(name: string): void {
    this.#timers.delete(name);
  }

  protected terminate(): void {
    for (const timer of this.#timers.values()) this.context.wheel.stop(timer);
    this.#timers.clear();
    if (this.flow instanceof StreamFlow) this.flow.dependants.delete(this);
    this.owner.onClientTerminated(this);
  }
}

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

  protected override transportError(): void {
    this.#apply('transportError');
  }

  #apply(event: NonInviteClientEvent, response?: SipResponse): void {
    if (this.state === 'Terminated') return;
    const transition = step(nonInviteClient, this.state, event);
    if (transition.to !== undefined) this.state = transition.to;
    this.carryOut(transition, response);
  }
}

/** RFC 3261 §9.1: an INVITE whose CANCEL has brought no final in 64*T1 is over. */
const AFTER_CANCEL = 'afterCancel';

/** RFC 3261 §17.1.1 with RFC 6026. */
export class InviteClientTransaction extends ClientTransaction {
  state: InviteClientState = 'Calling';
  #cancel: 'no' | 'wanted' | 'sent' = 'no';

  get terminated(): boolean {
    return this.state === 'Terminated';
  }

  begin(): void {
    this.carryOut(inviteClient.begin);
  }

  /** §9.1: no CANCEL before a provisional has come; none after a final. */
  cancel(): void {
    if (this.#cancel !== 'no') return;
    this.#cancel = 'wanted';
    if (this.state === 'Proceeding') this.#sendCancel();
  }

  receive(response: SipResponse): void {
    this.last = response;
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
    const invite = parseMessage(this.message);
    if (!invite.ok || invite.value.kind !== 'request') return;
    const ack = ackFor(invite.value, response);
    if (!ack.ok) return;
    if (!this.flow.send(ack.value)) this.deferTransportError();
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

  #sendCancel(): void {
    this.#cancel = 'sent';
    const invite = parseMessage(this.message);
    if (!invite.ok || invite.value.kind !== 'request') return;
    const message = cancelFor(invite.value);
    if (!message.ok) return;
    this.owner.startCancel(this, message.value);
    this.start(AFTER_CANCEL, timersFor(this.flow.transport).first('B'));
  }

  #apply(event: InviteClientEvent, response?: SipResponse): void {
    if (this.state === 'Terminated') return;
    const transition = step(inviteClient, this.state, event);
    if (transition.to !== undefined) this.state = transition.to;
    this.carryOut(transition, response);
  }
}
