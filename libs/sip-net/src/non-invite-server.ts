import type { SipRequest } from '@rollcall/sip';
import {
  type Flow,
  nonInviteServer,
  type NonInviteServerEvent,
  type NonInviteServerState,
  type OnCancel,
  type ServerTransaction,
  step,
} from '@rollcall/sip-transaction';

/** The runner's side of a server transaction. */
export interface NonInviteServerOwner {
  /** A final has been sent: from Trying or Proceeding to Completed. */
  onCompleted(transaction: NonInviteServerTransaction, message: string): void;
  /** The transaction is over and leaves nothing behind. */
  onTerminated(transaction: NonInviteServerTransaction): void;
}

/** RFC 4320 §4.1: the only provisional that a non-INVITE request may get. */
const TRYING = 100;
/** RFC 4320 §4.2: 408 is never sent to a non-INVITE request; the client's own timer F is as late. */
const REQUEST_TIMEOUT = 408;

/**
 * RFC 3261 §17.2.2. It lives from the request to its final answer; what Completed needs, the response and timer J,
 * is kept by the runner's ring without this object.
 */
export class NonInviteServerTransaction implements ServerTransaction {
  state: NonInviteServerState = 'Trying';
  onCancel?: OnCancel;
  #last: string | undefined;

  constructor(
    readonly request: SipRequest,
    readonly flow: Flow,
    /** Where responses go: the flow, or for a client without rport the port of its sent-by. */
    readonly replyFlow: Flow,
    readonly key: string,
    /** When the request came, ms. */
    readonly since: number,
    private readonly owner: NonInviteServerOwner,
  ) {}

  respond(status: number, message: string): void {
    if (this.state === 'Terminated' || (status > TRYING && status < 200)) return;
    if (status === REQUEST_TIMEOUT) {
      this.end();
      return;
    }
    this.apply(status < 200 ? 'provisional' : 'final', message);
  }

  respondStateless(message: string): void {
    if (this.state === 'Completed' || this.state === 'Terminated') return;
    this.replyFlow.send(message);
    this.end();
  }

  /** Ends without an answer: the client has given up, or the front stops. */
  end(): void {
    this.state = 'Terminated';
    this.owner.onTerminated(this);
  }

  apply(event: NonInviteServerEvent, message?: string): void {
    const { to, effects } = step(nonInviteServer, this.state, event);
    if (to !== undefined) this.state = to;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#last = message;
          this.#transmit();
          break;
        case 'resend':
          this.#transmit();
          break;
        case 'start': // timer J, the only timer of this machine
          this.owner.onCompleted(this, this.#last ?? '');
          break;
        default: // 'transport': a response has no other way to go (RFC 6026 §8.8), the client sends again or gives up
          break;
      }
    }
  }

  #transmit(): void {
    if (this.#last !== undefined && !this.replyFlow.send(this.#last)) this.apply('transportError');
  }
}
