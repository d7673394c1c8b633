import type { SipResponse } from '@rollcall/sip';
import {
  type ClientTransaction as ClientTransactionPort,
  type ClientTransactionUser,
  type Effect,
  type Flow,
  timersFor,
  type TransactionTimers,
  type Transition,
} from '@rollcall/sip-transaction';
import { callUser, type RunnerContext } from './runner-context.ts';
import { type FlowDependant, StreamFlow } from './stream-flow.ts';
import type { WheelTimer, WheelUser } from './timer-wheel.ts';

export interface ClientOwner {
  onClientTerminated(transaction: ClientTransaction): void;
  /** Has its final answer, which may come again for so many ms. */
  onClientAnswered(transaction: ClientTransaction, ms: number): void;
  /** Sends the CANCEL of an INVITE in a transaction of its own. */
  startCancel(flow: Flow, branch: string, message: string): void;
}

const NOBODY: ClientTransactionUser = { onResponse: () => undefined, onFailure: () => undefined };

/**
 * What both client machines have in common: the request on a flow, timers, and the effects of the tables. Most of its life, up to
 * 32 s, it has its final answer and waits for the answer to come again: what only the time before needs is let go then.
 */
export abstract class ClientTransaction implements ClientTransactionPort, WheelUser, FlowDependant {
  /** The request; empty once it has its final answer. */
  protected message: string;
  #user: ClientTransactionUser;
  /** Few at a time, so never pushed: an array that is pushed to takes room for 17. */
  #timers: WheelTimer[] = [];
  #interval = 0;
  #told = false;
  readonly #times: TransactionTimers;

  constructor(
    readonly key: string,
    readonly flow: Flow,
    message: string,
    user: ClientTransactionUser,
    protected readonly owner: ClientOwner,
    protected readonly context: RunnerContext,
  ) {
    this.message = message;
    this.#user = user;
    this.#times = timersFor(flow.transport);
    if (flow instanceof StreamFlow) flow.dependants.add(this);
  }

  abstract readonly terminated: boolean;
  abstract begin(): void;
  abstract cancel(headers?: string): void;
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
        if (response !== undefined && response.status !== 100) {
          callUser(this.context, () => {
            this.#user.onResponse(response);
          });
        }
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
    callUser(this.context, () => {
      this.#user.onFailure(reason);
    });
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
    const timer = this.context.wheel.start(ms, this.context.clock.now(), this, name);
    // Not pushed: that would reserve room for 17, in each transaction that waits out its 32 s.
    this.#timers = this.#timers.length === 0 ? [timer] : [...this.#timers, timer];
  }

  protected forgetTimer(name: string): void {
    this.#timers = this.#timers.filter(({ what }) => what !== name);
  }

  /** A final has come: no timer of before has anything to do in the states that follow. */
  protected stopTimers(): void {
    for (const timer of this.#timers) this.context.wheel.stop(timer);
    this.#timers = [];
  }

  /** The final has been passed on: no request is sent any more, and `heard` says whether the user hears of more (RFC 6026 §8.4). */
  protected settle(heard: boolean): void {
    this.message = '';
    if (!heard) this.#user = NOBODY;
  }

  protected terminate(): void {
    this.stopTimers();
    if (this.flow instanceof StreamFlow) this.flow.dependants.delete(this);
    this.owner.onClientTerminated(this);
  }
}
