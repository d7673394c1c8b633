import type { ParseProblem } from '@rollcall/sip';

/** The bounds of one stream, whatever its kind. */
export interface ChannelLimits {
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly firstByteMs: number;
  readonly unfinishedMessageMs: number;
  readonly maxSendQueueBytes: number;
}

/** Why a stream ended. */
export type StreamEnd =
  | 'closed by peer'
  | 'idle'
  | 'stalled'
  | 'framing'
  | 'slow reader'
  | 'keep-alive missed'
  | 'not connected'
  | 'closed by us';

export interface ChannelUser {
  onMessage(raw: string): void;
  /** A keep-alive came and has been answered: CRLFCRLF (RFC 5626 §4.4.1) or a WebSocket ping. */
  onPing(): void;
  /** The stream cannot be framed any more; it closes after what is written in this call. `head`: how the message began. */
  onFramingProblem(problem: ParseProblem, head: string): void;
  onEnd(reason: StreamEnd): void;
}

/** A connection that carries whole SIP messages both ways: a byte stream with a framer, or a WebSocket. */
export interface Channel {
  readonly open: boolean;
  /** When anything last came, ms. */
  readonly receivedAt: number;
  /** Starts the clock for the first byte; for connections that were accepted. */
  awaitFirstByte(): void;
  /** Queues an octet string. False when the stream has ended or its queue is full, which ends it. */
  write(text: string): boolean;
  /** Asks the peer for a sign of life, where the protocol has one that we may begin (RFC 7118 §6). False where not. */
  ping(): boolean;
  close(reason?: StreamEnd): void;
  /** Ends at once, without a word to the user; what is queued is lost. */
  destroy(): void;
}
