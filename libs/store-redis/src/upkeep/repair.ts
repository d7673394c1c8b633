import type { Aor } from '@rollcall/location';
import { listOf, textOf } from '../call.ts';
import { readRecord } from '../codec/record.ts';
import { aorOfMember, indexMember, keys, shardAmong } from '../keys.ts';
import { currentLayout } from '../layout.ts';
import { RECORD_GRACE_MS, SHARD_SLOTS } from '../redis-location.ts';
import { defineScript } from '../script.ts';
import type { Store } from '../store.ts';
import { copyTo, inBatches, membersOf } from './mover.ts';
import { followsItsAor, readShardKey } from './shard-key.ts';
import type { ShardKey } from './shard-key.ts';

const mendScript = defineScript(new URL('../../scripts/mend.lua', import.meta.url), 3);

const TOGETHER = 200;
/** What a record without an expiry of its own is given: as long as the longest registration that may be configured. */
const WEEK_MS = 7 * 86_400_000;

/** What may be wrong with an AoR, or with a set or stream of a shard. */
export type Fault =
  | 'unreadable'
  | 'forever'
  | 'not-due'
  | 'due-late'
  | 'not-indexed'
  | 'due-without-record'
  | 'indexed-without-record'
  | 'misplaced'
  | 'wrong-type';

export interface RepairReport {
  readonly records: number;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
}

/** Types of what a shard has beside the values of its AoRs. */
const TYPES: Readonly<Record<string, string>> = {
  due: 'zset',
  aors: 'zset',
  sdue: 'zset',
  chg: 'stream',
  dirty: 'stream',
};

/**
 * Compares due-sets and indexes with the records, in a running system: each AoR is looked at and mended by one script, so that no
 * REGISTER comes between. Without `fix` nothing is written.
 */
export class Repair {
  readonly #faults = new Map<Fault, number>();
  #records = 0;

  constructor(
    private readonly store: Store,
    private readonly fix: boolean,
    /** Told of each fault: what it is, and of which AoR or key. */
    private readonly found: (fault: Fault, what: string) => void = () => undefined,
  ) {}

  /** Throws `StoreUnavailable`. */
  async run(): Promise<RepairReport> {
    for await (const names of this.store.client.scan('rc:{[0-9]*}:*')) {
      const all = names.map(readShardKey).filter((key) => key !== undefined);
      await inBatches(all, TOGETHER, (key) => this.#look(key));
    }
    for (let shard = 0; shard < currentLayout().everShards; shard += 1) await this.#lookAtSets(shard);
    return { records: this.#records, faults: Object.fromEntries(this.#faults) };
  }

  async #look(key: ShardKey): Promise<void> {
    const wanted = TYPES[key.kind];
    if (wanted !== undefined) {
      await this.#checkType(key, wanted);
      return;
    }
    if (!followsItsAor(key)) return;
    const home = shardAmong(key.rest, currentLayout().shards);
    if (home !== key.shard) await this.#bringHome(key, home);
    else if (key.kind === 'r') {
      this.#records += 1;
      await this.#lookAtRecord(key.rest as Aor);
    }
  }

  async #checkType({ name, shard }: ShardKey, wanted: string): Promise<void> {
    const slot = SHARD_SLOTS[shard] ?? 0;
    const type = textOf(await this.store.client.command(slot, ['TYPE', name]));
    if (type === wanted || type === 'none') return;
    this.#tell('wrong-type', name);
    if (this.fix) await this.store.client.command(slot, ['DEL', name]);
  }

  /** A value in a shard where nobody looks for it: it is taken home unless there is one already. */
  async #bringHome(key: ShardKey, home: number): Promise<void> {
    this.#tell('misplaced', key.name);
    if (!this.fix) return;
    const { client } = this.store;
    const name = key.name.replace(`{${String(key.shard)}}`, `{${String(home)}}`);
    const there = await client.command(SHARD_SLOTS[home] ?? 0, ['EXISTS', name]);
    if (there === 0) await copyTo(client, key, home);
    await client.command(SHARD_SLOTS[key.shard] ?? 0, ['UNLINK', key.name]);
  }

  async #lookAtRecord(aor: Aor): Promise<void> {
    const shard = shardAmong(aor, currentLayout().shards);
    const reply = await this.store.client
      .command(SHARD_SLOTS[shard] ?? 0, ['GET', keys.record(shard, aor)])
      .catch((error: unknown) => {
        if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return null;
        throw error;
      });
    await this.#mend(aor, reply !== null && !isReadable(aor, textOf(reply)), lastExpiry(aor, textOf(reply)));
  }

  /** Places in the sets of a shard: those with a record were looked at already, so that only those without one are found now. */
  async #lookAtSets(shard: number): Promise<void> {
    const { client } = this.store;
    const slot = SHARD_SLOTS[shard] ?? 0;
    const sets = [
      ...keys.dueSets(shard).map((key) => ({ key, aorOf: (member: string) => member as Aor })),
      ...keys.indexSets(shard).map((key) => ({ key, aorOf: aorOfMember })),
    ];
    // In both sets without a record, an AoR is one look and one mending.
    const seen = new Set<Aor>();
    for (const { key, aorOf } of sets) {
      // One of another type was found with the keys.
      if (textOf(await client.command(slot, ['TYPE', key])) !== 'zset') continue;
      for await (const page of membersOf(client, slot, key)) {
        await inBatches(page, TOGETHER, ([member]) =>
          this.#lookAtMember(shard, key, member, aorOf(member), seen),
        );
      }
    }
  }

  async #lookAtMember(shard: number, key: string, member: string, aor: Aor, seen: Set<Aor>): Promise<void> {
    const slot = SHARD_SLOTS[shard] ?? 0;
    if (shardAmong(aor, currentLayout().shards) !== shard) {
      this.#tell('misplaced', `${key} ${aor}`);
      if (this.fix) await this.store.client.command(slot, ['ZREM', key, member]);
      return;
    }
    const there = await this.store.client.command(slot, ['EXISTS', keys.record(shard, aor)]);
    if (there !== 0 || seen.has(aor)) return;
    seen.add(aor);
    await this.#mend(aor, false, 0);
  }

  async #mend(aor: Aor, unreadable: boolean, last: number): Promise<void> {
    const shard = shardAmong(aor, currentLayout().shards);
    const until = (last === 0 ? this.store.clock.now() + WEEK_MS : last) + RECORD_GRACE_MS;
    const reply = await this.store.client.run(mendScript, SHARD_SLOTS[shard] ?? 0, [
      ...[keys.record(shard, aor), keys.due(shard, aor), keys.index(shard, aor)],
      ...[aor, indexMember(aor), this.fix ? '1' : '', unreadable ? '1' : '', String(until)],
    ]);
    for (const fault of listOf(reply)) this.#tell(textOf(fault) as Fault, aor);
  }

  #tell(fault: Fault, what: string): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
    this.found(fault, what);
  }
}

function isReadable(aor: Aor, text: string): boolean {
  try {
    readRecord(aor, text);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Ms of the last expiry in a record; 0 when it cannot be told. */
function lastExpiry(aor: Aor, text: string): number {
  if (text === '' || !isReadable(aor, text)) return 0;
  return Math.max(0, ...readRecord(aor, text).bindings.map(({ expiresAt }) => expiresAt));
}
