import { randomBytes } from 'node:crypto';

const POOL_BYTES = 8192;
/** RFC 3261 §19.3 asks for at least 32 bits of randomness in a tag; these have 72. */
const TOKEN_BYTES = 9;

let pool = '';
let at = 0;

/** A fresh token for tags and branches: 12 characters of base64url, all of them legal in a SIP token. */
export function newToken(): string {
  const length = (TOKEN_BYTES / 3) * 4;
  if (at + length > pool.length) {
    pool = randomBytes(POOL_BYTES - (POOL_BYTES % TOKEN_BYTES)).toString('base64url');
    at = 0;
  }
  at += length;
  return pool.slice(at - length, at);
}
