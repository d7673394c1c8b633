/** A start for `hashKey` that nobody outside knows, so that nobody can choose keys that share a place. */
export const secretSeed = (): number => Math.floor(Math.random() * 2 ** 32) | 0;

/** FNV-1a of an octet string, 32 bits with the high ones folded in: two keys may share it. */
export function hashKey(key: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
