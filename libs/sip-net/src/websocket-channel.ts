import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Channel, ChannelLimits, ChannelUser, StreamEnd } from './channel.ts';
import type { TimerWheel, WheelTimer, WheelUser } from './timer-wheel.ts';
import { WebSocketProgress } from './websocket-progress.ts';

/** RFC 6455 §7.4.1. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const POLICY = 1008;

const CRLF = '\r\n';
const PING = '\r\n\r\n';

/**
 * SIP over a WebSocket (RFC 7118): each WebSocket message is one SIP message, text or binary. The library refuses
 * unmasked, oversized and malformed frames (1002, 1009, 1007); the bounds of time and of the send queue are ours.
 */
export class WebSocketChannel implements Channel, WheelUser {
  readonly #ws: WebSocket;
  readonly #limits: ChannelLimits;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  readonly #user: ChannelUser;
  readonly #progress = new WebSocketProgress();
  #guard: WheelTimer | undefined;
  /** The message that the guard waits for the end of; 0: it waits for the first byte. */
  #guarded = 0;
  #ended = false;
  receivedAt: number;

  constructor(
    ws: WebSocket,
    socket: Duplex,
    limits: ChannelLimits,
    wheel: TimerWheel,
    now: () => number,
    user: ChannelUser,
  ) {
    this.#ws = ws;
    this.#limits = limits;
    this.#wheel = wheel;
    this.#now = now;
    this.#user = user;
    this.receivedAt = now();
    // In front of the library's own listener: it may close on what it reads.
    socket.prependListener('data', (chunk: Buffer) => {
      this.#watch(chunk);
    });
    ws.on('message', (data) => {
      this.#receive(data);
    });
    ws.on('ping', (data) => {
      this.#pong(data);
    });
    ws.on('error', () => {
      this.#end('framing', NORMAL); // the library has sent the close code that fits
    });
    ws.on('close', () => {
      this.#end('closed by peer', NORMAL);
    });
  }

  get open(): boolean {
    return !this.#ended;
  }

  awaitFirstByte(): void {
    this.#guard = this.#wheel.start(this.#limits.firstByteMs, this.#now(), this, 'idle');
  }

  /** RFC 7118 §4.2: as text, unless there is something in it that is not UTF-8. */
  write(text: string): boolean {
    if (this.#ended) return false;
    if (this.#isFull(text.length)) return false;
    const data = Buffer.from(text, 'latin1');
    this.#ws.send(data, { binary: !isUtf8(data), compress: false });
    return true;
  }

  ping(): boolean {
    if (this.#ended || this.#isFull(0)) return false;
    this.#ws.ping();
    return true;
  }

  close(reason: StreamEnd = 'closed by us'): void {
    this.#end(reason, reason === 'closed by us' ? GOING_AWAY : POLICY);
  }

  destroy(): void {
    this.#ended = true;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    this.#ws.terminate();
  }

  onTimer(what: string): void {
    this.#guard = undefined;
    this.#end(what === 'idle' ? 'idle' : 'stalled', POLICY);
  }

  #receive(data: RawData): void {
    if (this.#ended) return;
    const text = octetsOf(data);
    // RFC 7118 §6 lets a client keep its connection alive as RFC 5626 §4.4.1 does; the answer is a message of its own.
    if (text === PING) {
      this.write(CRLF);
      this.#user.onPing();
    } else if (text !== CRLF && text !== '') this.#user.onMessage(text);
  }

  /** RFC 6455 §5.5.3. Answered here and not by the library, which would queue without bound for a peer that does not read. */
  #pong(data: Buffer): void {
    if (this.#ended || this.#isFull(data.length)) return;
    this.#ws.pong(data);
    this.#user.onPing();
  }

  /** A message that has begun must end in time, whatever comes between its fragments. */
  #watch(chunk: Buffer): void {
    if (this.#ended) return;
    this.receivedAt = this.#now();
    const progress = this.#progress;
    progress.push(chunk);
    const { unfinished, messages } = progress;
    if (this.#guard !== undefined && unfinished && this.#guarded > 0 && this.#guarded === messages) return;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    this.#guard = undefined;
    if (!unfinished) return;
    this.#guarded = Math.max(1, messages);
    this.#guard = this.#wheel.start(this.#limits.unfinishedMessageMs, this.receivedAt, this, 'unfinished');
  }

  #isFull(more: number): boolean {
    if (this.#ws.bufferedAmount + more <= this.#limits.maxSendQueueBytes) return false;
    this.#end('slow reader', NORMAL);
    return true;
  }

  #end(reason: StreamEnd, code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#guard !== undefined) this.#wheel.stop(this.#guard);
    if (reason === 'slow reader' || reason === 'keep-alive missed') this.#ws.terminate();
    else if (reason !== 'framing') this.#ws.close(code);
    this.#user.onEnd(reason);
  }
}

/** A SIP message as an octet string. */
function octetsOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('latin1');
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString('latin1');
}
