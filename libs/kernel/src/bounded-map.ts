/**
 * A map with a limit: past it, the entry that was written or read longest ago goes.
 * `onEvict` is told of entries pushed out by the limit, not of those deleted.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();

  constructor(
    readonly limit: number,
    private readonly onEvict?: (key: K, value: V) => void,
  ) {
    if (!(limit > 0)) throw new RangeError(`a BoundedMap wants a limit above 0, not ${String(limit)}`);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Reads without making the entry young again. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Reads and makes the entry the youngest. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  set(key: K, value: V): void {
    if (!this.#entries.delete(key) && this.#entries.size >= this.limit) this.#evictOldest();
    this.#entries.set(key, value);
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  keys(): IterableIterator<K> {
    return this.#entries.keys();
  }

  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  #evictOldest(): void {
    for (const [key, value] of this.#entries) {
      this.#entries.delete(key);
      this.onEvict?.(key, value);
      return;
    }
  }
}
