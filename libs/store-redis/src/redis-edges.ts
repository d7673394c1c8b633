import type { EdgeLease, EdgeLeases, FoundLease, StoreClock } from '@rollcall/location';
import { listOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { printJson, readJson } from './octets.ts';
import { defineScript } from './script.ts';
import { slotOf } from './slot.ts';

const releaseScript = defineScript(new URL('../scripts/release-edge.lua', import.meta.url), 1);

/** zset: edge ids by the end of their lease, so that they can be listed without a scan. */
const INDEX = 'rc:edges';
const INDEX_SLOT = slotOf(INDEX);
const leaseKey = (id: string): string => `rc:edge:${id}`;
const print = ({ id, epoch, inner, http }: EdgeLease): string => printJson({ id, epoch, inner, http });

/** Edge leases in Redis: a string with a time to live for each. */
export class RedisEdges implements EdgeLeases {
  constructor(
    private readonly client: StoreClient,
    private readonly clock: StoreClock,
  ) {}

  async renew(lease: EdgeLease, ttlMs: number): Promise<void> {
    const key = leaseKey(lease.id);
    const now = this.clock.now();
    await Promise.all([
      this.client.command(slotOf(key), ['SET', key, print(lease), 'PX', String(ttlMs)]),
      this.client.command(INDEX_SLOT, ['ZADD', INDEX, String(now + ttlMs), lease.id]),
      this.client.command(INDEX_SLOT, ['ZREMRANGEBYSCORE', INDEX, '-inf', String(now)]),
    ]);
  }

  async release(lease: EdgeLease): Promise<void> {
    const key = leaseKey(lease.id);
    await this.client.run(releaseScript, slotOf(key), [key, print(lease)]);
  }

  async find(id: string): Promise<FoundLease | undefined> {
    const key = leaseKey(id);
    const slot = slotOf(key);
    const [text, left] = await Promise.all([
      this.client.command(slot, ['GET', key]),
      this.client.command(slot, ['PTTL', key]),
    ]);
    const lease = readLease(text);
    // Not positive: it ended between the two.
    const leftMs = Number(left);
    return lease === undefined || leftMs <= 0 ? undefined : { ...lease, leftMs };
  }

  async list(): Promise<readonly EdgeLease[]> {
    const reply = await this.client.command(INDEX_SLOT, ['ZRANGE', INDEX, '0', '-1']);
    const ids = listOf(reply).map((id) => textOf(id));
    // The index may be ahead of a lease that was given up: the lease itself decides.
    const keys = ids.sort().map(leaseKey);
    const texts = await Promise.all(keys.map((key) => this.client.command(slotOf(key), ['GET', key])));
    return texts.map(readLease).filter((lease) => lease !== undefined);
  }
}

function readLease(reply: Reply): EdgeLease | undefined {
  const value = readJson(textOf(reply));
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, epoch, inner, http } = value as Record<string, unknown>;
  if (typeof id !== 'string' || typeof epoch !== 'number' || typeof inner !== 'string') return undefined;
  return { id, epoch, inner, ...(typeof http === 'string' ? { http } : {}) };
}
