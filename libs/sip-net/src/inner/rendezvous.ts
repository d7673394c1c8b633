/** 32-bit FNV-1a of an octet string. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** Mixes two hashes so that each bit of either moves about half of the result (the finalizer of MurmurHash3). */
export function mix(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Rendezvous hashing: the candidate with the highest score for the key. When one goes, only its own keys move.
 * `seed` is `hashText` of the candidate's name. Undefined when `usable` takes none.
 */
export function highest<T extends { readonly seed: number }>(
  key: number,
  candidates: readonly T[],
  usable: (candidate: T) => boolean,
): T | undefined {
  let best: T | undefined;
  let bestScore = -1;
  for (const candidate of candidates) {
    const score = mix(key, candidate.seed);
    if (score > bestScore && usable(candidate)) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}
