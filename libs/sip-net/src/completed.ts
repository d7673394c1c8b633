import type { Flow } from '@rollcall/sip-transaction';

/** What is left of a non-INVITE server transaction in Completed: enough for the rows `retransmit` and `timerJ`. */
export interface Completed {
  readonly key: string;
  readonly message: string;
  /** Where the response went. */
  readonly flow: Flow;
  /** When timer J fires, ms. */
  readonly due: number;
}

/**
 * Completed transactions over unreliable transports. Timer J is the same for all of them, so that they end in the
 * order in which they came: a ring, no timer for each. When the ring is full the oldest goes before its time.
 */
export class CompletedRing {
  readonly #byKey = new Map<string, Completed>();
  readonly #ring: (Completed | undefined)[];
  #oldest = 0;
  #count = 0;
  /** How many went before their time. */
  evicted = 0;

  constructor(limit: number) {
    this.#ring = new Array<Completed | undefined>(limit).fill(undefined);
  }

  get size(): number {
    return this.#count;
  }

  get(key: string): Completed | undefined {
    return this.#byKey.get(key);
  }

  add(entry: Completed): void {
    if (this.#count === this.#ring.length) {
      this.#drop();
      this.evicted += 1;
    }
    this.#ring[(this.#oldest + this.#count) % this.#ring.length] = entry;
    this.#count += 1;
    this.#byKey.set(entry.key, entry);
  }

  /** Fires timer J for all that are due. */
  expire(now: number): void {
    for (;;) {
      const entry = this.#ring[this.#oldest];
      if (entry === undefined || entry.due > now) return;
      this.#drop();
    }
  }

  clear(): void {
    this.#byKey.clear();
    this.#ring.fill(undefined);
    this.#oldest = 0;
    this.#count = 0;
  }

  #drop(): void {
    const entry = this.#ring[this.#oldest];
    if (entry === undefined) return;
    this.#ring[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#ring.length;
    this.#count -= 1;
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
  }
}
