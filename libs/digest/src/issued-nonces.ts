/** The high bits of a product with this odd number tell consecutive stamps apart. */
const MIX = 0x9e3779b1;
const TWO_32 = 2 ** 32;

/**
 * The latest nonces that were issued, octet by octet in one block: whoever answers at once need not have the MAC made anew. A nonce that
 * has been overwritten is none the worse, its MAC tells who made it.
 */
export class IssuedNonces {
  readonly #octets: Uint8Array;
  readonly #shift: number;

  /** `bits`: of the number of places. @param length octets of each nonce. */
  constructor(
    bits: number,
    private readonly length: number,
  ) {
    this.#octets = new Uint8Array(length * 2 ** bits);
    this.#shift = 32 - bits;
  }

  add(stamp: number, nonce: string): void {
    const start = this.#startOf(stamp);
    for (let i = 0; i < this.length; i += 1) this.#octets[start + i] = nonce.charCodeAt(i);
  }

  /** Takes the same time whatever differs. False says nothing. */
  has(stamp: number, nonce: string): boolean {
    if (nonce.length !== this.length) return false;
    const start = this.#startOf(stamp);
    let difference = 0;
    for (let i = 0; i < this.length; i += 1)
      difference |= (this.#octets[start + i] ?? 0) ^ nonce.charCodeAt(i);
    return difference === 0;
  }

  #startOf(stamp: number): number {
    const mixed = Math.imul((stamp | 0) ^ (stamp / TWO_32), MIX);
    return (mixed >>> this.#shift) * this.length;
  }
}
