/** An entry in its place; entries of one place are neighbours. */
interface Link<T> {
  readonly key: string;
  readonly value: T;
  neighbour: Link<T> | undefined;
}

/** Well above what is usually in flight; a power of two. */
const PLACES = 4096;

/**
 * What is in flight, by key: for tables whose entries come and go with every request.
 *
 * Not a `Map`: one that has grown old makes its next tables old too, each time that it has seen as many deletions as it holds
 * entries, and the dead table keeps everything that was in flight then until the next full collection. All of it is then copied
 * by the collector twice, which is the greater part of what a request costs in collection.
 */
export class FlightTable<T> {
  readonly #places: (Link<T> | undefined)[];
  readonly #mask: number;
  #size = 0;

  /** `places`: a power of two. */
  constructor(places = PLACES) {
    this.#places = new Array<Link<T> | undefined>(places).fill(undefined);
    this.#mask = places - 1;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    let link = this.#places[hashKey(key) & this.#mask];
    while (link !== undefined && link.key !== key) link = link.neighbour;
    return link?.value;
  }

  /** False when the key is taken. */
  add(key: string, value: T): boolean {
    const place = hashKey(key) & this.#mask;
    const first = this.#places[place];
    for (let link = first; link !== undefined; link = link.neighbour) {
      if (link.key === key) return false;
    }
    this.#places[place] = { key, value, neighbour: first };
    this.#size += 1;
    return true;
  }

  /** Takes an entry out and returns it. */
  take(key: string): T | undefined {
    const place = hashKey(key) & this.#mask;
    let before: Link<T> | undefined;
    for (let link = this.#places[place]; link !== undefined; link = link.neighbour) {
      if (link.key === key) {
        if (before === undefined) this.#places[place] = link.neighbour;
        else before.neighbour = link.neighbour;
        // A dead link that has grown old must not hold its neighbour.
        link.neighbour = undefined;
        this.#size -= 1;
        return link.value;
      }
      before = link;
    }
    return undefined;
  }

  /** All of them, in no order. */
  all(): T[] {
    const found: T[] = [];
    if (this.#size === 0) return found;
    for (const first of this.#places) {
      for (let link = first; link !== undefined; link = link.neighbour) found.push(link.value);
    }
    return found;
  }

  /** Takes all of them out. */
  drain(): T[] {
    const all = this.all();
    this.#places.fill(undefined);
    this.#size = 0;
    return all;
  }
}

/** How much of a key's end is hashed: keys differ by their branch, and a branch of any phone differs in its end. */
const HASHED = 24;
/** So that nobody outside can tell which keys share a place. */
const SEED = Math.floor(Math.random() * 0x7fffffff);

/** FNV-1a of length and end, its high bits folded in. */
function hashKey(key: string): number {
  let hash = SEED ^ key.length;
  for (let at = Math.max(0, key.length - HASHED); at < key.length; at += 1)
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}
