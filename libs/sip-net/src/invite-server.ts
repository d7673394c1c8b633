import type { SipRequest } from '@rollcall/sip';
import {
  CancelNotice,
  type Effect,
  type Flow,
  inviteServer,
  type InviteServerEvent,
  type InviteServerState,
  type OnCancel,
  type ServerTransaction,
  step,
  timersFor,
  type TransactionTimers,
} from '@rollcall/sip-transaction';
import type { RunnerContext } from './runner-context.ts';
import type { WheelTimer, WheelUser } from './timer-wheel.ts';
import { answer } from './via-source.ts';

export interface InviteServerOwner {
  onInviteTerminated(transaction: InviteServerTransaction): void;
  /** Answered without state: only its ACK is still to be absorbed. */
  onInviteStateless(transaction: InviteServerTransaction): void;
}

/** RFC 3261 §17.2.1: within this time the user's own answer makes a 100 unnecessary. */
const TRYING_AFTER_MS = 200;

/** States in which no response is sent again. */
const SILENT: ReadonlySet<InviteServerState> = new Set<InviteServerState>(['Confirmed', 'Accepted']);

/** RFC 3261 §17.2.1 with RFC 6026. */
export class InviteServerTransaction implements ServerTransaction, WheelUser {
  state: InviteServerState = 'Proceeding';
  /** The last response, for as long as it may be sent again; the ACK of an RFC 2543 client is matched by its To tag. */
  #last: string | undefined;
  readonly #cancel = new CancelNotice();
  #intervalG = 0;
  /** Few at a time, so never pushed: an array that is pushed to takes room for 17. */
  #timers: WheelTimer[] = [];
  readonly #times: TransactionTimers;

  constructor(
    readonly request: SipRequest,
    readonly flow: Flow,
    readonly replyFlow: Flow,
    readonly key: string,
    /** Second key for the ACK of an RFC 2543 client (§17.2.3). */
    readonly legacyAckKey: string | undefined,
    private readonly owner: InviteServerOwner,
    private readonly context: RunnerContext,
  ) {
    this.#times = timersFor(flow.transport);
  }

  /** The last response sent, if any. */
  get lastResponse(): string | undefined {
    return this.#last;
  }

  get onCancel(): OnCancel {
    return this.#cancel.listener;
  }

  set onCancel(act: OnCancel) {
    this.#cancel.listener = act;
  }

  /** A CANCEL has come; what has its final answer is not ended by it (RFC 3261 §9.2). */
  cancelled(reason: string): void {
    if (this.state === 'Proceeding') this.#cancel.arrived(reason);
  }

  respond(status: number, message: string): void {
    if (this.state === 'Terminated') return;
    this.apply(status < 200 ? 'provisional' : status < 300 ? 'success' : 'failure', message);
  }

  respondStateless(message: string): void {
    if (this.state !== 'Proceeding') return;
    this.replyFlow.send(message);
    this.owner.onInviteStateless(this);
    this.#terminate();
  }

  /** The user has not answered in the same turn: it gets its 200 ms before the 100 goes out. */
  awaitAnswer(): void {
    if (this.state === 'Proceeding' && this.#last === undefined) this.#start('trying', TRYING_AFTER_MS);
  }

  /** True when the ACK was for the user (RFC 6026: to a 2xx). */
  acknowledge(): boolean {
    if (this.state === 'Terminated') return false;
    return this.apply('ack');
  }

  onTimer(what: string): void {
    this.#timers = this.#timers.filter((timer) => timer.what !== what);
    if (what !== 'trying') this.apply(what as InviteServerEvent);
    else if (this.state === 'Proceeding' && this.#last === undefined) {
      this.respond(100, answer(this.request, this.flow, 100));
    }
  }

  end(): void {
    this.#terminate();
  }

  /** Returns whether the table hands the event to the user. */
  apply(event: InviteServerEvent, message?: string): boolean {
    const { to, effects } = step(inviteServer, this.state, event);
    if (to !== undefined) {
      this.state = to;
      this.#stopTimers();
    }
    let passes = false;
    for (const effect of effects) passes = this.#carryOut(effect, message) || passes;
    if (this.state === 'Terminated') this.#terminate();
    else if (to !== undefined) this.#letGo();
    return passes;
  }

  /** It waits up to 32 s for what may come again: without what only the time before its final answer needs. */
  #letGo(): void {
    this.#cancel.letGo();
    if (SILENT.has(this.state) && this.legacyAckKey === undefined) this.#last = undefined;
  }

  #carryOut(effect: Effect, message: string | undefined): boolean {
    switch (effect.kind) {
      case 'send':
        this.#last = message;
        this.#transmit();
        return false;
      case 'resend':
        this.#transmit();
        return false;
      case 'start':
        this.#start(`timer${effect.timer}`, this.#times.first(effect.timer));
        return false;
      case 'again':
        this.#start(`timer${effect.timer}`, this.#times.next(effect.timer, this.#intervalG));
        return false;
      case 'pass':
        return true;
      default: // 'timeout' (no ACK came), 'transport': the user of a proxy has nothing to undo
        this.context.log.debug(
          { effect: effect.kind, call: this.request.header('call-id') },
          'INVITE transaction failed',
        );
        return false;
    }
  }

  #start(name: string, ms: number | undefined): void {
    if (ms === undefined) return;
    if (name === 'timerG') this.#intervalG = ms;
    if (ms === 0) {
      this.apply(name as InviteServerEvent);
      return;
    }
    const timer = this.context.wheel.start(ms, this.context.clock.now(), this, name);
    this.#timers = this.#timers.concat(timer);
  }

  /** The states of the table begin with the timers of their rows; those of before have nothing to do in them. */
  #stopTimers(): void {
    for (const timer of this.#timers) this.context.wheel.stop(timer);
    this.#timers = [];
  }

  #transmit(): void {
    if (this.#last !== undefined && !this.replyFlow.send(this.#last)) this.apply('transportError');
  }

  #terminate(): void {
    this.state = 'Terminated';
    this.#stopTimers();
    this.owner.onInviteTerminated(this);
  }
}
