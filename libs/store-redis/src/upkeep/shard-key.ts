/** A key of a shard, taken apart. */
export interface ShardKey {
  readonly name: string;
  readonly shard: number;
  /** `r`, `w`, `due` … */
  readonly kind: string;
  /** What follows the kind: an AoR, a subscription id; empty for keys of the shard itself. */
  readonly rest: string;
}

const FORM = /^rc:\{(\d{1,4})\}:([a-z]+)(?::([^]*))?$/;

/** Undefined when the key belongs to no shard of locations. */
export function readShardKey(name: string): ShardKey | undefined {
  const match = FORM.exec(name);
  if (match === null) return undefined;
  return { name, shard: Number(match[1]), kind: match[2] ?? '', rest: match[3] ?? '' };
}

/** What belongs to a shard as a whole: made anew from the records, or left where it is. */
const OF_THE_SHARD = new Set(['due', 'aors', 'sdue', 'chg', 'dirty', 'layout', 'moving', 'mark']);
/** What is found by a subscription id, which names its shard for ever; and what counts the subscriptions there. */
const OF_SUBSCRIPTIONS = new Set(['s', 'al', 'w', 'wi']);

/** Whether a key is in the shard of the AoR, or other URI, that it ends in. */
export function followsItsAor({ kind, rest }: ShardKey): boolean {
  return rest !== '' && !OF_THE_SHARD.has(kind) && !OF_SUBSCRIPTIONS.has(kind);
}
