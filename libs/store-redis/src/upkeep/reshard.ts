import { setTimeout as sleep } from 'node:timers/promises';
import { ended } from '@rollcall/events';
import type { SubscriptionId } from '@rollcall/events';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { aorOfMember, indexMember, keys, MAX_SHARDS, shardAmong, shardKey } from '../keys.ts';
import { currentLayout, printLayout } from '../layout.ts';
import type { Layout } from '../layout.ts';
import { LAYOUT_LEASE_MS, layoutKey, movingKey } from '../layout-watch.ts';
import { SHARD_SLOTS } from '../redis-location.ts';
import type { Store } from '../store.ts';
import { copyTo, inBatches, membersOf } from './mover.ts';
import { followsItsAor, readShardKey } from './shard-key.ts';
import type { ShardKey } from './shard-key.ts';

/** Longer than any process may go on writing after the moving was announced: its lease, and the deadline of a call. */
const SETTLE_MS = LAYOUT_LEASE_MS + 1500;
/** The announcement goes by itself when the mover dies: the store is then as it was. */
const MOVING_MS = 30_000;
const RENEW_MS = 5000;
const TOGETHER = 200;
const MAX_TRIES = 5;

export interface ReshardReport {
  readonly from: number;
  readonly to: number;
  readonly moved: number;
  /** Subscriptions to AoRs that moved: their watchers are told `deactivated` and subscribe again (RFC 6665 §4.4.1). */
  readonly endedSubscriptions: number;
  /** For how long writes were refused with 503 and Retry-After. */
  readonly closedMs: number;
}

/**
 * Spreads the AoRs of a running system over another number of shards. Services stay up: while values are copied they answer
 * whatever writes with 503 and Retry-After, and read what is there. Nothing is deleted before every process knows the new layout, and until
 * then the old one is whole: a mover that dies leaves the store as it was, and can be run again.
 */
export class Reshard {
  #moving: NodeJS.Timeout | undefined;
  #renewed = true;

  constructor(
    private readonly store: Store,
    private readonly say: (line: string) => void,
  ) {}

  /** Throws `RangeError` for a number that cannot be, `StoreUnavailable` when the store goes away meanwhile. */
  async run(to: number): Promise<ReshardReport> {
    if (!Number.isInteger(to) || to < 1 || to > MAX_SHARDS) {
      throw new RangeError(`the number of shards is an integer from 1 to ${String(MAX_SHARDS)}`);
    }
    const before = currentLayout();
    const after: Layout = {
      shards: to,
      everShards: Math.max(before.everShards, to),
      generation: before.generation + 1,
    };
    const all = range(after.everShards);
    let moved: number;
    let closedAt: number;
    try {
      await this.#announce(all);
      closedAt = performance.now();
      this.say(`waiting ${String(SETTLE_MS / 1000)} s until nobody writes any more`);
      await sleep(SETTLE_MS);
      // Of an earlier attempt that died.
      await this.#sweepAway(before);
      moved = await this.#copy(after);
      if (!this.#renewed)
        throw new StoreUnavailable('the announcement of the move ran out: nothing has changed');
      await inBatches(all, TOGETHER, (shard) => this.#set(shard, layoutKey(shard), printLayout(after)));
    } finally {
      clearInterval(this.#moving);
      await inBatches(all, TOGETHER, (shard) =>
        this.store.client.command(SHARD_SLOTS[shard] ?? 0, ['DEL', movingKey(shard)]),
      );
    }
    const closedMs = performance.now() - closedAt;
    this.say(
      `${String(moved)} values moved; waiting ${String(SETTLE_MS / 1000)} s until every process knows`,
    );
    await sleep(SETTLE_MS);
    const endedSubscriptions = await this.#endSubscriptions(after);
    await this.#sweepAway(after);
    return { from: before.shards, to, moved, endedSubscriptions, closedMs };
  }

  async #announce(shards: readonly number[]): Promise<void> {
    const tell = (): Promise<void> =>
      inBatches(shards, TOGETHER, (shard) =>
        this.#set(shard, movingKey(shard), 'moving', 'PX', String(MOVING_MS)),
      );
    await tell();
    let told = performance.now();
    this.#moving = setInterval(() => {
      const begun = performance.now();
      if (begun - told > MOVING_MS - RENEW_MS) this.#renewed = false;
      tell().then(
        () => (told = begun),
        () => undefined,
      );
    }, RENEW_MS);
  }

