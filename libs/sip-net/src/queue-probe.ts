import { randomBytes } from 'node:crypto';

/** No SIP and no STUN begins so; nobody else can know the rest. */
const MARK = 0x1f;
const SECRET_BYTES = 16;
/** So often the queue is measured, ms. */
export const PROBE_MS = 100;
/** A probe that is not back by then was dropped, for want of room: T1 of RFC 3261, when phones send again. */
const LOST_MS = 500;

/**
 * Measures how long a datagram waits in the socket until it is read: a datagram to ourselves, one at a time. Neither the system nor Node tells it
 * otherwise, and a late event loop does not either, which turns quickly while the queue is long.
 */
export class QueueProbe {
  readonly #octets = Buffer.concat([Buffer.of(MARK), randomBytes(SECRET_BYTES)]);
  #sentAt: number | undefined;
  #waited = 0;
  /** Without a single one that came back nothing is known: a network may not let us talk to ourselves. */
  #works = false;

  constructor(
    private readonly send: (octets: Buffer) => void,
    private readonly now: () => number,
  ) {}

  /** How long a datagram waits now, ms; what is lost counts as the longest wait that is measured. */
  waits(): number {
    if (!this.#works) return 0;
    const age = this.#sentAt === undefined ? 0 : this.now() - this.#sentAt;
    return Math.max(this.#waited, Math.min(age, LOST_MS));
  }

  /** Called every `PROBE_MS`. */
  tick(): void {
    if (this.#sentAt !== undefined) {
      if (this.now() - this.#sentAt < LOST_MS) return;
      this.#waited = LOST_MS;
    }
    this.#sentAt = this.now();
    this.send(this.#octets);
  }

  /** True for a probe, which has then been read. */
  takes(data: Buffer): boolean {
    if (data[0] !== MARK || !data.equals(this.#octets)) return false;
    if (this.#sentAt !== undefined) {
      this.#works = true;
      this.#waited = this.now() - this.#sentAt;
      this.#sentAt = undefined;
    }
    return true;
  }
}
