import type { Flow } from '@rollcall/sip-transaction';
import { flat } from './flat.ts';

/**
 * What is left of non-INVITE server transactions in Completed over unreliable transports: enough for the rows
 * `retransmit` and `timerJ` of the table, that is key, response and flow.
 *
 * Timer J is the same for all of them, so that they end in the order in which they came: a ring, and no timer for
 * each. The responses lie in one block of memory outside of the JavaScript heap, written round and round, so that tens
 * of thousands of them cost the garbage collector nothing. When ring or block is full the oldest goes before its time.
 */
export class CompletedRing {
  readonly #slots = new Map<string, number>();
  readonly #keys: (string | undefined)[];
  readonly #flows: (Flow | undefined)[];
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;
  /** When timer J fires, ms. */
  readonly #due: Float64Array;
  readonly #bytes: number;
  #block: Buffer | undefined;
  /** Where the next response is written. */
  #at = 0;
  #oldest = 0;
  #count = 0;
  /** How many went before their time. */
  evicted = 0;

  /** @param limit transactions. @param bytes of responses. */
  constructor(limit: number, bytes: number) {
    this.#keys = new Array<string | undefined>(limit).fill(undefined);
    this.#flows = new Array<Flow | undefined>(limit).fill(undefined);
    this.#starts = new Uint32Array(limit);
    this.#lengths = new Uint32Array(limit);
    this.#due = new Float64Array(limit);
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#count;
  }

  /** Row Completed/retransmit: sends the response of this transaction once more. False when there is none. */
  resend(key: string): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined || this.#block === undefined) return false;
    const start = this.#starts[slot] ?? 0;
    this.#flows[slot]?.send(this.#block.toString('latin1', start, start + (this.#lengths[slot] ?? 0)));
    return true;
  }

  /** Row Trying/final or Proceeding/final. `key` must be new. A response that the block cannot hold is not kept. */
  add(key: string, response: string, flow: Flow, due: number): void {
    if (response.length > this.#bytes) return;
    this.#block ??= Buffer.allocUnsafeSlow(this.#bytes);
    if (this.#count === this.#keys.length) this.#evict();
    this.#makeRoom(response.length);
    const slot = (this.#oldest + this.#count) % this.#keys.length;
    this.#block.write(response, this.#at, 'latin1');
    const kept = flat(key);
    this.#keys[slot] = kept;
    this.#flows[slot] = flow;
    this.#starts[slot] = this.#at;
    this.#lengths[slot] = response.length;
    this.#due[slot] = due;
    this.#at += response.length;
    this.#count += 1;
    this.#slots.set(kept, slot);
  }

  /** Fires timer J for all that are due. */
  expire(now: number): void {
    while (this.#count > 0 && (this.#due[this.#oldest] ?? 0) <= now) this.#drop();
  }

  clear(): void {
    while (this.#count > 0) this.#drop();
  }

  /** The oldest responses lie right behind the place of writing; those in the way go. */
  #makeRoom(length: number): void {
    if (this.#at + length > this.#bytes) {
      while (this.#count > 0 && (this.#starts[this.#oldest] ?? 0) >= this.#at) this.#evict();
      this.#at = 0;
    }
    const end = this.#at + length;
    while (this.#count > 0 && this.#overlaps(end)) this.#evict();
  }

  #overlaps(end: number): boolean {
    const start = this.#starts[this.#oldest] ?? 0;
    return start >= this.#at && start < end;
  }

  #evict(): void {
    this.evicted += 1;
    this.#drop();
  }

  #drop(): void {
    const key = this.#keys[this.#oldest];
    if (key !== undefined) this.#slots.delete(key);
    this.#keys[this.#oldest] = undefined;
    this.#flows[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#keys.length;
    this.#count -= 1;
  }
}
