import { MAX_API_TOKENS } from '@rollcall/location';
import type { ApiToken, ApiTokens, Page } from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { printJson, readJson } from './octets.ts';
import { defineScript } from './script.ts';
import { slotOf } from './slot.ts';

/** hash: API tokens by id, each as JSON without its id. */
const KEY = 'rc:{tokens}';
const SLOT = slotOf(KEY);
const addScript = defineScript(new URL('../scripts/add-token.lua', import.meta.url), 1);

/** API tokens in Redis: one hash, for they are few. Nothing of it is kept in the process, so that a removed token is refused at once. */
export class RedisApiTokens implements ApiTokens {
  constructor(private readonly client: StoreClient) {}

  async find(id: string): Promise<ApiToken | undefined> {
    return readToken(id, await this.client.command(SLOT, ['HGET', KEY, id]));
  }

  async add({ id, ...facts }: ApiToken): Promise<boolean> {
    const reply = await this.client.run(addScript, SLOT, [KEY, id, printJson(facts), String(MAX_API_TOKENS)]);
    return textOf(reply) === 'added';
  }

  async remove(id: string): Promise<boolean> {
    return numberOf(await this.client.write(SLOT, ['HDEL', KEY, id])) > 0;
  }

  async list(cursor: string | undefined, limit: number): Promise<Page<ApiToken>> {
    const ids = listOf(await this.client.command(SLOT, ['HKEYS', KEY]))
      .map(textOf)
      .filter((id) => cursor === undefined || id > cursor)
      .sort();
    const page = ids.slice(0, limit);
    if (page.length === 0) return { items: [] };
    const values = listOf(await this.client.command(SLOT, ['HMGET', KEY, ...page]));
    const items = page.flatMap((id, index) => readToken(id, values[index] ?? null) ?? []);
    const last = page.at(-1);
    return ids.length > limit && last !== undefined ? { items, cursor: last } : { items };
  }
}

/** A value that is damaged grants nothing. */
function readToken(id: string, reply: Reply): ApiToken | undefined {
  const value = readJson(textOf(reply));
  const whole = typeof value === 'object' && value !== null && 'secretHash' in value && 'scope' in value;
  return whole ? { ...(value as Omit<ApiToken, 'id'>), id } : undefined;
}
