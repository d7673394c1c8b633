/** Authorization and Proxy-Authorization (RFC 3261 §20.7, RFC 7616 §3.4). */
import { load, octet } from '../grammar/octets.ts';
import { COMMA, DQUOTE, EQUAL } from '../grammar/chars.ts';
import { scanQuoted, scanToken, skipLws, spells, unquote } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Flawed, Read } from '../problem.ts';

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
  const start = skipLws(schemeEnd, end);
  if (start === schemeEnd) return flaw('credentials', start, 'nothing after the scheme');
  const params = new AuthParams(raw, start, end);
  return readParams(raw, start, end, params) ?? good({ scheme: 'Digest', params }, end);
}

/** Takes what `readParams` reads. */
interface Sink {
  has(name: string): boolean;
  /** `known`: number in `KNOWN`, or -1 for the name `other`. */
  put(known: number, other: string, value: string): void;
}

function readParams(raw: string, at: number, end: number, params: Sink): Flawed | undefined {
  // one look tells for all values whether there is a backslash to take out
  const escape = raw.indexOf('\\', at);
  const plain = escape < 0 || escape >= end;
  let seen = 0;
  let count = 0;
  let i = at;
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
    const other = known < 0 ? raw.slice(i, nameEnd).toLowerCase() : '';
    const twice = known < 0 ? params.has(other) : (seen & (1 << known)) !== 0;
    if (twice) return flaw('auth-param', i, 'an auth-param given twice');
    if (known >= 0) seen |= 1 << known;
    if (count >= MAX_AUTH_PARAMS) return flaw('auth-param', i, 'too many auth-params');
    count += 1;
    params.put(known, other, valueOf(raw, value, valueEnd, plain));
    i = skipLws(valueEnd, end);
    if (i >= end) return undefined;
    if (octet(i) !== COMMA) return flaw('auth-param', i, 'neither the end nor a comma');
    i = skipLws(i + 1, end);
  }
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

/** A map whose known names are fields: nothing is hashed, and there is one object instead of a table. */
class AuthParams implements Sink, ReadonlyMap<string, string> {
  private username: string | undefined = undefined;
  private realm: string | undefined = undefined;
  private nonce: string | undefined = undefined;
  private uri: string | undefined = undefined;
  private response: string | undefined = undefined;
  private algorithm: string | undefined = undefined;
  private cnonce: string | undefined = undefined;
  private qop: string | undefined = undefined;
  private nc: string | undefined = undefined;
  /** Those that hardly anybody sends, and those that we do not know. */
  private others: Map<string, string> | undefined = undefined;

  /** `[at, end)` of `raw` is where they stand: read again by whoever wants them in their order. */
  constructor(
    private readonly raw: string,
    private readonly at: number,
    private readonly end: number,
  ) {}

  put(known: number, other: string, value: string): void {
    switch (KNOWN[known]) {
      case 'username':
        this.username = value;
        break;
      case 'realm':
        this.realm = value;
        break;
      case 'nonce':
        this.nonce = value;
        break;
      case 'uri':
        this.uri = value;
        break;
      case 'response':
        this.response = value;
        break;
      case 'algorithm':
        this.algorithm = value;
        break;
      case 'cnonce':
        this.cnonce = value;
        break;
      case 'qop':
        this.qop = value;
        break;
      case 'nc':
        this.nc = value;
        break;
      default:
        this.others ??= new Map();
        this.others.set(KNOWN[known] ?? other, value);
    }
  }

  get(name: string): string | undefined {
    switch (name) {
      case 'username':
        return this.username;
      case 'realm':
        return this.realm;
      case 'nonce':
        return this.nonce;
      case 'uri':
        return this.uri;
      case 'response':
        return this.response;
      case 'algorithm':
        return this.algorithm;
      case 'cnonce':
        return this.cnonce;
      case 'qop':
        return this.qop;
      case 'nc':
        return this.nc;
      default:
        return this.others?.get(name);
    }
  }
  get size(): number {
    return this.toMap().size;
  }
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
  forEach(visit: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.entries()) visit(value, name, this);
  }
  entries(): MapIterator<[string, string]> {
    return this.toMap().entries();
  }
  keys(): MapIterator<string> {
    return this.toMap().keys();
  }
  values(): MapIterator<string> {
    return this.toMap().values();
  }
  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.entries();
  }

  private toMap(): Map<string, string> {
    const map = new Map<string, string>();
    load(this.raw);
    readParams(this.raw, this.at, this.end, {
      has: (name) => map.has(name),
      put: (known, other, value) => map.set(KNOWN[known] ?? other, value),
    });
    return map;
  }
}

/** auth-param = auth-param-name EQUAL ( token / quoted-string ) */
function scanAuthValue(at: number, end: number): number {
  if (at < end && octet(at) === DQUOTE) return scanQuoted(at, end);
  return scanToken(at, end);
}
