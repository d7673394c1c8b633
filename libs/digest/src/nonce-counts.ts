/** Slots of the index for each entry, at least: the chains of linear probing stay short. */
const SPREAD = 2;
/** Stamps are whole numbers below 2^53; two odd multipliers mix their halves. */
const MIX_LOW = 0x9e3779b1;
const MIX_HIGH = 0x85ebca6b;
const TWO_32 = 2 ** 32;

/**
 * The highest `nc` of each nonce, by stamp; past its limit the entry that was made first goes. A refresh does not make an entry
 * young: what was made before an entry that has gone is gone as well, which is what the watermark of `NonceAuthority` says.
 *
 * Flat arrays instead of a `Map`: there is an entry for each registration of a minute, and what the collector would copy,
 * promote and at last sweep for them was a third of all that outlived a request.
 */
export class NonceCounts {
  /** A ring of entries in the order in which they were made. */
  readonly #stamps: Float64Array;
  readonly #counts: Float64Array;
  readonly #salts: Int32Array;
  /** Place in the ring plus 1, by hash of the stamp; 0 is free. */
  readonly #index: Int32Array;
  readonly #mask: number;
  #next = 0;
  #size = 0;

  constructor(readonly limit: number) {
    if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`a limit of ${String(limit)} nonces`);
    this.#stamps = new Float64Array(limit);
    this.#counts = new Float64Array(limit);
    this.#salts = new Int32Array(limit);
    const slots = 2 ** Math.ceil(Math.log2(limit * SPREAD));
    this.#index = new Int32Array(slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** The highest count of a nonce; undefined when none is kept. */
  get(stamp: number): number | undefined {
    const place = this.#index[this.#slotOf(stamp)] ?? 0;
    return place === 0 ? undefined : this.#counts[place - 1];
  }

  /** True when the nonce of this stamp is kept, and its 32 bits of salt are these. */
  knows(stamp: number, salt: number): boolean {
    const place = this.#index[this.#slotOf(stamp)] ?? 0;
    return place !== 0 && this.#salts[place - 1] === salt;
  }

  /**
   * Sets the count of a nonce, and its salt if it is new. Returns the stamp of the entry that went for it, undefined when none
   * did.
   */
  set(stamp: number, count: number, salt: number): number | undefined {
    const known = this.#index[this.#slotOf(stamp)] ?? 0;
    if (known !== 0) {
      this.#counts[known - 1] = count;
      return undefined;
    }
    const place = this.#next;
    this.#next = place + 1 === this.limit ? 0 : place + 1;
    let gone: number | undefined;
    if (this.#size === this.limit) {
      gone = this.#stamps[place] ?? 0;
      this.#free(this.#slotOf(gone));
    } else this.#size += 1;
    this.#stamps[place] = stamp;
    this.#counts[place] = count;
    this.#salts[place] = salt;
    this.#index[this.#slotOf(stamp)] = place + 1;
    return gone;
  }

  /** The slot of a stamp, or the free one where it would stand. */
  #slotOf(stamp: number): number {
    let slot = this.#home(stamp);
    for (;;) {
      const place = this.#index[slot] ?? 0;
      if (place === 0 || this.#stamps[place - 1] === stamp) return slot;
      slot = (slot + 1) & this.#mask;
    }
  }

  #home(stamp: number): number {
    const mixed = Math.imul(stamp | 0, MIX_LOW) ^ Math.imul((stamp / TWO_32) | 0, MIX_HIGH);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }

  /** Frees a slot and moves up those behind it that would not be found any more. */
  #free(slot: number): void {
    let hole = slot;
    let at = slot;
    for (;;) {
      at = (at + 1) & this.#mask;
      const place = this.#index[at] ?? 0;
      if (place === 0) break;
      const home = this.#home(this.#stamps[place - 1] ?? 0);
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#index[hole] = place;
      hole = at;
    }
    this.#index[hole] = 0;
  }
}
