import type { Socket } from 'node:net';
import { type ParseProblem, StreamFramer } from '@rollcall/sip';
import { TickWriter } from './tick-writer.ts';
import type { TimerWheel, WheelTimer, WheelUser } from './timer-wheel.ts';

export interface FramedSocketLimits {
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly firstByteMs: number;
  readonly unfinishedMessageMs: number;
  readonly maxSendQueueBytes: number;
}

/** Why a stream ended. */
export type StreamEnd = 'closed by peer' | 'idle' | 'stalled' | 'framing' | 'slow reader' | 'closed by us';

export interface FramedSocketUser {
  onMessage(raw: string): void;
  /** CRLFCRLF came; the CRLF has been sent (RFC 5626 §4.4.1). */
  onPing(): void;
  /** The stream cannot be framed any more; it closes after what is written in this call. */
  onFramingProblem(problem: ParseProblem, raw: string | undefined): void;
  onEnd(reason: StreamEnd): void;
}

/** How long a closed stream may take to read our last answer. */
const LINGER_MS = 2_000;
const CRLF = '\r\n';
/** How much of the ends of chunk and message is compared to see whether the message was the end of the chunk. */
const TAIL = 32;

/**
 * SIP messages on a stream socket (RFC 3261 §18.3), with its bounds: message size, time to the first byte, time to
 * finish a message, bytes that wait for a slow reader. One write for each turn of the event loop.
 */
export class FramedSocket implements WheelUser {
  readonly #socket: Socket;
  readonly #framer: StreamFramer;
  readonly #writer: TickWriter;
  readonly #limits: FramedSocketLimits;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  readonly #user: FramedSocketUser;
  #guard: WheelTimer | undefined;
  #ended = false;
  /** When bytes last came, ms. */
  receivedAt: number;

  constructor(socket: Socket, limits: FramedSocketLimits, wheel: TimerWheel, now: () => number, user: FramedSocketUser) {
    this.#socket = socket;
    this.#framer = new StreamFramer({ maxHeaderBytes: limits.maxHeaderBytes, maxBodyBytes: limits.maxBodyBytes });
    this.#writer = new TickWriter(socket);
    this.#limits = limits;
    this.#wheel = wheel;
    this.#now = now;
    this.#user = user;
    this.receivedAt = now();
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk.latin1Slice());
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      if (this.#ended && this.#guard !== undefined) this.#wheel.stop(this.#guard);
      this.#end('closed by peer');
    });
  }

  get open(): boolean {
    return !this.#ended;
  }

  /** Starts the clock for the first byte; for connections that were accepted. */
  awaitFirstByte(): void {
    this.#guard = this.#wheel.start(this.#limits.firstByteMs, this.#now(), this, 'idle');
  }

  /** Queues an octet string. False when the stream has ended or its queue is full, which ends it. */
  write(text: string): boolean {
    if (this.#ended) return false;
    if (this.#writer.queued + text.length > this.#limits.maxSendQueueBytes) {
      this.#end('slow reader');
      return false;
    }
    this.#writer.write(text);
    return true;
  }

  close(reason: StreamEnd = 'closed by us'): void {
    this.#end(reason);
  }

  onTimer(what: string): void {
    this.#guard = undefined;
    if (what === 'linger') this.#socket.destroy();
    else this.#end(what === 'idle' ? 'idle' : 'stalled');
  }

  #receive(chunk: string): void {
    if (this.#ended) return;
    this.receivedAt = this.#now();
    const events = this.#framer.push(chunk);
    let last: string | undefined;
    for (const event of events) {
      switch (event.kind) {
        case 'message':
          last = event.raw;
          this.#user.onMessage(event.raw);
          break;
        case 'keepalive':
          last = CRLF;
          this.write(CRLF);
          this.#user.onPing();
          break;
        case 'problem':
          this.#user.onFramingProblem(event.problem, event.raw);
          this.#end('framing');
      }
      if (!this.open) return;
    }
    this.#watchUnfinished(chunk, last);
  }

  /** A message that has begun must end in time; one timer, from its first byte. */
  #watchUnfinished(chunk: string, last: string | undefined): void {
    const begunEarlier = this.#guard?.what === 'unfinished' && last === undefined;
    if (begunEarlier) return;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    this.#guard = endsWith(chunk, last ?? '')
      ? undefined
      : this.#wheel.start(this.#limits.unfinishedMessageMs, this.#now(), this, 'unfinished');
  }

  #end(reason: StreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    if (reason === 'slow reader' || reason === 'closed by peer') this.#socket.destroy();
    else this.#linger();
    this.#user.onEnd(reason);
  }

  /**
   * Sends what is queued and our FIN, and goes on reading into the void for a while: a close with unread bytes in the
   * receive buffer makes the system send a reset, which would overtake our last answer.
   */
  #linger(): void {
    this.#writer.flush();
    this.#socket.end();
    this.#guard = this.#wheel.start(LINGER_MS, this.#now(), this, 'linger');
  }
}

/** True when nothing but line ends follows `last` in the chunk. */
function endsWith(chunk: string, last: string): boolean {
  let end = chunk.length;
  if (last === '' || last === CRLF) {
    while (end > 0 && (chunk[end - 1] === '\n' || chunk[end - 1] === '\r')) end -= 1;
    return end === 0 || last === CRLF;
  }
  const tail = Math.min(TAIL, last.length, chunk.length);
  return chunk.endsWith(last.slice(last.length - tail));
}
