import { listOf, textOf } from '../call.ts';
import type { Reply } from '../call.ts';

/*
 * Format of an entry of the change streams and of the dirty streams: a field `v` of its own, at whatever place. An entry without one
 * is of format 1, as all are that this code writes: what every REGISTER would carry says nothing while there is one format. Within a
 * format fields are only added, and read over by who does not know them.
 */

const FIELD = 'v';
const FORMAT = '1';

/** Whether this code can read an entry, by its fields and values in turn. */
export function isReadable(fields: Reply | undefined): boolean {
  const flat = listOf(fields);
  for (let at = 0; at + 1 < flat.length; at += 2) {
    if (textOf(flat[at]) === FIELD) return textOf(flat[at + 1]) === FORMAT;
  }
  return true;
}

/** Entries that a later version has written in a format of its own: read over, counted, and told of once. */
export class LaterEntries {
  #count = 0;
  #tell: (() => void) | undefined;

  get count(): number {
    return this.#count;
  }

  /** Calls once: at the first such entry. */
  onFirst(tell: () => void): void {
    if (this.#count > 0) tell();
    else this.#tell = tell;
  }

  add(): void {
    this.#count += 1;
    this.#tell?.();
    this.#tell = undefined;
  }
}
