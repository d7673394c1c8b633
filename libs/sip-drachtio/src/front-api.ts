import type { Flow, SipFront } from '@rollcall/sip-transaction';
import type { DrachtioFlow } from './flows.ts';
import type { LinkLog, LinkOptions } from './link.ts';

/** Looks on at whole messages, as the core sends and gets them; as `sip-net` has it. */
interface TapSlot {
  tap: { received(message: string, flow: Flow): void; sent(message: string, flow: Flow): void } | undefined;
}

export interface DrachtioFrontOptions extends Omit<LinkOptions, 'verbs' | 'log'> {
  readonly log: LinkLog;
  /** Who looks on at the messages, if anybody. */
  readonly tap?: TapSlot;
  /** Told of every address that the server listens on, each time that it has been connected to. */
  readonly onListeners: (listeners: SipFront['listeners']) => void;
}

export interface DrachtioSizes {
  /** Requests of phones without a final answer, requests to phones without one, dialogs, frames without a reply. */
  readonly pending: number;
  readonly clients: number;
  readonly dialogs: number;
  readonly frames: number;
}

/** The front with what else there is to see of it. */
export interface DrachtioFront extends SipFront {
  /** Whether the server is connected and takes what we send. */
  readonly up: boolean;
  readonly counters: Readonly<{
    requests: number;
    malformed: number;
    tooLarge: number;
    losses: number;
    orphans: number;
  }>;
  sizes(): DrachtioSizes;
  /** True for flows that this front has made. */
  owns(flow: Flow): flow is DrachtioFlow;
  /** Is given no new requests any more; what is under way goes on (drain). */
  stopAccepting(): void;
}