  async #set(shard: number, key: string, value: string, ...more: readonly string[]): Promise<void> {
    await this.store.client.write(SHARD_SLOTS[shard] ?? 0, ['SET', key, value, ...more]);
  }

  /** Every key of every shard, some at a time. */
  async *#keys(): AsyncGenerator<ShardKey[]> {
    for await (const names of this.store.client.scan('rc:{[0-9]*}:*')) {
      yield names.map(readShardKey).filter((key) => key !== undefined);
    }
  }

  async #copy(after: Layout): Promise<number> {
    let moved = 0;
    for await (const found of this.#keys()) {
      const moving = found.filter(
        (key) => followsItsAor(key) && shardAmong(key.rest, after.shards) !== key.shard,
      );
      await inBatches(moving, TOGETHER, async (key) => {
        if (await copyTo(this.store.client, key, shardAmong(key.rest, after.shards))) moved += 1;
      });
    }
    return moved;
  }

  /** Deletes what is in another shard than a layout puts it, and its places in the sets there. */
  async #sweepAway(layout: Layout): Promise<void> {
    const { client } = this.store;
    for await (const found of this.#keys()) {
      const strays = found.filter(
        (key) => followsItsAor(key) && shardAmong(key.rest, layout.shards) !== key.shard,
      );
      await inBatches(strays, TOGETHER, async ({ name, shard, kind, rest }) => {
        const slot = SHARD_SLOTS[shard] ?? 0;
        const aor = rest as Aor;
        await client.command(slot, ['UNLINK', name]);
        if (kind === 'r') {
          await client.command(slot, ['ZREM', keys.due(shard, aor), aor]);
          await client.command(slot, ['ZREM', keys.index(shard, aor), indexMember(aor)]);
        } else if (kind === 'p') await client.command(slot, ['ZREM', shardKey(shard, 'sdue'), `p:${rest}`]);
      });
    }
    for (const shard of range(layout.everShards)) await this.#sweepSets(shard, layout);
  }

  /** Places in the sets of a shard whose records went by themselves. */
  async #sweepSets(shard: number, layout: Layout): Promise<void> {
    const { client } = this.store;
    const slot = SHARD_SLOTS[shard] ?? 0;
    const stray = (aor: string): boolean => shardAmong(aor, layout.shards) !== shard;
    const sets = [
      ...keys.dueSets(shard).map((key) => ({ key, aorOf: (member: string) => member })),
      ...keys
        .indexSets(shard)
        .map((key) => ({ key, aorOf: (member: string): string => aorOfMember(member) })),
    ];
    await inBatches(sets, TOGETHER, async ({ key, aorOf }) => {
      for await (const page of membersOf(client, slot, key)) {
        const members = page.map(([member]) => member).filter((member) => stray(aorOf(member)));
        if (members.length > 0) await client.command(slot, ['ZREM', key, ...members]);
      }
    });
  }

  /** A subscription's id names its shard: those whose resource is elsewhere now end, and their watchers subscribe again. */
  async #endSubscriptions(after: Layout): Promise<number> {
    let count = 0;
    for await (const found of this.#keys()) {
      const records = found.filter(({ kind }) => kind === 's');
      await inBatches(records, TOGETHER, async ({ shard, rest }) => {
        if (await this.#endOne(rest as SubscriptionId, shard, after)) count += 1;
      });
    }
    return count;
  }

  async #endOne(id: SubscriptionId, shard: number, after: Layout): Promise<boolean> {
    const { events, clock } = this.store;
    let known = await events.read(id);
    for (let tries = 0; tries < MAX_TRIES && known !== undefined; tries += 1) {
      const { resource } = known.subscription;
      if (shardAmong(resource, after.shards) === shard) return false;
      const next = ended(known.subscription, 'deactivated', 0, clock.now());
      const outcome = await events.commit({ id, resource, expectedVersion: known.version, next });
      if (outcome.kind === 'committed') return true;
      known = outcome.current;
    }
    return false;
  }
}

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);
