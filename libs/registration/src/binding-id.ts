import type { Binding, BindingId } from '@rollcall/location';

/** FNV-1a, 32 bit: offset basis and prime. */
const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** 2^32 divided by the golden ratio, odd: Knuth's multiplicative hashing. */
const KNUTH = 0x9e3779b1;
/** What of the second hash fits above the 32 bits of the first into a safe integer. */
const HIGH_BITS = 0x1fffff;

/** A 53-bit hash of octets, for names that must come out the same on every replica; not for secrets. */
export function hash53(text: string, seed = 0): number {
  let low = FNV_BASIS ^ seed;
  let high = KNUTH + seed;
  for (let index = 0; index < text.length; index++) {
    const octet = text.charCodeAt(index);
    low = Math.imul(low ^ octet, FNV_PRIME);
    high = Math.imul(high + octet, KNUTH) ^ (high >>> 15);
  }
  return (high & HIGH_BITS) * 2 ** 32 + (low >>> 0);
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz012345';
const PAIR_BITS = 10;
const PAIRS = Array.from(
  { length: 2 ** PAIR_BITS },
  (_, at) => LETTERS.charAt(at >> 5) + LETTERS.charAt(at & 31),
);
const pair = (bits: number): string => PAIRS[bits & (2 ** PAIR_BITS - 1)] ?? '';

/** 50 bits of `hash53` as ten letters and digits, beginning anywhere in the alphabet. */
export function hashName(text: string, seed = 0): string {
  const hash = hash53(text, seed);
  const low = hash >>> 0;
  const high = (hash - low) / 2 ** 32;
  return (
    pair(high >>> PAIR_BITS) +
    pair(high) +
    pair(low >>> (2 * PAIR_BITS)) +
    pair(low >>> PAIR_BITS) +
    pair(low)
  );
}

/** A name for a new binding that no binding of `taken` has, the same wherever it is made from the same. */
export function newBindingId(name: string, taken: readonly Pick<Binding, 'id'>[]): BindingId {
  for (let seed = 0; ; seed++) {
    const id = hashName(name, seed);
    if (!taken.some((binding) => binding.id === id)) return id as BindingId;
  }
}
