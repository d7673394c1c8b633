import type { Endpoint, TransportName } from '@rollcall/sip-transaction';

/** The way a message goes, as far as who looks on is told. */
export interface TappedFlow {
  readonly id: string;
  readonly transport: TransportName;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** What the outside is told of our end. */
  readonly advertised?: Endpoint;
}

/**
 * Looks on at whole messages as they come and go: retransmissions too, keep-alives not. It is called on the hot path and must
 * neither throw nor keep a string that it was given: on streams it is a slice, which keeps alive what it was cut from.
 */
export interface Tap {
  received(message: string, flow: TappedFlow): void;
  sent(message: string, flow: TappedFlow): void;
}

/** Where a tap is put in and taken out while messages flow; an empty one costs a comparison. */
export interface TapSlot {
  tap: Tap | undefined;
}

/** For those who want none. */
export const NO_TAP: Readonly<TapSlot> = { tap: undefined };
