import type { TraceEntry } from './entry.ts';

export interface RingLimits {
  readonly entries: number;
  /** Octets of messages. */
  readonly bytes: number;
}

/** The entry with what it is found by. */
export interface RingItem {
  readonly entry: TraceEntry;
  /** Hash of the Call-ID; undefined when the message had none. */
  readonly call: number | undefined;
}

/** The last messages, in two bounds: how many, and how many octets. The oldest go first. */
export class TraceRing {
  readonly #items: (RingItem | undefined)[];
  #oldest = 0;
  #count = 0;
  #bytes = 0;
  /** Entries that had to make room. */
  evicted = 0;

  constructor(readonly limits: RingLimits) {
    this.#items = new Array<RingItem | undefined>(limits.entries).fill(undefined);
  }

  get size(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: RingItem): void {
    const length = item.entry.octets.length;
    if (length > this.limits.bytes) return;
    while (this.#count === this.limits.entries || this.#bytes + length > this.limits.bytes) this.#evict();
    this.#items[(this.#oldest + this.#count) % this.#items.length] = item;
    this.#count += 1;
    this.#bytes += length;
  }

  /** The i-th oldest. */
  at(index: number): RingItem | undefined {
    return index < this.#count ? this.#items[(this.#oldest + index) % this.#items.length] : undefined;
  }

  /** All of them, oldest first, as they are at this moment. */
  items(): RingItem[] {
    const items: RingItem[] = [];
    for (let i = 0; i < this.#count; i += 1) {
      const item = this.at(i);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  #evict(): void {
    const gone = this.#items[this.#oldest];
    this.#items[this.#oldest] = undefined;
    this.#oldest = (this.#oldest + 1) % this.#items.length;
    this.#count -= 1;
    this.#bytes -= gone?.entry.octets.length ?? 0;
    this.evicted += 1;
  }
}
