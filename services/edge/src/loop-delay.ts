/** Ticks that are looked back on: a single pause (garbage, a busy neighbour) is no overload, ten late ticks on end are. */
const TICKS = 10;

/** How late a regular tick comes, steadily: what else there is to do has held each of the last ones up by that. */
export class LoopDelay {
  #last: number | undefined;
  readonly #lags: number[] = [];

  /** @param everyMs when the tick is due. */
  constructor(private readonly everyMs: number) {}

  /** The least lateness of the last ticks, ms; 0 until there are enough. */
  lag(): number {
    return this.#lags.length < TICKS ? 0 : Math.min(...this.#lags);
  }

  tick(now: number): void {
    if (this.#last !== undefined) this.#lags.push(Math.max(0, now - this.#last - this.everyMs));
    if (this.#lags.length > TICKS) this.#lags.shift();
    this.#last = now;
  }
}
