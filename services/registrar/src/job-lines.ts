import { hash53 } from '@rollcall/registration';
import type { RegisterJob } from './register-job.ts';

/** Lines begin in as many places, well above the requests that are usually in flight. */
const PLACES = 4096;

/**
 * Jobs in flight, one line for each AoR: its requests are processed in the order that they are received (RFC 3261 §10.3).
 *
 * Not a `Map`: one that has grown old makes its next tables old too, each time that it has seen as many deletions as it holds
 * entries, and the dead table keeps every job that was in flight then, with all that hangs on it, until the next full
 * collection (measured: half of what the registrar allocates survived).
 */
export class JobLines {
  /** The first jobs of the lines, chained where they fall on one place. */
  readonly #places: (RegisterJob | undefined)[];

  constructor(places = PLACES) {
    this.#places = new Array<RegisterJob | undefined>(places).fill(undefined);
  }

  /** Puts a job at the end of its AoR's line; true when it is the first and begins now. */
  join(job: RegisterJob): boolean {
    const { aor } = job.intent;
    job.place = hash53(aor) % this.#places.length;
    const chain = this.#places[job.place];
    for (let first = chain; first !== undefined; first = first.neighbour) {
      if (first.intent.aor !== aor) continue;
      if (first.last === undefined) first.next = job;
      else first.last.next = job;
      first.last = job;
      return false;
    }
    this.#enter(job);
    return true;
  }

  /** Takes the first job of a line away; the one that begins now. */
  leave(job: RegisterJob): RegisterJob | undefined {
    this.#remove(job);
    const { next } = job;
    if (next === undefined) return undefined;
    if (next !== job.last) next.last = job.last;
    next.place = job.place;
    job.next = undefined;
    job.last = undefined;
    this.#enter(next);
    return next;
  }

  #enter(job: RegisterJob): void {
    job.neighbour = this.#places[job.place];
    this.#places[job.place] = job;
  }

  #remove(job: RegisterJob): void {
    let at = this.#places[job.place];
    if (at === job) this.#places[job.place] = job.neighbour;
    else {
      while (at !== undefined && at.neighbour !== job) at = at.neighbour;
      if (at !== undefined) at.neighbour = job.neighbour;
    }
    job.neighbour = undefined;
  }
}
