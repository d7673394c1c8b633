import { base36 } from '@rollcall/kernel';

const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;
/** A second basis, so that two 32-bit hashes make one of 64 bits. */
const OTHER_BASIS = 0x9dc5811c;

/** Two hashes of 32 bits (FNV-1a). No defence against a forger. */
export function hashOf(text: string): readonly [number, number] {
  let a = FNV_BASIS;
  let b = OTHER_BASIS;
  for (let i = 0; i < text.length; i += 1) {
    const octet = text.charCodeAt(i);
    a = Math.imul(a ^ octet, FNV_PRIME);
    b = (Math.imul(b ^ octet, FNV_PRIME) + i) | 0;
  }
  return [a >>> 0, b >>> 0];
}

/** A short name for a text (64 bits, base 36): equal texts have equal names. No defence against a forger. */
export function fingerprintOf(text: string): string {
  const [a, b] = hashOf(text);
  return base36(a) + base36(b);
}
