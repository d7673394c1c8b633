import { createHash, randomBytes } from 'node:crypto';

/** One `WWW-Authenticate: Digest` challenge as a phone reads it. */
export type Challenge = ReadonlyMap<string, string>;

export interface AnswerOptions {
  readonly method: string;
  readonly uri: string;
  readonly user: string;
  readonly password: string;
  readonly nc?: number;
  readonly cnonce?: string;
  /** Sends H(user:realm) instead of the name (RFC 7616 §3.4.4). */
  readonly userhash?: boolean;
}

const HASHES: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  'SHA-512-256': 'sha512-256',
};
const CNONCE_BYTES = 8;

/** Reads `Digest a="b", c=d` into its parameters, names in lower case. */
export function readChallenge(value: string): Challenge {
  const params = new Map<string, string>();
  for (const [, name = '', quoted, token] of value
    .replace(/^Digest\s+/i, '')
    .matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))/g)) {
    params.set(name.toLowerCase(), quoted ?? token ?? '');
  }
  return params;
}

/** The first challenge a phone with these algorithms can answer: the server's order is its preference (RFC 8760 §2.4). */
export function pickChallenge(
  values: readonly string[],
  algorithms = Object.keys(HASHES),
): Challenge | undefined {
  return values
    .map(readChallenge)
    .find((challenge) => algorithms.includes(challenge.get('algorithm') ?? 'MD5'));
}

/** The value of an Authorization header (RFC 7616 §3.4) that answers the challenge. */
export function answerChallenge(challenge: Challenge, options: AnswerOptions): string {
  const algorithm = challenge.get('algorithm') ?? 'MD5';
  const hash = (text: string) =>
    createHash(HASHES[algorithm] ?? algorithm)
      .update(text, 'utf8')
      .digest('hex');
  const realm = challenge.get('realm') ?? '';
  const nonce = challenge.get('nonce') ?? '';
  const { user, password, method, uri } = options;
  const nc = (options.nc ?? 1).toString(16).padStart(8, '0');
  const cnonce = options.cnonce ?? randomBytes(CNONCE_BYTES).toString('hex');
  const ha1 = hash(`${user}:${realm}:${password}`);
  const response = hash(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${hash(`${method}:${uri}`)}`);
  const opaque = challenge.get('opaque');
  return [
    `Digest username="${options.userhash === true ? hash(`${user}:${realm}`) : user}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${uri}"`,
    `response="${response}"`,
    `algorithm=${algorithm}`,
    `cnonce="${cnonce}"`,
    'qop=auth',
    `nc=${nc}`,
    ...(opaque === undefined ? [] : [`opaque="${opaque}"`]),
    ...(options.userhash === true ? ['userhash=true'] : []),
  ].join(', ');
}
