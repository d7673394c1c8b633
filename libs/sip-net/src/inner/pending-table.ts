import { hashText } from './rendezvous.ts';

/** What the table holds. */
export interface Waiting {
  readonly branch: string;
}

interface Link<T extends Waiting> {
  readonly request: T;
  readonly place: number;
  neighbour: Link<T> | undefined;
}

/** Requests begin in as many places, well above those that are usually in flight. */
const PLACES = 4096;

/**
 * Requests in flight, by branch.
 *
 * Not a `Map`: one that has grown old makes its next tables old too, each time that it has seen as many deletions as it holds
 * entries, and the dead table keeps every request that was in flight then until the next full collection.
 */
export class PendingTable<T extends Waiting> {
  readonly #places: (Link<T> | undefined)[];
  #size = 0;

  constructor(places = PLACES) {
    this.#places = new Array<Link<T> | undefined>(places).fill(undefined);
  }

  get size(): number {
    return this.#size;
  }

  get(branch: string): T | undefined {
    let link = this.#places[hashText(branch) % this.#places.length];
    while (link !== undefined && link.request.branch !== branch) link = link.neighbour;
    return link?.request;
  }

  /** False when the branch is taken. */
  add(request: T): boolean {
    const place = hashText(request.branch) % this.#places.length;
    for (let link = this.#places[place]; link !== undefined; link = link.neighbour) {
      if (link.request.branch === request.branch) return false;
    }
    this.#places[place] = { request, place, neighbour: this.#places[place] };
    this.#size += 1;
    return true;
  }

  /** Takes a request out and returns it. */
  take(branch: string): T | undefined {
    const place = hashText(branch) % this.#places.length;
    let before: Link<T> | undefined;
    for (let link = this.#places[place]; link !== undefined; link = link.neighbour) {
      if (link.request.branch === branch) {
        if (before === undefined) this.#places[place] = link.neighbour;
        else before.neighbour = link.neighbour;
        this.#size -= 1;
        return link.request;
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
      for (let link = first; link !== undefined; link = link.neighbour) found.push(link.request);
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
