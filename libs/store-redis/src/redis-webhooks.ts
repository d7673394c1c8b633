import { epochMs } from '@rollcall/kernel';
import { DEAD_LETTERS_KEPT, MAX_WEBHOOKS } from '@rollcall/location';
import type { DeadLetter, Page, Webhook, Webhooks } from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import { readStreamId } from './change-cursor.ts';
import type { StoreClient } from './client.ts';
import { fromOctets, printJson, readJson, toOctets } from './octets.ts';
import { defineScript } from './script.ts';
import { slotOf } from './slot.ts';

/** hash: webhooks by id, each as JSON without its id. */
const HOOKS = 'rc:{hooks}';
/** hash: cursors by webhook id. */
const POSITIONS = 'rc:{hooks}:c';
/** string: who delivers. */
const leaseKey = (id: string): string => `rc:{hooks}:l:${id}`;
/** stream: fields b = body, n = attempts, r = reason. */
const deadKey = (id: string): string => `rc:{hooks}:d:${id}`;
const SLOT = slotOf(HOOKS);
const CURSOR = /^\d{1,20}-\d{1,20}$/;

const putScript = defineScript(new URL('../scripts/put-webhook.lua', import.meta.url), 1);
const holdScript = defineScript(new URL('../scripts/hold-webhook.lua', import.meta.url), 1);
const moveScript = defineScript(new URL('../scripts/move-webhook.lua', import.meta.url), 3);

/** Webhooks in Redis, all in one slot: they are few. */
export class RedisWebhooks implements Webhooks {
  constructor(private readonly client: StoreClient) {}

  async list(): Promise<readonly Webhook[]> {
    const flat = listOf(await this.client.command(SLOT, ['HGETALL', HOOKS]));
    const hooks: Webhook[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const hook = readWebhook(textOf(flat[i]), flat[i + 1] ?? null);
      if (hook !== undefined) hooks.push(hook);
    }
    return hooks.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async find(id: string): Promise<Webhook | undefined> {
    return readWebhook(id, await this.client.command(SLOT, ['HGET', HOOKS, id]));
  }

  async put({ id, ...facts }: Webhook): Promise<boolean> {
    const reply = await this.client.run(putScript, SLOT, [HOOKS, id, printJson(facts), String(MAX_WEBHOOKS)]);
    return textOf(reply) === 'kept';
  }

  async remove(id: string): Promise<boolean> {
    const removed = numberOf(await this.client.write(SLOT, ['HDEL', HOOKS, id])) > 0;
    await this.client.command(SLOT, ['HDEL', POSITIONS, id]);
    await this.client.command(SLOT, ['DEL', leaseKey(id), deadKey(id)]);
    return removed;
  }

  async hold(id: string, holder: string, ttlMs: number): Promise<boolean> {
    const reply = await this.client.run(holdScript, SLOT, [leaseKey(id), holder, String(ttlMs)]);
    return textOf(reply) === 'held';
  }

  async release(id: string, holder: string): Promise<void> {
    await this.client.run(holdScript, SLOT, [leaseKey(id), holder, '0']);
  }

  async position(id: string): Promise<string | undefined> {
    const text = textOf(await this.client.command(SLOT, ['HGET', POSITIONS, id]));
    return text === '' ? undefined : text;
  }

  async moveOn(id: string, holder: string, position: string): Promise<boolean> {
    const keys = [leaseKey(id), POSITIONS, HOOKS];
    return textOf(await this.client.run(moveScript, SLOT, [...keys, holder, id, position])) === 'moved';
  }

  async bury(id: string, { body, attempts, reason }: Omit<DeadLetter, 'cursor' | 'at'>): Promise<void> {
    await this.client.command(SLOT, [
      ...['XADD', deadKey(id), 'MAXLEN', '~', String(DEAD_LETTERS_KEPT), '*'],
      ...['b', toOctets(body), 'n', String(attempts), 'r', toOctets(reason)],
    ]);
  }

  async deadLetters(id: string, cursor: string | undefined, limit: number): Promise<Page<DeadLetter>> {
    const from = cursor === undefined ? '+' : CURSOR.test(cursor) ? `(${cursor}` : '(0-1';
    const command = ['XREVRANGE', deadKey(id), from, '-', 'COUNT', String(limit + 1)];
    const letters = listOf(await this.client.command(SLOT, command)).map(readLetter);
    const items = letters.slice(0, limit);
    const last = items.at(-1);
    return letters.length > limit && last !== undefined ? { items, cursor: last.cursor } : { items };
  }
}

/** A value that is damaged is no webhook. */
function readWebhook(id: string, reply: Reply): Webhook | undefined {
  const value = readJson(textOf(reply));
  const whole = typeof value === 'object' && value !== null && 'url' in value && 'secret' in value;
  return whole ? { ...(value as Omit<Webhook, 'id'>), id } : undefined;
}

function readLetter(reply: Reply): DeadLetter {
  const [id, flat] = listOf(reply);
  const values = listOf(flat);
  const field = (name: string): string => {
    const at = values.findIndex((value, i) => i % 2 === 0 && textOf(value) === name);
    return at < 0 ? '' : fromOctets(textOf(values[at + 1]));
  };
  const cursor = textOf(id);
  return {
    cursor,
    at: epochMs(readStreamId(cursor).ms),
    body: field('b'),
    attempts: Number(field('n')),
    reason: field('r'),
  };
}
