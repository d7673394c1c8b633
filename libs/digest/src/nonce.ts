import { createHmac, hash, randomFillSync } from 'node:crypto';
import { base36Padded, BoundedMap } from '@rollcall/kernel';
import { IssuedNonces } from './issued-nonces.ts';
import { KeyedHash } from './keyed-hash.ts';
import { NonceCounts } from './nonce-counts.ts';
import { sameDigest } from './verifier.ts';

/*
 * A nonce is  TAG STAMP SALT MAC , all of fixed width:
 *   TAG    which start of which edge issued it: 8 hex digits of SHA-256(edge)
 *   STAMP  11 digits base 36: (ms since 2024-01-01) * 4096 + a count, unique and rising at one edge
 *   SALT   8 random hex digits
 *   MAC    24 hex digits (96 bits) of HMAC-SHA-256 under the key of the rotation period that STAMP falls in
 * Nothing is kept of a nonce until an answer to it has been verified.
 */
const TAG_LENGTH = 8;
const STAMP_LENGTH = 11;
const SALT_LENGTH = 8;
const MAC_LENGTH = 24;
const SIGNED_LENGTH = TAG_LENGTH + STAMP_LENGTH + SALT_LENGTH;
const NONCE_LENGTH = SIGNED_LENGTH + MAC_LENGTH;
const STAMP_START = TAG_LENGTH;
const STAMP_END = TAG_LENGTH + STAMP_LENGTH;

const EPOCH = Date.UTC(2024, 0, 1);
const STAMPS_PER_MS = 4096;
const SALT_POOL_OCTETS = 4096;
/** 8,192 nonces: what is asked of within a second under full load. */
const ISSUED_BITS = 13;
/** An RFC 2069 answer has no count: it uses its nonce up. Higher than any 8 hex digits. */
const USED_UP = 2 ** 32;

export interface NonceOptions {
  /** Which start of which edge this is; another start of the same edge knows nothing of what was used before. */
  readonly edge: string;
  /** Shared by all edges. */
  readonly secret: string;
  /** How long a nonce may be answered. */
  readonly lifetimeMs: number;
  /** How long one derived key signs; at least the lifetime, so that a fresh nonce is of this period or the one before. */
  readonly rotationMs: number;
  /** Most nonces whose count is kept. */
  readonly highWaterLimit: number;
}

/**
 * - `fresh`: issued here, in its lifetime. Says nothing of `nc` yet, see `NonceAuthority.accept`.
 * - `stale`: ours but past its lifetime, of another edge, or pushed out of the table: answer with `stale=true`.
 * - `forged`: not made with the shared secret: answer as if there were no credentials, never `stale=true`.
 */
export type NonceState = 'fresh' | 'stale' | 'forged';

/** Issues nonces without keeping them, and counts the uses of those that were answered rightly (RFC 7616 §3.3, §3.4 `nc`). */
export class NonceAuthority {
  readonly #tag: string;
  readonly #keys = new BoundedMap<number, KeyedHash>(4);
  /** Highest `nc` by stamp. Only nonces that carried a right answer are in it. */
  readonly #highWater: NonceCounts;
  readonly #issued = new IssuedNonces(ISSUED_BITS, NONCE_LENGTH);
  /** Everything issued up to this stamp and not in the table is stale, because its count may have been pushed out. */
  #watermark = 0;
  #lastStamp = 0;
  #saltPool = '';
  #saltAt = 0;

  constructor(private readonly options: NonceOptions) {
    if (options.rotationMs < options.lifetimeMs)
      throw new RangeError('a nonce would outlive the key before the present one');
    this.#tag = hash('sha256', options.edge).slice(0, TAG_LENGTH);
    this.#highWater = new NonceCounts(options.highWaterLimit);
  }

  /** Nonces whose count is kept at present. */
  get counted(): number {
    return this.#highWater.size;
  }

