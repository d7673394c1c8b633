import { hashKey, secretSeed } from './key-hash.ts';

/** The end of a chain. */
const NONE = -1;

/**
 * What is left of non-INVITE client transactions in Completed over unreliable transports: that there was one, so that its answer, when it
 * comes again, is known (timer K of RFC 3261 §17.1.2.2). Kept as two hashes of the key, 64 bits in all, in a ring of flat arrays: thousands
 * that wait for five seconds as objects would be copied by the garbage collector twice each. When it is full the oldest goes before
 * its time.
 */
export class AnsweredClients {
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  /** When timer K fires, ms. */
  readonly #due: Float64Array;
  /** First slot of each chain, by the low bits of the first hash; the youngest comes first. */
  readonly #chains: Int32Array;
  readonly #next: Int32Array;
  readonly #mask: number;
  #oldest = 0;
  #count = 0;

  /** @param limit transactions. */
  constructor(readonly limit: number) {
    this.#first = new Int32Array(limit);
    this.#second = new Int32Array(limit);
    this.#due = new Float64Array(limit);
    this.#next = new Int32Array(limit).fill(NONE);
    const chains = 2 ** Math.ceil(Math.log2(limit + 1));
    this.#chains = new Int32Array(chains).fill(NONE);
    this.#mask = chains - 1;
  }

  get size(): number {
    return this.#count;
  }

  /** `due`: later than that of all before. */
  add(key: string, due: number): void {
    if (this.#count === this.limit) this.#drop();
    const slot = (this.#oldest + this.#count) % this.limit;
    const first = hashKey(key, FIRST_SEED);
    this.#first[slot] = first;
    this.#second[slot] = hashKey(key, SECOND_SEED);
    this.#due[slot] = due;
    this.#next[slot] = this.#chains[first & this.#mask] ?? NONE;
    this.#chains[first & this.#mask] = slot;
    this.#count += 1;
  }

  has(key: string): boolean {
    const first = hashKey(key, FIRST_SEED);
    for (
      let slot = this.#chains[first & this.#mask] ?? NONE;
      slot !== NONE;
      slot = this.#next[slot] ?? NONE
    ) {
      if (this.#first[slot] === first && this.#second[slot] === hashKey(key, SECOND_SEED)) return true;
    }
    return false;
  }

  /** Fires timer K for all that are due. */
  expire(now: number): void {
    while (this.#count > 0 && (this.#due[this.#oldest] ?? 0) <= now) this.#drop();
  }

  /** The oldest is the last of its chain. */
  #drop(): void {
    const slot = this.#oldest;
    const chain = (this.#first[slot] ?? 0) & this.#mask;
    if (this.#chains[chain] === slot) this.#chains[chain] = NONE;
    else {
      let before = this.#chains[chain] ?? NONE;
      while (before !== NONE && this.#next[before] !== slot) before = this.#next[before] ?? NONE;
      if (before !== NONE) this.#next[before] = NONE;
    }
    this.#oldest = (slot + 1) % this.limit;
    this.#count -= 1;
  }
}

const FIRST_SEED = secretSeed();
const SECOND_SEED = secretSeed();
