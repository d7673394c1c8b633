import type { Flow } from '@rollcall/sip-transaction';
import { hashKey, secretSeed } from './key-hash.ts';

/** The end of a chain. */
const NONE = -1;

/**
 * What is left of non-INVITE server transactions in Completed over unreliable transports: enough for the rows
 * `retransmit` and `timerJ` of the table, that is key, response and flow.
 *
 * Timer J is the same for all of them, so that they end in the order in which they came: a ring, and no timer for
 * each. Keys and responses lie in one block of memory outside of the JavaScript heap, written round and round, and are
 * found through chains of slot numbers, so that tens of thousands of them cost the garbage collector nothing. When ring
 * or block is full the oldest goes before its time.
 */
export class CompletedRing {
  readonly #flows: (Flow | undefined)[];
  /** Where key and response begin in the block. */
  readonly #starts: Uint32Array;
  readonly #keyLengths: Uint32Array;
  readonly #lengths: Uint32Array;
  /** When timer J fires, ms. */
  readonly #due: Float64Array;
  readonly #hashes: Int32Array;
  /** First slot of each chain, by the low bits of the hash. */
  readonly #chains: Int32Array;
  /** The slot behind in the chain: the youngest comes first. */
  readonly #next: Int32Array;
  readonly #mask: number;
  readonly #bytes: number;
  #block: Buffer | undefined;
  /** Where the next key and response are written. */
  #at = 0;
  #oldest = 0;
  #count = 0;
  /** How many went before their time. */
  evicted = 0;

  /** @param limit transactions. @param bytes of keys and responses. */
  constructor(limit: number, bytes: number) {
    this.#flows = new Array<Flow | undefined>(limit).fill(undefined);
    this.#starts = new Uint32Array(limit);
    this.#keyLengths = new Uint32Array(limit);
    this.#lengths = new Uint32Array(limit);
    this.#due = new Float64Array(limit);
    this.#hashes = new Int32Array(limit);
    const chains = 2 ** Math.ceil(Math.log2(limit + 1));
    this.#chains = new Int32Array(chains).fill(NONE);
    this.#next = new Int32Array(limit).fill(NONE);
    this.#mask = chains - 1;
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#count;
  }

  /** Row Completed/retransmit: sends the response of this transaction once more. False when there is none. */
  resend(key: string): boolean {
    const block = this.#block;
    if (block === undefined) return false;
    const slot = this.#find(block, key);
    if (slot === NONE) return false;
    const start = (this.#starts[slot] ?? 0) + (this.#keyLengths[slot] ?? 0);
    this.#flows[slot]?.send(block.toString('latin1', start, start + (this.#lengths[slot] ?? 0)));
    return true;
  }

  /** Row Trying/final or Proceeding/final. `key` must be new. A response that the block cannot hold is not kept. */
  add(key: string, response: string, flow: Flow, due: number): void {
    const size = key.length + response.length;
    if (size > this.#bytes) return;
    const block = (this.#block ??= Buffer.allocUnsafeSlow(this.#bytes));
    if (this.#count === this.#flows.length) this.#evict();
    this.#makeRoom(size);
    const slot = (this.#oldest + this.#count) % this.#flows.length;
    block.write(key, this.#at, 'latin1');
    block.write(response, this.#at + key.length, 'latin1');
    this.#flows[slot] = flow;
    this.#starts[slot] = this.#at;
    this.#keyLengths[slot] = key.length;
    this.#lengths[slot] = response.length;
    this.#due[slot] = due;
    this.#at += size;
    this.#count += 1;
    const hash = hashKey(key, SEED);
    this.#hashes[slot] = hash;
    this.#next[slot] = this.#chains[hash & this.#mask] ?? NONE;
    this.#chains[hash & this.#mask] = slot;
  }

  /** Fires timer J for all that are due. */
  expire(now: number): void {
    while (this.#count > 0 && (this.#due[this.#oldest] ?? 0) <= now) this.#drop();
  }

  clear(): void {
    while (this.#count > 0) this.#drop();
  }

  #find(block: Buffer, key: string): number {
    const hash = hashKey(key, SEED);
    for (let slot = this.#chains[hash & this.#mask] ?? NONE; slot !== NONE; slot = this.#next[slot] ?? NONE) {
      if (this.#hashes[slot] !== hash || this.#keyLengths[slot] !== key.length) continue;
      const start = this.#starts[slot] ?? 0;
      if (block.toString('latin1', start, start + key.length) === key) return slot;
    }
    return NONE;
  }

  /** The oldest lie right behind the place of writing; those in the way go. */
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
    this.#unchain(this.#oldest);
    this.#flows[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#flows.length;
    this.#count -= 1;
  }

  /** Takes a slot out of its chain; the oldest is the last there. */
  #unchain(slot: number): void {
    const chain = (this.#hashes[slot] ?? 0) & this.#mask;
    if (this.#chains[chain] === slot) {
      this.#chains[chain] = this.#next[slot] ?? NONE;
      return;
    }
    let before = this.#chains[chain] ?? NONE;
    while (before !== NONE && this.#next[before] !== slot) before = this.#next[before] ?? NONE;
    if (before !== NONE) this.#next[before] = this.#next[slot] ?? NONE;
  }
}

const SEED = secretSeed();
