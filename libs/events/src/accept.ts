export interface MediaRange {
  /** `type/subtype`, lower case, either of them `*`. */
  readonly type: string;
  readonly params: ReadonlyMap<string, string | undefined>;
}

/**
 * The type of ours that an Accept header prefers (RFC 3261 §20.1, RFC 2616 §14.1); without the header the first of all. The most
 * precise range that covers a type gives its `q`, and 0 takes it away; where they are equal, our order decides.
 */
export function chooseType(
  accept: readonly MediaRange[] | undefined,
  types: readonly [string, ...string[]],
): string | undefined {
  if (accept === undefined) return types[0];
  let preferred: string | undefined;
  let best = 0;
  for (const type of types) {
    const quality = qualityOf(accept, type);
    if (quality > best) [preferred, best] = [type, quality];
  }
  return preferred;
}

/** RFC 2616 §3.9; a malformed one counts as none. */
const QVALUE = /^(?:0(?:\.[0-9]*)?|1(?:\.0*)?)$/;

function qualityOf(accept: readonly MediaRange[], type: string): number {
  const family = `${type.slice(0, type.indexOf('/'))}/*`;
  let best = -1;
  let quality = 0;
  for (const range of accept) {
    const precision = range.type === type ? 2 : range.type === family ? 1 : range.type === '*/*' ? 0 : -1;
    if (precision < 0 || precision < best) continue;
    best = precision;
    const q = range.params.get('q') ?? '';
    quality = QVALUE.test(q) ? Number(q) : 1;
  }
  return quality;
}
