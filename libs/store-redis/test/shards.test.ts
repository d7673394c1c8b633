import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_SHARDS, shardAmong } from '../src/keys.ts';

/** FNV-1a with its halves folded, in integers of any size. */
function foldedHash(text: string): bigint {
  let hash = 0x811c9dc5n;
  for (const char of text) hash = ((hash ^ BigInt(char.charCodeAt(0))) * 0x01000193n) & 0xffffffffn;
  return hash ^ (hash >> 16n);
}

test('an AoR stays in the shard that its hash names, however many there are', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: MAX_SHARDS }), (user, shards) => {
      const aor = `sip:${encodeURIComponent(user)}@example.test`;
      expect(shardAmong(aor, shards)).toBe(Number(foldedHash(aor) % BigInt(shards)));
    }),
  );
});
