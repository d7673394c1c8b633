import { DUE_LEASE_MS } from '@rollcall/location';
import type { Aor, DueReader } from '@rollcall/location';
import type { EpochMs } from '@rollcall/kernel';
import { listOf, numberOf, textOf } from './call.ts';
import type { StoreClient } from './client.ts';
import { DUE_SETS, indexMember, keys, shardOf } from './keys.ts';
import { currentLayout } from './layout.ts';
import { SHARD_SLOTS } from './redis-location.ts';
import { defineScript } from './script.ts';

const countScript = defineScript(new URL('../scripts/count-due.lua', import.meta.url), DUE_SETS);
const takeScript = defineScript(new URL('../scripts/take-due.lua', import.meta.url), DUE_SETS);
const rearmScript = defineScript(new URL('../scripts/rearm.lua', import.meta.url), 3);

/** The due-sets of all shards. Each sweep counts what is due in every shard in one write, and takes only where there is something. */
export class RedisDue implements DueReader {
  /** Where the next sweep begins, so that a small limit does not starve the last shards. */
  #turn = 0;

  constructor(private readonly client: StoreClient) {}

  async takeDue(now: EpochMs, limit: number): Promise<readonly Aor[]> {
    const { shards } = currentLayout();
    const counts = await Promise.all(
      Array.from({ length: shards }, (_, shard) =>
        this.client.run(countScript, SHARD_SLOTS[shard] ?? 0, [...keys.dueSets(shard), String(now)]),
      ),
    );
    const takes: Promise<readonly Aor[]>[] = [];
    let room = limit;
    const begin = this.#turn;
    for (let i = 0; i < shards && room > 0; i += 1) {
      const shard = (begin + i) % shards;
      const count = Math.min(numberOf(counts[shard]), room);
      if (count === 0) continue;
      room -= count;
      takes.push(this.#take(shard, now, count));
      this.#turn = shard;
    }
    return (await Promise.all(takes)).flat();
  }

  async rearm(aor: Aor, at: EpochMs | undefined): Promise<void> {
    const shard = shardOf(aor);
    const values = [
      ...[keys.due(shard, aor), keys.record(shard, aor), keys.index(shard, aor)],
      ...[aor, at === undefined ? '' : String(at), indexMember(aor)],
    ];
    await this.client.run(rearmScript, SHARD_SLOTS[shard] ?? 0, values);
  }

  async #take(shard: number, now: EpochMs, count: number): Promise<readonly Aor[]> {
    const values = [...keys.dueSets(shard), String(now), String(now + DUE_LEASE_MS), String(count)];
    const reply = await this.client.run(takeScript, SHARD_SLOTS[shard] ?? 0, values);
    return listOf(reply).map((aor) => textOf(aor) as Aor);
  }
}
