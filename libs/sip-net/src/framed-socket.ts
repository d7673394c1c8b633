import type { Socket } from 'node:net';
import { StreamFramer } from '@rollcall/sip';
import type { Channel, ChannelLimits, ChannelUser, StreamEnd } from './channel.ts';
import { TickWriter } from './tick-writer.ts';
import type { TimerWheel, WheelTimer, WheelUser } from './timer-wheel.ts';

export type { ChannelUser as FramedSocketUser } from './channel.ts';

/** How long a closed stream may take to read our last answer. */
const LINGER_MS = 2_000;
const CRLF = '\r\n';
/** Ends after which the peer takes nothing any more, or never did. */
const NOTHING_TO_SAY: ReadonlySet<StreamEnd> = new Set<StreamEnd>([
  'slow reader',
  'closed by peer',
  'keep-alive missed',
  'not connected',
]);

/**
 * SIP messages on a stream socket (RFC 3261 §18.3), with its bounds: message size, time to the first byte, time to
 * finish a message, bytes that wait for a slow reader. One write for each turn of the event loop.
 */
export class FramedSocket implements Channel, WheelUser {
  readonly #socket: Socket;
  readonly #framer: StreamFramer;
  readonly #writer: TickWriter;
  readonly #limits: ChannelLimits;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  readonly #user: ChannelUser;
  #guard: WheelTimer | undefined;
  #ended = false;
  /** A message has begun, and the guard waits for its end. */
  #begun = false;
  /** When bytes last came, ms. */
  receivedAt: number;

  constructor(
    socket: Socket,
    limits: ChannelLimits,
    wheel: TimerWheel,
    now: () => number,
    user: ChannelUser,
  ) {
    this.#socket = socket;
    this.#framer = new StreamFramer({
      maxHeaderBytes: limits.maxHeaderBytes,
      maxBodyBytes: limits.maxBodyBytes,
    });
    this.#writer = new TickWriter(socket);
    this.#limits = limits;
    this.#wheel = wheel;
    this.#now = now;
    this.#user = user;
    this.receivedAt = now();
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk.toString('latin1'));
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      if (this.#ended && this.#guard !== undefined) this.#wheel.stop(this.#guard);
      this.#end('closed by peer');
    });
    // One that was read before, for what a balancer had to say, waits.
    if (socket.isPaused()) socket.resume();
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

  /** RFC 5626 §4.4.1: over a byte stream only the client pings. */
  ping(): boolean {
    return false;
  }

  close(reason: StreamEnd = 'closed by us'): void {
    this.#end(reason);
  }

  /** Ends at once, without a word to the user; what is queued is lost. */
  destroy(): void {
    this.#ended = true;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    this.#socket.destroy();
  }

  onTimer(what: string): void {
    this.#guard = undefined;
    if (what === 'linger') this.#socket.destroy();
    else this.#end(what === 'idle' ? 'idle' : 'stalled');
  }

  #receive(chunk: string): void {
    if (this.#ended) return;
    this.receivedAt = this.#now();
    for (const event of this.#framer.push(chunk)) {
      switch (event.kind) {
        case 'message':
          this.#user.onMessage(event.raw);
          break;
        case 'keepalive':
          this.write(CRLF);
          this.#user.onPing();
          break;
        case 'problem':
          this.#user.onFramingProblem(event.problem, event.raw);
          this.#end('framing');
      }
      if (!this.open) return;
    }
    this.#watchUnfinished(chunk.length);
  }

  /** A message that has begun must end in time; one timer, from its first byte. */
  #watchUnfinished(received: number): void {
    const { pending } = this.#framer;
    const sameMessage = pending > received && this.#begun;
    if (sameMessage) return;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    this.#guard = undefined;
    this.#begun = pending > 0;
    if (!this.#begun) return;
    this.#guard = this.#wheel.start(this.#limits.unfinishedMessageMs, this.#now(), this, 'unfinished');
  }

  #end(reason: StreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    if (NOTHING_TO_SAY.has(reason)) this.#socket.destroy();
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