  /** A new nonce; `now` in ms since the Unix epoch. 51 characters, none of them needs escaping. */
  issue(now: number): string {
    const stamp = Math.max((now - EPOCH) * STAMPS_PER_MS, this.#lastStamp + 1);
    this.#lastStamp = stamp;
    const signed = this.#tag + base36Padded(stamp, STAMP_LENGTH) + this.#salt();
    const nonce = signed + this.#mac(signed, stamp);
    this.#issued.add(stamp, nonce);
    return nonce;
  }

  /**
   * Who made this nonce, and whether it may still be answered. Costs one HMAC, but for the latest that were issued, and for a nonce of
   * ours that was used before: its stamp and the 32 bits of its salt are kept, and whoever changes the MAC has another nonce to
   * answer, for which they need a password.
   */
  check(nonce: string, now: number): NonceState {
    if (nonce.length !== NONCE_LENGTH) return 'forged';
    const stamp = readStamp(nonce);
    if (!Number.isSafeInteger(stamp)) return 'forged';
    if (!this.#isKnown(nonce, stamp) && !this.#isSigned(nonce, stamp)) return 'forged';
    if (!nonce.startsWith(this.#tag)) return 'stale';
    if (issuedAt(stamp) + this.options.lifetimeMs <= now) return 'stale';
    return stamp > this.#watermark || this.#highWater.get(stamp) !== undefined ? 'fresh' : 'stale';
  }

  /**
   * Counts one use of a nonce that `check` called fresh and whose answer was right. False for a replay: `nc` is not above
   * the highest seen. `nc` undefined is an RFC 2069 answer, which uses the nonce up.
   */
  accept(nonce: string, nc: number | undefined): boolean {
    const stamp = readStamp(nonce);
    const count = nc ?? USED_UP;
    const highest = this.#highWater.get(stamp);
    if (highest === undefined && stamp <= this.#watermark) return false;
    if (highest !== undefined && count <= highest) return false;
    if (highest !== undefined && count === USED_UP) return false;
    const gone = this.#highWater.set(stamp, count, readSalt(nonce));
    if (gone !== undefined && gone > this.#watermark) this.#watermark = gone;
    return true;
  }

  #isKnown(nonce: string, stamp: number): boolean {
    if (this.#issued.has(stamp, nonce)) return true;
    return nonce.startsWith(this.#tag) && this.#highWater.knows(stamp, readSalt(nonce));
  }

  #isSigned(nonce: string, stamp: number): boolean {
    return sameDigest(this.#mac(nonce.slice(0, SIGNED_LENGTH), stamp), nonce.slice(SIGNED_LENGTH));
  }

  #mac(signed: string, stamp: number): string {
    const period = Math.floor(issuedAt(stamp) / this.options.rotationMs);
    let key = this.#keys.peek(period);
    if (key === undefined) {
      // key_i = HMAC(secret, i): every edge derives the same keys and none is ever sent.
      const octets = createHmac('sha256', this.options.secret)
        .update(`rollcall nonce ${String(period)}`)
        .digest();
      key = new KeyedHash(octets, SIGNED_LENGTH);
      this.#keys.set(period, key);
    }
    return key.hex(signed).slice(0, MAC_LENGTH);
  }

  #salt(): string {
    if (this.#saltAt >= this.#saltPool.length) {
      this.#saltPool = randomFillSync(Buffer.allocUnsafe(SALT_POOL_OCTETS)).toString('hex');
      this.#saltAt = 0;
    }
    return this.#saltPool.slice(this.#saltAt, (this.#saltAt += SALT_LENGTH));
  }
}

function issuedAt(stamp: number): number {
  return EPOCH + Math.floor(stamp / STAMPS_PER_MS);
}

/** The salt as an integer of 32 bits; any for what is no hex. */
function readSalt(nonce: string): number {
  let salt = 0;
  for (let i = STAMP_END; i < SIGNED_LENGTH; i += 1) {
    const code = nonce.charCodeAt(i);
    salt = (salt << 4) | (code <= 0x39 ? code - 0x30 : code - 0x57);
  }
  return salt;
}

/** NaN for what is not 11 lower-case digits base 36. */
function readStamp(nonce: string): number {
  let stamp = 0;
  for (let i = STAMP_START; i < STAMP_END; i += 1) {
    const code = nonce.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) stamp = stamp * 36 + code - 0x30;
    else if (code >= 0x61 && code <= 0x7a) stamp = stamp * 36 + code - 0x57;
    else return Number.NaN;
  }
  return stamp;
}
