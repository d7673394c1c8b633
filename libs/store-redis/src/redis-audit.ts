import { epochMs } from '@rollcall/kernel';
import type { AuditEntry, AuditLog, AuditRecord, Page } from '@rollcall/location';
import { listOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { readStreamId } from './change-cursor.ts';
import { fromOctets, toOctets } from './octets.ts';
import { slotOf } from './slot.ts';

/** stream: fields a = actor, c = action, t = target, d = detail. */
const KEY = 'rc:{audit}:log';
const SLOT = slotOf(KEY);
/** Acts kept; what must be kept for longer is read from the services' logs. */
const ACTS_KEPT = 10_000;
const CURSOR = /^\d{1,20}-\d{1,20}$/;

/** The audit log in Redis: one bounded stream. */
export class RedisAudit implements AuditLog {
  constructor(private readonly client: StoreClient) {}

  async append({ actor, action, target, detail }: AuditEntry): Promise<void> {
    const fields = ['a', actor, 'c', action, 't', target, ...(detail === undefined ? [] : ['d', detail])];
    await this.client.command(SLOT, [
      ...['XADD', KEY, 'MAXLEN', '~', String(ACTS_KEPT), '*'],
      ...fields.map(toOctets),
    ]);
  }

  async list(cursor: string | undefined, limit: number): Promise<Page<AuditRecord>> {
    const from = cursor === undefined ? '+' : CURSOR.test(cursor) ? `(${cursor}` : '(0-1';
    const reply = await this.client.command(SLOT, ['XREVRANGE', KEY, from, '-', 'COUNT', String(limit + 1)]);
    const records = listOf(reply).map(readRecord);
    const items = records.slice(0, limit);
    const last = items.at(-1);
    return records.length > limit && last !== undefined ? { items, cursor: last.cursor } : { items };
  }
}

function readRecord(reply: Reply): AuditRecord {
  const [id, flat] = listOf(reply);
  const fields = new Map<string, string>();
  const values = listOf(flat);
  for (let i = 0; i + 1 < values.length; i += 2)
    fields.set(textOf(values[i]), fromOctets(textOf(values[i + 1])));
  const cursor = textOf(id);
  const detail = fields.get('d');
  return {
    cursor,
    at: epochMs(readStreamId(cursor).ms),
    actor: fields.get('a') ?? '',
    action: fields.get('c') ?? '',
    target: fields.get('t') ?? '',
    ...(detail === undefined ? {} : { detail }),
  };
}
