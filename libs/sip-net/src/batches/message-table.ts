/** `struct mmsghdr` on 64 bits: name and its length, vector and its length, control data, flags; then the length of the datagram. */
const HEADER_BYTES = 64;
const NAME_LENGTH = 8;
const VECTOR = 16;
const VECTOR_LENGTH = 24;
const MESSAGE_LENGTH = 56;
/** `struct iovec`: where, and how much. */
const VECTOR_BYTES = 16;
/** `struct sockaddr_in6` takes 28. */
const NAME_BYTES = 32;
const WORD_BYTES = 4;

/** What `recvmmsg` writes: for each datagram a header, one vector, a name and room for the octets, all in two blocks that are made once. */
export class MessageTable {
  readonly headers: Buffer;
  readonly octets: Buffer;
  /** The headers, vectors and names, in words of 32 bits. */
  readonly words: Uint32Array;
  readonly #names: number;

  /** @param size octets of the longest datagram. @param nameLength octets of a name. @param addressOf where a buffer lies. */
  constructor(
    readonly count: number,
    readonly size: number,
    private readonly nameLength: number,
    addressOf: (buffer: Buffer) => bigint,
  ) {
    const vectors = count * HEADER_BYTES;
    this.#names = vectors + count * VECTOR_BYTES;
    this.headers = Buffer.from(new ArrayBuffer(this.#names + count * NAME_BYTES));
    this.octets = Buffer.allocUnsafeSlow(count * size);
    this.words = new Uint32Array(this.headers.buffer);
    const headers = addressOf(this.headers);
    const octets = addressOf(this.octets);
    for (let slot = 0; slot < count; slot += 1) {
      const header = slot * HEADER_BYTES;
      const vector = vectors + slot * VECTOR_BYTES;
      this.headers.writeBigUInt64LE(headers + BigInt(this.#names + slot * NAME_BYTES), header);
      this.headers.writeUInt32LE(nameLength, header + NAME_LENGTH);
      this.headers.writeBigUInt64LE(headers + BigInt(vector), header + VECTOR);
      this.headers.writeBigUInt64LE(1n, header + VECTOR_LENGTH);
      this.headers.writeBigUInt64LE(octets + BigInt(slot * size), vector);
      this.headers.writeBigUInt64LE(BigInt(size), vector + WORD_BYTES * 2);
    }
  }

  /** Octets that came; makes the slot ready for the next. */
  received(slot: number): number {
    const header = slot * HEADER_BYTES;
    this.words[(header + NAME_LENGTH) / WORD_BYTES] = this.nameLength;
    return this.words[(header + MESSAGE_LENGTH) / WORD_BYTES] ?? 0;
  }

  /** Where the name of a datagram begins in `words`. */
  nameAt(slot: number): number {
    return (this.#names + slot * NAME_BYTES) / WORD_BYTES;
  }
}
