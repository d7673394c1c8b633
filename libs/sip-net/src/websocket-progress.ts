/** RFC 6455 §5.2: the parts of a frame header that tell where the frame ends. */
const FIN = 0x80;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;
/** §5.5: opcodes from here on are control frames, which may stand between the fragments of a message. */
const FIRST_CONTROL = 0x8;

/**
 * Follows a WebSocket byte stream frame by frame, without looking at what is in them, to know whether a message or a
 * frame has begun and not ended: the library that reads the frames does not tell. What is malformed is its to refuse.
 */
export class WebSocketProgress {
  /** Octets of the payload (and mask) still to come. */
  #left = 0;
  /** The header so far, while it is not whole. */
  #header: number[] = [];
  #fragmented = false;
  /** Messages, whole or begun, so far: tells a message that goes on from the next one. */
  messages = 0;

  /** True between the first octet of a frame, or of a message, and its last. */
  get unfinished(): boolean {
    return this.#left > 0 || this.#header.length > 0 || this.#fragmented;
  }

  push(data: Buffer): void {
    let at = 0;
    while (at < data.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, data.length - at);
        this.#left -= taken;
        at += taken;
      } else {
        this.#header.push(data[at] ?? 0);
        at += 1;
        this.#readHeader();
      }
    }
  }

  #readHeader(): void {
    const header = this.#header;
    if (header.length < 2) return;
    const [first = 0, second = 0] = header;
    const short = second & LENGTH;
    const wide = short === LENGTH_64 ? 8 : short === LENGTH_16 ? 2 : 0;
    if (header.length < 2 + wide) return;
    let length = wide === 0 ? short : 0;
    for (const octet of header.slice(2)) length = length * 256 + octet;
    this.#left = length + ((second & MASKED) === 0 ? 0 : MASK_BYTES);
    this.#header = [];
    if ((first & OPCODE) >= FIRST_CONTROL) return;
    if (!this.#fragmented) this.messages += 1;
    this.#fragmented = (first & FIN) === 0;
  }
}
