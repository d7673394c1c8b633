/** Authorization and Proxy-Authorization (RFC 3261 §20.7, RFC 7616 §3.4). */
import { octet } from '../grammar/octets.ts';
import { COMMA, DQUOTE, EQUAL, TOKEN, isIn } from '../grammar/chars.ts';
import { scanQuoted, scanToken, skipLws, spells, unquote } from '../grammar/scan.ts';
import { flaw, good } from '../problem.ts';
import type { Read } from '../problem.ts';

/** One header line of Digest credentials. Values are unquoted; nothing is checked but the grammar. */
export interface DigestCredentials {
  readonly scheme: 'Digest';
  readonly username?: string | undefined;
  readonly realm?: string | undefined;
  readonly nonce?: string | undefined;
  readonly uri?: string | undefined;
  readonly response?: string | undefined;
  readonly algorithm?: string | undefined;
  readonly cnonce?: string | undefined;
  readonly opaque?: string | undefined;
  readonly qop?: string | undefined;
  readonly nc?: string | undefined;
  /** All of them, names in lower case. */
  readonly params: ReadonlyMap<string, string>;
}

/** More auth-params than this is no Digest: RFC 7616 §3.4 names twelve. */
const MAX_AUTH_PARAMS = 32;

/**
 * "Digest" LWS dig-resp *(COMMA dig-resp). `undefined` for another scheme, which is read as no credentials at all
 * (RFC 4475 §3.3.7). Problems: `credentials`, `auth-param` (twice the same name included).
 */
export function readCredentials(raw: string, at: number, end: number): Read<DigestCredentials | undefined> {
  const schemeEnd = scanToken(at, end);
  if (schemeEnd < 0) return flaw('credentials', ~schemeEnd, 'credentials without a scheme');
  if (!spells(at, schemeEnd, 'digest')) return good(undefined, end);
  const params = new Map<string, string>();
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
    const name = raw.slice(i, nameEnd).toLowerCase();
    if (params.has(name) || params.size >= MAX_AUTH_PARAMS)
      return flaw('auth-param', i, 'an auth-param given twice');
    params.set(name, octet(value) === DQUOTE ? unquote(raw, value, valueEnd) : raw.slice(value, valueEnd));
    i = skipLws(valueEnd, end);
    if (i >= end) break;
    if (octet(i) !== COMMA) return flaw('auth-param', i, 'neither the end nor a comma');
    i = skipLws(i + 1, end);
  }
  return good(credentialsOf(params), end);
}

/** auth-param = auth-param-name EQUAL ( token / quoted-string ) */
function scanAuthValue(at: number, end: number): number {
  if (at < end && octet(at) === DQUOTE) return scanQuoted(at, end);
  let i = at;
  while (i < end && isIn(octet(i), TOKEN)) i += 1;
  return i === at ? ~at : i;
}

const credentialsOf = (params: ReadonlyMap<string, string>): DigestCredentials => ({
  scheme: 'Digest',
  username: params.get('username'),
  realm: params.get('realm'),
  nonce: params.get('nonce'),
  uri: params.get('uri'),
  response: params.get('response'),
  algorithm: params.get('algorithm'),
  cnonce: params.get('cnonce'),
  opaque: params.get('opaque'),
  qop: params.get('qop'),
  nc: params.get('nc'),
  params,
});
