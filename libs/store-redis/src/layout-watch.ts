import { listOf, textOf } from './call.ts';
import type { StoreClient } from './client.ts';
import type { WriteFence } from './write-gate.ts';
import { shardKey } from './keys.ts';
import { adoptLayout, currentLayout, printLayout, readLayout } from './layout.ts';
import { SHARD_SLOTS } from './redis-location.ts';

/** How often each shard is asked for the layout, and for how long its answer permits writes. */
const ASK_MS = 1000;
/**
 * Whoever moves the data first says so in every shard and then waits for longer than this: by then each process has either seen it
 * or stopped writing.
 */
export const LAYOUT_LEASE_MS = 3000;

const RESHARDING = 'Redis is being resharded';
const UNKNOWN = 'it is not known how Redis is laid out';

export const layoutKey = (shard: number): string => shardKey(shard, 'layout');
/** Exists while the data is being moved. */
export const movingKey = (shard: number): string => shardKey(shard, 'moving');

/**
 * Knows how the store is laid out, and lets nothing be written to a shard while its data is being moved, or while nobody knows
 * whether it is. An answer counts from when it was asked for, so that neither a slow answer nor a stopped process is trusted for too long.
 */
export class LayoutWatch implements WriteFence {
  /** By Redis Cluster slot: until when writes are permitted; those of other keys always are. */
  readonly #permitted = new Map<number, number>();
  readonly #moving = new Set<number>();
  readonly #client: StoreClient;
  readonly #timer: NodeJS.Timeout;
  #asking: Promise<void> | undefined;
  /** Highest generation that this very store has told of. */
  #told = 1;
  openUntil = -Infinity;

  constructor(client: StoreClient) {
    this.#client = client;
    this.#setShards();
    client.fence(this);
    client.onStatus(({ up }) => {
      if (up) void this.ask();
    });
    this.#timer = setInterval(() => void this.ask(), ASK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  verdict(slot: number, now: number): 'open' | 'unknown' | { readonly closed: string } {
    if (this.#moving.has(slot)) return { closed: RESHARDING };
    const until = this.#permitted.get(slot);
    return until === undefined || until > now ? 'open' : 'unknown';
  }

  /** Asks every shard; resolves when each has answered or failed. Those who ask meanwhile share the answers. */
  ask(): Promise<void> {
    if (!this.#client.ready()) return Promise.resolve();
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  readonly closedReason = UNKNOWN;

  async #askAll(): Promise<void> {
    const { everShards } = currentLayout();
    await Promise.all(Array.from({ length: everShards }, (_, shard) => this.#askOne(shard)));
    if (currentLayout().everShards > everShards) {
      this.#setShards();
      await this.#askAll();
    }
    this.#reckon();
  }

  async #askOne(shard: number): Promise<void> {
    const slot = SHARD_SLOTS[shard] ?? 0;
    const asked = performance.now();
    try {
      const reply = await this.#client.command(slot, ['MGET', layoutKey(shard), movingKey(shard)]);
      const [text, moving] = listOf(reply);
      const layout = readLayout(textOf(text));
      this.#told = Math.max(this.#told, layout.generation);
      adoptLayout(layout);
      if (Buffer.isBuffer(moving)) this.#moving.add(slot);
      else this.#moving.delete(slot);
      this.#permitted.set(slot, asked + LAYOUT_LEASE_MS);
      if (layout.generation < this.#told) await this.#mend(shard);
    } catch {
      // The shard is away: what it last said runs out.
    }
  }

  /** A shard that was emptied has forgotten the layout that all the others know. */
  async #mend(shard: number): Promise<void> {
    const layout = currentLayout();
    if (layout.generation !== this.#told) return;
    await this.#client.command(SHARD_SLOTS[shard] ?? 0, ['SET', layoutKey(shard), printLayout(layout), 'NX']);
  }

  #setShards(): void {
    for (let shard = 0; shard < currentLayout().everShards; shard += 1) {
      const slot = SHARD_SLOTS[shard] ?? 0;
      if (!this.#permitted.has(slot)) this.#permitted.set(slot, -Infinity);
    }
  }

  /** The moment from which a write has to be looked at. */
  #reckon(): void {
    this.openUntil = this.#moving.size > 0 ? -Infinity : Math.min(...this.#permitted.values());
  }
}
