const FNV_PRIME = 0x01000193;
const FNV_BASIS = 0x811c9dc5;
/** A second basis, so that two 32-bit hashes make one of 64 bits. */
const OTHER_BASIS = 0x9dc5811c;

/** A short name for a text (FNV-1a, twice 32 bits, base 36): equal texts have equal names. No defence against a forger. */
export function fingerprintOf(text: string): string {
  let a = FNV_BASIS;
  let b = OTHER_BASIS;
  for (let i = 0; i < text.length; i += 1) {
    const octet = text.charCodeAt(i);
    a = Math.imul(a ^ octet, FNV_PRIME);
    b = Math.imul(b ^ octet, FNV_PRIME) + i;
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}
