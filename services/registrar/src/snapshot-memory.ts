import { BoundedMap } from '@rollcall/kernel';
import type { Aor, Binding, LocationSnapshot } from '@rollcall/location';
import { KeptBinding, textLength } from './kept-binding.ts';
import type { Flatten } from './kept-binding.ts';

/** What is remembered of one AoR. Changed in place: a refresh costs no entry in the map. */
interface Memory {
  version: number;
  readonly bindings: KeptBinding[];
}

/** Octets of an AoR and its bindings that are worth remembering. */
const MOST_OCTETS = 65_536;

/**
 * The bindings that this replica has last seen of each AoR: they may be behind the store, never ahead of it.
 *
 * Nothing of a request is kept as it is: its strings are slices, which would keep the whole chunk read from the socket in memory,
 * and what each request made anew would outlive it and be copied by the collector again and again.
 */
export class SnapshotMemory {
  readonly #memories: BoundedMap<Aor, Memory>;
  /** Where text is flattened. */
  readonly #work = Buffer.allocUnsafeSlow(MOST_OCTETS);

  constructor(limit: number) {
    this.#memories = new BoundedMap(limit);
  }

  get size(): number {
    return this.#memories.size;
  }

  get limit(): number {
    return this.#memories.limit;
  }

  recall(aor: Aor): LocationSnapshot | undefined {
    const memory = this.#memories.peek(aor);
    if (memory === undefined) return undefined;
    const { version, bindings } = memory;
    return { version, bindings: bindings.map(show) };
  }

  /** A version of 0 means that there is no record: nothing is remembered. */
  remember(aor: Aor, version: number, bindings: readonly Binding[]): void {
    if (version === 0 || bindings.length === 0 || isHuge(aor, bindings)) {
      this.#memories.delete(aor);
      return;
    }
    let memory = this.#memories.peek(aor);
    if (memory === undefined) {
      memory = { version, bindings: [] };
      this.#memories.set(this.#flatten(aor), memory);
    }
    memory.version = version;
    const kept = memory.bindings;
    if (kept.length > bindings.length) kept.length = bindings.length;
    for (let at = 0; at < bindings.length; at++) {
      const binding = bindings[at];
      if (binding !== undefined) (kept[at] ??= new KeptBinding()).keep(binding, this.#flatten);
    }
  }

  forget(aor: Aor): void {
    this.#memories.delete(aor);
  }

  readonly #flatten: Flatten = <T extends string>(text: T) =>
    this.#work.toString('latin1', 0, this.#work.write(text, 'latin1')) as T;
}

const show = (binding: KeptBinding): Binding => binding.show();

function isHuge(aor: Aor, bindings: readonly Binding[]): boolean {
  let octets = aor.length;
  for (const binding of bindings) octets += textLength(binding);
  return octets > MOST_OCTETS;
}
