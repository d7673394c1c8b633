import type { Redis } from 'ioredis';
import { retryDelay } from './connect.ts';

/** A pub/sub link is silent by nature: it is asked for a sign of life this often, and given as long for it. */
const PING_MS = 3000;

interface Channel {
  readonly onMessage: (message: string) => void;
  readonly onGap: () => void;
}

/**
 * The pub/sub link of a process: one connection, opened with the first listener, made anew for ever. Pub/sub forgets what it
 * could not deliver, so each listener is told of every gap: when the link was lost, and when it is back.
 */
export class Subscriber {
  readonly #open: () => Redis;
  readonly #channels = new Map<string, Set<Channel>>();
  #redis: Redis | undefined;
  #retry: NodeJS.Timeout | undefined;
  #ping: NodeJS.Timeout | undefined;
  #attempt = 0;
  #hadLink = false;
  #closed = false;

  constructor(open: () => Redis) {
    this.#open = open;
  }

  /**
   * Calls `onMessage` for each message; `onGap` when messages may have been missed: the listening begins, the link was lost, or has
   * come back. Returns the function that ends it.
   */
  on(name: string, onMessage: (message: string) => void, onGap: () => void): () => void {
    const channel: Channel = { onMessage, onGap };
    let listeners = this.#channels.get(name);
    if (listeners === undefined) {
      listeners = new Set();
      this.#channels.set(name, listeners);
    }
    listeners.add(channel);
    const redis = this.#redis;
    if (redis !== undefined && this.#hadLink) {
      // Subscribing anew to a channel is harmless, and its answer is the moment from which nothing is missed.
      redis.subscribe(name).then(onGap, () => redis.stream.destroy());
    } else if (redis === undefined && this.#retry === undefined && !this.#closed) this.#connect();
    return () => {
      listeners.delete(channel);
    };
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#ping);
    this.#redis?.disconnect();
  }

  #connect(): void {
    const redis = this.#open();
    this.#redis = redis;
    this.#retry = undefined;
    redis.on('error', () => undefined); // what follows is `end`
    redis.on('ready', () => {
      redis.subscribe(...this.#channels.keys()).then(
        () => {
          this.#linked(redis);
        },
        () => redis.stream.destroy(),
      );
    });
    redis.on('messageBuffer', (name: Buffer, message: Buffer) => {
      const listeners = this.#channels.get(name.toString('latin1')) ?? [];
      for (const { onMessage } of listeners) onMessage(message.toString('latin1'));
    });
    redis.on('end', () => {
      this.#lost();
    });
  }

  #linked(redis: Redis): void {
    this.#attempt = 0;
    this.#hadLink = true;
    let answered = true;
    this.#ping = setInterval(() => {
      if (!answered) redis.stream.destroy();
      answered = false;
      redis.ping().then(
        () => {
          answered = true;
        },
        () => undefined,
      );
    }, PING_MS);
    // What was cached before the link stood may be stale already.
    this.#tellGap();
  }

  #lost(): void {
    clearInterval(this.#ping);
    this.#redis = undefined;
    if (this.#closed) return;
    if (this.#hadLink) this.#tellGap();
    this.#hadLink = false;
    this.#attempt += 1;
    this.#retry = setTimeout(() => {
      this.#connect();
    }, retryDelay(this.#attempt));
  }

  #tellGap(): void {
    for (const listeners of this.#channels.values()) for (const channel of listeners) channel.onGap();
  }
}
