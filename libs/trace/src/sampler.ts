/** Hashes below this are kept: all of them. */
const ALL = 2 ** 32;
/** How often it is looked whether more could be kept, µs. */
const WINDOW_US = 1_000_000;
/** Fewer than this part of what may be kept, and the next window keeps twice as many. */
const ROOM = 4;
/** One Call-ID of so many is kept at least, whatever the load. */
const MOST_DOUBLINGS = 20;
const MOST_THINNED = 2 ** MOST_DOUBLINGS;

export interface SamplerOptions {
  /** Per cent of the Call-IDs, 0 to 100. */
  readonly percent: number;
  /** Messages that may be kept in a second; under more, fewer Call-IDs are. */
  readonly perSecond: number;
}

/**
 * Says which Call-IDs are kept. The choice is by a hash, so that a whole exchange is kept or none of it, on each edge the same and
 * without remembering anything; under load the share is halved until no more messages are kept than may be.
 */
export class Sampler {
  readonly #most: number;
  readonly #perSecond: number;
  /** Hashes below this are kept. */
  threshold: number;
  #kept = 0;
  #windowEnd = 0;

  constructor({ percent, perSecond }: SamplerOptions) {
    this.#most = Math.round((percent / 100) * ALL);
    this.#perSecond = perSecond;
    this.threshold = this.#most;
  }

  get off(): boolean {
    return this.#most === 0;
  }

  /** Per cent of the Call-IDs that are kept just now. */
  get percent(): number {
    return (this.threshold / ALL) * 100;
  }

  takes(hash: number | undefined): boolean {
    return hash === undefined ? this.threshold >= ALL : hash < this.threshold;
  }

  /** Counts a message that was kept for its Call-ID's hash. */
  count(at: number): void {
    if (at >= this.#windowEnd) this.#turn(at);
    this.#kept += 1;
    if (this.#kept <= this.#perSecond || this.threshold <= this.#most / MOST_THINNED) return;
    this.threshold = Math.floor(this.threshold / 2);
    this.#kept = this.#perSecond / 2;
  }

  /** A new second: with room left, twice as many may be kept, and again for each second in which nothing was. */
  #turn(at: number): void {
    const quiet = this.#windowEnd === 0 ? 0 : Math.floor((at - this.#windowEnd) / WINDOW_US);
    const doublings = quiet + (this.#kept < this.#perSecond / ROOM ? 1 : 0);
    this.threshold = Math.min(this.#most, this.threshold * 2 ** Math.min(doublings, MOST_DOUBLINGS));
    this.#kept = 0;
    this.#windowEnd = at + WINDOW_US;
  }

  /** To be called now and then, so that a share that a burst has thinned grows again although nothing is kept. */
  tick(at: number): void {
    if (at >= this.#windowEnd + WINDOW_US) this.#turn(at);
  }
}
