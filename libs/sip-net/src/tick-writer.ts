import type { Socket } from 'node:net';

/** So much goes out before the turn is over, bytes: the peer works on it while this process goes on reading. */
const FLUSH_AT = 16_384;

/**
 * What is written to a socket within one turn of the event loop goes out in few `write`s: one system call and one
 * segment instead of many. `setImmediate` and not a microtask, because libuv reads up to 32 datagrams in one poll phase
 * and runs the microtasks after each of them; the check phase comes once, after all.
 */
export class TickWriter {
  readonly #socket: Socket;
  #pending = '';

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes not yet taken by the system. */
  get queued(): number {
    return this.#pending.length + this.#socket.writableLength;
  }

  /** Queues an octet string. */
  write(text: string): void {
    if (this.#pending === '') schedule(this);
    this.#pending += text;
    if (this.#pending.length >= FLUSH_AT) this.flush();
  }

  flush(): void {
    const text = this.#pending;
    this.#pending = '';
    if (text !== '' && this.#socket.writable) this.#socket.write(text, 'latin1');
  }
}

let waiting: TickWriter[] = [];

function schedule(writer: TickWriter): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(writer);
}

function flushAll(): void {
  const writers = waiting;
  waiting = [];
  for (const writer of writers) writer.flush();
}
