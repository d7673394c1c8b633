/** How late a regular tick comes: what else there is to do has held it up so long. */
export class LoopDelay {
  #last: number | undefined;
  #lag = 0;

  /** @param everyMs when the tick is due. */
  constructor(private readonly everyMs: number) {}

  /** The lateness of the last tick, ms. */
  lag(): number {
    return this.#lag;
  }

  tick(now: number): void {
    if (this.#last !== undefined) this.#lag = Math.max(0, now - this.#last - this.everyMs);
    this.#last = now;
  }
}
