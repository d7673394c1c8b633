import { BoundedMap } from '@rollcall/kernel';
import type { Algorithm } from './algorithm.ts';
import { hashOctets } from './algorithm.ts';
import type { Answer } from './answer.ts';

/** Longest digest uri whose H(A2) is kept; REGISTER names its domain, which is short. */
const LONGEST_CACHED_URI = 128;

/**
 * Compares answers with stored H(A1) values (RFC 7616 §3.4.1). H(A2) of answers that were right is kept, because all
 * REGISTERs of a domain have the same method and uri; a wrong answer leaves nothing behind.
 */
export class Verifier {
  readonly #ha2: Readonly<Record<Algorithm, BoundedMap<string, string>>>;

  /** `ha2Limit`: most H(A2) values kept for each algorithm. */
  constructor(ha2Limit = 1024) {
    this.#ha2 = {
      'SHA-512-256': new BoundedMap(ha2Limit),
      'SHA-256': new BoundedMap(ha2Limit),
      MD5: new BoundedMap(ha2Limit),
    };
  }

  /** True when the client knows the password behind `ha1` (lower-case hex of the answer's algorithm). */
  verify(answer: Answer, method: string, ha1: string): boolean {
    const { algorithm, auth } = answer;
    const a2 = `${method}:${answer.uri}`;
    const known = this.#ha2[algorithm].peek(a2);
    const ha2 = known ?? hashOctets(algorithm, a2);
    const expected = hashOctets(
      algorithm,
      auth === undefined
        ? `${ha1}:${answer.nonce}:${ha2}` // RFC 2069 §2.1.2
        : `${ha1}:${answer.nonce}:${auth.ncText}:${auth.cnonce}:auth:${ha2}`,
    );
    const right = sameDigest(expected, answer.response);
    if (right && known === undefined && a2.length <= LONGEST_CACHED_URI)
      this.#ha2[algorithm].set(ownCopy(a2), ha2);
    return right;
  }
}

/** Compares hex digests in a time that depends on the length alone; the case of the client's hex digits is ignored. */
export function sameDigest(expected: string, given: string): boolean {
  if (expected.length !== given.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i += 1) {
    const code = given.charCodeAt(i);
    // 'A'..'F' to 'a'..'f'; digits already have bit 0x20.
    difference |= expected.charCodeAt(i) ^ (code >= 0x41 && code <= 0x46 ? code | 0x20 : code);
  }
  return difference === 0;
}

/** A string of its own: a slice would keep the whole message alive that it was cut from. */
function ownCopy(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('latin1');
}
