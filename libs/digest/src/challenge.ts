import type { Algorithm } from './algorithm.ts';

export interface ChallengeOptions {
  readonly realm: string;
  /** One nonce for all the challenges of one answer: it is not bound to an algorithm. */
  readonly nonce: string;
  /** Order of preference, the most preferred first (RFC 8760 §2.3). */
  readonly algorithms: readonly Algorithm[];
  /** The nonce of the request was too old or used up, not the password wrong (RFC 7616 §3.3). */
  readonly stale: boolean;
  /** 407 instead of 401: `Proxy-Authenticate` (RFC 3261 §22.3). */
  readonly proxy?: boolean;
}

/**
 * Whole header lines, one for each algorithm, each with CRLF (RFC 7616 §3.3, RFC 8760 §2.3). `realm`, `nonce` and `qop` are
 * quoted, `stale` and `algorithm` are not; `qop` is always sent (RFC 8760 §2.6 item 8).
 */
export function challenge(options: ChallengeOptions): string {
  const { nonce, stale } = options;
  const end = stale ? STALE : FRESH;
  let lines = '';
  for (const start of startsOf(options)) lines += start + nonce + end;
  return lines;
}

const FRESH = '"\r\n';
const STALE = '", stale=true\r\n';

/** The lines up to the nonce as they were made last: an edge has few realms and one list of algorithms. */
let last:
  { realm: string; algorithms: readonly Algorithm[]; proxy: boolean; starts: readonly string[] } | undefined;

function startsOf({ realm, algorithms, proxy = false }: ChallengeOptions): readonly string[] {
  if (last?.realm === realm && last.algorithms === algorithms && last.proxy === proxy) return last.starts;
  const name = proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate';
  const start = `${name}: Digest realm="${quotable(realm)}", qop="auth", algorithm=`;
  const starts = algorithms.map((algorithm) => `${start}${algorithm}, nonce="`);
  last = { realm, algorithms, proxy, starts };
  return starts;
}

/** RFC 3261 §25.1 quoted-string: `"` and `\` are escaped; a realm with other controls never gets into the configuration. */
function quotable(text: string): string {
  return text.includes('"') || text.includes('\\') ? text.replace(/["\\]/g, '\\$&') : text;
}
