import { MAX_API_TOKENS } from './api-tokens.ts';
import type { ApiToken, ApiTokens } from './api-tokens.ts';
import type { Page } from './directory.ts';

/** The API tokens in the memory of one process: for tests. */
export class MemoryApiTokens implements ApiTokens {
  readonly #tokens = new Map<string, ApiToken>();

  find(id: string): Promise<ApiToken | undefined> {
    return Promise.resolve(this.#tokens.get(id));
  }

  add(token: ApiToken): Promise<boolean> {
    const refused = this.#tokens.size >= MAX_API_TOKENS || this.#tokens.has(token.id);
    if (!refused) this.#tokens.set(token.id, token);
    return Promise.resolve(!refused);
  }

  remove(id: string): Promise<boolean> {
    return Promise.resolve(this.#tokens.delete(id));
  }

  list(cursor: string | undefined, limit: number): Promise<Page<ApiToken>> {
    const after = [...this.#tokens.values()]
      .filter(({ id }) => cursor === undefined || id > cursor)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const items = after.slice(0, limit);
    const last = items.at(-1);
    return Promise.resolve(
      after.length > limit && last !== undefined ? { items, cursor: last.id } : { items },
    );
  }
}
