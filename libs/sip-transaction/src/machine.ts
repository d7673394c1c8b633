/**
 * A state machine is a table: state → event → transition. Ten lines interpret it, its effects come back as
 * values, and the diagrams of the documentation are printed from the same rows. An event that a state does
 * not list is an error of the program (`UnexpectedEvent`), never ignored by accident: what a state is to
 * ignore stands in its row as `stay()`.
 */

/** The timers of RFC 3261 table 4 and RFC 6026 §8.11. */
export type TimerName = 'A' | 'B' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J' | 'K' | 'L' | 'M';

/** What the owner of a transaction has to do; in the order of the list. */
export type Effect =
  /** Hands a message to the transport: the request (client), or the response just given by the user (server). */
  | { readonly kind: 'send' }
  /** Hands the last message to the transport once more. Nothing when there is none yet. */
  | { readonly kind: 'resend' }
  /** INVITE server: answers 100 (Trying). */
  | { readonly kind: 'trying' }
  /** Hands what has come in (a response, an ACK) to the transaction user. */
  | { readonly kind: 'pass' }
  /** INVITE client: sends the ACK to a non-2xx final (RFC 3261 §17.1.1.3). */
  | { readonly kind: 'ack' }
  /** Tells the user that no answer came in time (timers B, F, H). */
  | { readonly kind: 'timeout' }
  /** Tells the user that the transport has failed (§17.1.4, §17.2.4). */
  | { readonly kind: 'transport' }
  /** Starts a timer at its first value. */
  | { readonly kind: 'start'; readonly timer: TimerName }
  /** Starts a retransmission timer again at twice its last value, as far as it may grow. */
  | { readonly kind: 'again'; readonly timer: TimerName }
  /** Starts a retransmission timer at T2 (timer E in Proceeding, §17.1.2.2). */
  | { readonly kind: 'slow'; readonly timer: TimerName };

export interface Transition<S extends string> {
  /** Undefined: the state does not change. */
  readonly to: S | undefined;
  readonly effects: readonly Effect[];
}

export interface Machine<S extends string, E extends string> {
  /** As the RFC calls it, for example `INVITE client`. */
  readonly name: string;
  /** What makes the transaction, and how it begins. */
  readonly begin: { readonly on: string } & Transition<S>;
  readonly states: Readonly<Record<S, Readonly<Partial<Record<E, Transition<S>>>>>>;
}

export const send: Effect = { kind: 'send' };
export const resend: Effect = { kind: 'resend' };
export const trying: Effect = { kind: 'trying' };
export const pass: Effect = { kind: 'pass' };
export const ack: Effect = { kind: 'ack' };
export const tellTimeout: Effect = { kind: 'timeout' };
export const tellTransport: Effect = { kind: 'transport' };
export const start = (timer: TimerName): Effect => ({ kind: 'start', timer });
export const again = (timer: TimerName): Effect => ({ kind: 'again', timer });
export const slow = (timer: TimerName): Effect => ({ kind: 'slow', timer });

/** Goes to another state. */
export const go = <S extends string>(to: S, ...effects: Effect[]): Transition<S> => ({ to, effects });
/** Stays; without effects the event is absorbed on purpose. */
export const stay = (...effects: Effect[]): Transition<never> => ({ to: undefined, effects });

/** A bug: the state's row does not list the event. */
export class UnexpectedEvent extends Error {
  constructor(machine: string, state: string, event: string) {
    super(`${machine} transaction: no row for event ${event} in state ${state}`);
    this.name = 'UnexpectedEvent';
  }
}

/** Looks up what an event does in a state. Throws `UnexpectedEvent` when the table has no such row. */
export function step<S extends string, E extends string>(
  machine: Machine<S, E>,
  state: S,
  event: E,
): Transition<S> {
  const transition = machine.states[state][event];
  if (transition === undefined) throw new UnexpectedEvent(machine.name, state, event);
  return transition;
}
