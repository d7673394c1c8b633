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

/** The auth-params of RFC 7616 §3.4 by the length of their names; others are read all the same. */
const KNOWN: readonly (readonly string[])[] = [
  [],
  [],
  ['nc'],
  ['uri', 'qop'],
  [],
  ['realm', 'nonce'],
  ['cnonce', 'opaque'],
  [],
  ['username', 'response', 'userhash'],
  ['algorithm', 'username*'],
];

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
    const name = nameOf(raw, i, nameEnd);
    if (names.includes(name)) return flaw('auth-param', i, 'an auth-param given twice');
    if (names.length >= MAX_AUTH_PARAMS) return flaw('auth-param', i, 'too many auth-params');
    names.push(name);
    values.push(octet(value) === DQUOTE ? unquote(raw, value, valueEnd) : raw.slice(value, valueEnd));
    i = skipLws(valueEnd, end);
    if (i >= end) break;
    if (octet(i) !== COMMA) return flaw('auth-param', i, 'neither the end nor a comma');
    i = skipLws(i + 1, end);
  }
  return good({ scheme: 'Digest', params: new AuthParams(names, values) }, end);
}

/** The name in lower case; those of `KNOWN` without making a new string. */
function nameOf(raw: string, at: number, end: number): string {
  for (const name of KNOWN[end - at] ?? []) if (spells(at, end, name)) return name;
  return raw.slice(at, end).toLowerCase();
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
