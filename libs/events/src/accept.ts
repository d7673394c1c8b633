export interface MediaRange {
  /** `type/subtype`, lower case, either of them `*`. */
  readonly type: string;
  readonly params: ReadonlyMap<string, string | undefined>;
}

/**
 * The first of our types that an Accept header covers (RFC 3261 §20.1); without the header the first of all.
 * `q=0` takes a type away. Our order stands before the subscriber's: we have one good form of a state.
 */
export function chooseType(
  accept: readonly MediaRange[] | undefined,
  types: readonly [string, ...string[]],
): string | undefined {
  if (accept === undefined) return types[0];
  return types.find((type) => covers(accept, type));
}

function covers(accept: readonly MediaRange[], type: string): boolean {
  const family = `${type.slice(0, type.indexOf('/'))}/*`;
  let best = -1;
  let accepted = false;
  for (const range of accept) {
    const precision = range.type === type ? 2 : range.type === family ? 1 : range.type === '*/*' ? 0 : -1;
    if (precision < 0 || precision < best) continue;
    best = precision;
    accepted = !/^0(\.0*)?$/.test(range.params.get('q') ?? '1');
  }
  return accepted;
}
