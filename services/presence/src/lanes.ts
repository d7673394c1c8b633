/**
 * Work on one subscription or resource runs one after the other in this process, so that our own steps do not conflict with
 * each other in the store. What other replicas do is the store's compare-and-set. An entry lives only while work runs.
 */
export class Lanes {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Lanes in use now. */
  get size(): number {
    return this.#tails.size;
  }

  /** Work runs, or waits to. */
  isBusy(key: string): boolean {
    return this.#tails.has(key);
  }

  /** Runs `work` when all that was given for `key` before has ended, well or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const mine = before === undefined ? work() : before.then(work, work);
    const forget = (): void => {
      if (this.#tails.get(key) === mine) this.#tails.delete(key);
    };
    this.#tails.set(key, mine);
    mine.then(forget, forget);
    return mine;
  }
}
