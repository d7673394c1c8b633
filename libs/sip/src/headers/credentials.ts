/** Authorization and Proxy-Authorization (RFC 3261 §20.7, RFC 7616 §3.4). */
import { octet } from '../grammar/octets.ts';
import { COMMA, DQUOTE, EQUAL } from '../grammar/chars.ts';
import { scanQuoted, scanToken, skipLws, spells, unquote } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Read } from '../problem.ts';

/** One header line of Digest credentials; nothing of it is checked but the grammar. */
export interface DigestCredentials {
  readonly scheme: 'Digest';
  /** Names in lower case, values unquoted. */
  readonly params: ReadonlyMap<string, string>;
}

/** More auth-params than this is no Digest: RFC 7616 §3.4 names twelve. */
const MAX_AUTH_PARAMS = 32;

/** The auth-params of RFC 7616 §3.4: these come out without making a string. Others are read all the same. */
const KNOWN = [
  'username',
  'realm',
  'nonce',
  'uri',
  'response',
  'algorithm',
  'cnonce',
  'opaque',
  'qop',
  'nc',
  'userhash',
  'username*',
] as const;
/** Number of the first of `KNOWN` with this length; the rest follow in `NEXT`. */
const FIRST = new Int8Array(10).fill(-1);
const NEXT = new Int8Array(KNOWN.length).fill(-1);
KNOWN.forEach(({ length }, known) => {
  NEXT[known] = FIRST[length] ?? -1;
  FIRST[length] = known;
});

/**
 * "Digest" LWS dig-resp *(COMMA dig-resp). `undefined` for another scheme, which is read as no credentials at all
 * (RFC 4475 §3.3.7). Problems: `credentials`, `auth-param` (twice the same name included).
 */
export function readCredentials(raw: string, at: number, end: number): Read<DigestCredentials | undefined> {
  const schemeEnd = scanToken(at, end);
  if (schemeEnd < 0) return flaw('credentials', ~schemeEnd, 'credentials without a scheme');
  if (!spells(at, schemeEnd, 'digest')) return good(undefined, end);
  const names: string[] = [];
  const values: string[] = [];
  // one look tells for all values whether there is a backslash to take out
  const escape = raw.indexOf('\\', at);
  const plain = escape < 0 || escape >= end;
  let seen = 0;
  let i = skipLws(schemeEnd, end);
  if (i === schemeEnd) return flaw('credentials', i, 'nothing after the scheme');
  for (;;) {
    const nameEnd = scanToken(i, end);
    if (nameEnd < 0) return flaw('auth-param', ~nameEnd, 'an auth-param without a name');
    const equal = skipLws(nameEnd, end);
    if (equal >= end || octet(equal) !== EQUAL)
      return flaw('auth-param', equal, 'an auth-param without a value');
    const value = skipLws(equal + 1, end);
    const valueEnd = scanAuthValue(value, end);
    if (valueEnd < 0) return flaw('auth-param', ~valueEnd, 'an auth-param whose value does not end');
    const known = knownName(i, nameEnd);
    const name = known < 0 ? raw.slice(i, nameEnd).toLowerCase() : (KNOWN[known] ?? '');
    const twice = known < 0 ? names.includes(name) : (seen & (1 << known)) !== 0;
    if (twice) return flaw('auth-param', i, 'an auth-param given twice');
    if (known >= 0) seen |= 1 << known;
    if (names.length >= MAX_AUTH_PARAMS) return flaw('auth-param', i, 'too many auth-params');
    names.push(name);
    values.push(valueOf(raw, value, valueEnd, plain));
    i = skipLws(valueEnd, end);
    if (i >= end) break;
    if (octet(i) !== COMMA) return flaw('auth-param', i, 'neither the end nor a comma');
    i = skipLws(i + 1, end);
  }
  return good({ scheme: 'Digest', params: new AuthParams(names, values) }, end);
}

/** Number of a name in `KNOWN`, or -1. */
function knownName(at: number, end: number): number {
  let known = FIRST[end - at] ?? -1;
  while (known >= 0 && !spells(at, end, KNOWN[known] ?? '')) known = NEXT[known] ?? -1;
  return known;
}

function valueOf(raw: string, at: number, end: number, plain: boolean): string {
  if (octet(at) !== DQUOTE) return raw.slice(at, end);
  return plain ? raw.slice(at + 1, end - 1) : unquote(raw, at, end);
}

/** A map of a dozen entries: looking through two lists is faster than hashing, and cheaper to make. */
class AuthParams implements ReadonlyMap<string, string> {
  private readonly names: readonly string[];
  private readonly texts: readonly string[];

  constructor(names: readonly string[], texts: readonly string[]) {
    this.names = names;
    this.texts = texts;
  }
  get size(): number {
    return this.names.length;
  }
  get(name: string): string | undefined {
    return this.texts[this.names.indexOf(name)];
  }
  has(name: string): boolean {
    return this.names.includes(name);
  }
  forEach(visit: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this);
  }
  entries(): MapIterator<[string, string]> {
    return new Map(this.names.map((name, i) => [name, this.texts[i] ?? ''])).entries();
  }
  keys(): MapIterator<string> {
    return new Map(this.entries()).keys();
  }
  values(): MapIterator<string> {
    return new Map(this.entries()).values();
  }
  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }
}

/** auth-param = auth-param-name EQUAL ( token / quoted-string ) */
function scanAuthValue(at: number, end: number): number {
  if (at < end && octet(at) === DQUOTE) return scanQuoted(at, end);
  return scanToken(at, end);
}
