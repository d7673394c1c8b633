import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { MAX_API_TOKENS } from '../api-tokens.ts';
import type { ApiToken, ApiTokens } from '../api-tokens.ts';

/** What an adapter hands to the suite: an empty store, and the same store as another process sees it. */
export interface ApiTokensUnderTest {
  readonly tokens: ApiTokens;
  readonly elsewhere: ApiTokens;
}

const token = (fields: Partial<ApiToken> = {}): ApiToken => ({
  id: randomBytes(9).toString('hex'),
  name: 'a "name" \u00e4\u{1f600}',
  scope: 'read',
  createdAt: epochMs(Date.UTC(2026, 0, 31)),
  secretHash: 'a'.repeat(64),
  ...fields,
});

/** The contract of the API tokens, as vitest tests. `open` gives the same store each time; nobody else may use it meanwhile. */
export function apiTokensContract(name: string, open: () => Promise<ApiTokensUnderTest>): void {
  describe(`A07 API tokens contract: ${name}`, () => {
    test('A07 a token is found as it was added, everywhere and at once, and not after removal', async () => {
      const { tokens, elsewhere } = await open();
      const all = token();
      const bound = token({ scope: 'write', domains: ['a.test', '[2001:db8::1]'] });
      for (const one of [all, bound]) {
        expect(await elsewhere.find(one.id)).toBeUndefined();
        expect(await tokens.add(one)).toBe(true);
        expect(await elsewhere.find(one.id)).toEqual(one);
        expect(await elsewhere.remove(one.id)).toBe(true);
        expect(await tokens.find(one.id)).toBeUndefined();
        expect(await tokens.remove(one.id)).toBe(false);
      }
    });

    test('A07 a token that is there is not written over', async () => {
      const { tokens, elsewhere } = await open();
      const first = token();
      expect(await tokens.add(first)).toBe(true);
      expect(await elsewhere.add({ ...first, scope: 'write' })).toBe(false);
      expect(await tokens.find(first.id)).toEqual(first);
      await tokens.remove(first.id);
    });

    test('A07 they are bounded in number, however many add at once, and listed by id, each once', async () => {
      const { tokens, elsewhere } = await open();
      const many = Array.from({ length: MAX_API_TOKENS + 20 }, () => token());
      const added = await Promise.all(
        many.map((one, index) => (index % 2 === 0 ? tokens : elsewhere).add(one)),
      );
      expect(added.filter(Boolean)).toHaveLength(MAX_API_TOKENS);
      const listed: ApiToken[] = [];
      let cursor: string | undefined;
      do {
        const page = await tokens.list(cursor, 300);
        listed.push(...page.items);
        cursor = page.cursor;
      } while (cursor !== undefined);
      const kept = many.filter((_, index) => added[index]).sort((a, b) => (a.id < b.id ? -1 : 1));
      expect(listed).toEqual(kept);
      await Promise.all(kept.map(({ id }) => elsewhere.remove(id)));
      expect(await tokens.list(undefined, 10)).toEqual({ items: [] });
      expect(await tokens.add(kept[0] ?? token())).toBe(true);
    });
  });
}
