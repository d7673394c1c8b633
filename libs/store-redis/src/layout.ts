/** How AoRs are spread over shards. */
export interface Layout {
  readonly shards: number;
  /** Most shards that there have ever been: streams of the others are still read, and their subscriptions ended. */
  readonly everShards: number;
  /** Grows with each resharding; a store that has never been resharded is of the first. */
  readonly generation: number;
}

const FIRST_LAYOUT: Layout = { shards: 64, everShards: 64, generation: 1 };

/**
 * The layout of the store that this process works on. One for the process, not one for each connection: whatever names a key
 * asks for it, and a process has one store.
 */
let layout = FIRST_LAYOUT;

export function currentLayout(): Layout {
  return layout;
}

/** Takes a later layout; what is not later changes nothing. */
export function adoptLayout(next: Layout): void {
  if (next.generation > layout.generation) layout = next;
}

/** As it stands in `rc:{n}:layout` of each shard. */
export function printLayout({ generation, shards, everShards }: Layout): string {
  return [generation, shards, everShards].join(' ');
}

/** A shard without the key, or with anything else in it, is of the first layout. */
export function readLayout(text: string): Layout {
  const [, generation = '1', shards = '', everShards = ''] = /^(\d+) (\d+) (\d+)$/.exec(text) ?? [];
  if (shards === '') return FIRST_LAYOUT;
  return { generation: Number(generation), shards: Number(shards), everShards: Number(everShards) };
}
