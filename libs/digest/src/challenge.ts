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
  const { nonce, algorithms, stale } = options;
  const start = `${options.proxy === true ? 'Proxy-Authenticate' : 'WWW-Authenticate'}: Digest realm="${quotable(options.realm)}", qop="auth", algorithm=`;
  const end = stale ? `, nonce="${nonce}", stale=true\r\n` : `, nonce="${nonce}"\r\n`;
  let lines = '';
  for (const algorithm of algorithms) lines += start + algorithm + end;
  return lines;
}

/** RFC 3261 §25.1 quoted-string: `"` and `\` are escaped; a realm with other controls never gets into the configuration. */
function quotable(text: string): string {
  return text.includes('"') || text.includes('\\') ? text.replace(/["\\]/g, '\\$&') : text;
}
