/*
 * How evenly the shard hash spreads addresses-of-record: 100 million of them in each of three shapes, over 64 shards, the Redis
 * Cluster primaries that hold these, and the due-sets of a shard.
 *
 *   node --import tsx --conditions=@rollcall/source test/bench/shards.ts [AoRs]
 *
 * and slot ranges that give every one of N primaries the same number of shards:
 *
 *   node --import tsx --conditions=@rollcall/source test/bench/shards.ts slots N
 */
import { keys, SHARDS, shardOf } from '../../libs/store-redis/src/keys.ts';
import { slotOf } from '../../libs/store-redis/src/slot.ts';

const [first = '100000000', second = ''] = process.argv.slice(2);
const AORS = first === 'slots' ? 0 : Number(first);
const SLOTS = 16_384;

/** What numbering plans look like: running numbers in one domain, telephone numbers, and many small tenants. */
const SHAPES: Readonly<Record<string, (n: number) => string>> = {
  'sip:u00000000@example.test': (n) => `sip:u${String(n).padStart(8, '0')}@example.test`,
  'tel:+1555…': (n) => `tel:+1${String(2_000_000_000 + n * 7)}`,
  '200 to a tenant': (n) =>
    `sip:${String(100 + (n % 200))}@t${String(Math.trunc(n / 200))}.voice.example.test`,
};

/** Which primary of a Cluster with even slot ranges has a shard, by the shard's hash tag. */
function primaryOf(shard: number, primaries: number): number {
  return Math.min(primaries - 1, Math.trunc(slotOf(keys.changes(shard)) / (SLOTS / primaries)));
}

interface Spread {
  readonly mean: number;
  readonly worst: number;
  readonly deviation: number;
}

function spread(counts: ArrayLike<number>): Spread {
  const list = Array.from(counts);
  const mean = list.reduce((sum, one) => sum + one, 0) / list.length;
  const variance = list.reduce((sum, one) => sum + (one - mean) ** 2, 0) / list.length;
  return { mean, worst: Math.max(...list), deviation: Math.sqrt(variance) };
}

/** Ranges of slots for N primaries: the shards in the order of their slots, cut into equal parts. */
function slotRanges(primaries: number): string[] {
  const slots = Array.from({ length: SHARDS }, (_, shard) => slotOf(keys.changes(shard))).sort(
    (a, b) => a - b,
  );
  const starts = Array.from({ length: primaries }, (_, n) =>
    n === 0 ? 0 : (slots[Math.trunc((n * SHARDS) / primaries)] ?? 0),
  );
  return starts.map((start, n) => `${String(start)} ${String((starts[n + 1] ?? SLOTS) - 1)}`);
}

if (first === 'slots') {
  for (const [n, range] of slotRanges(Number(second)).entries())
    console.log(`primary ${String(n + 1)}: CLUSTER ADDSLOTSRANGE ${range}`);
}

const percent = (part: number): string => `${(part * 100).toFixed(2)} %`;

for (const [shape, aorOf] of Object.entries(AORS > 0 ? SHAPES : {})) {
  const shards = new Float64Array(SHARDS);
  const began = process.cpuUsage().user;
  for (let n = 0; n < AORS; n += 1) {
    const shard = shardOf(aorOf(n));
    shards[shard] = (shards[shard] ?? 0) + 1;
  }
  const microseconds = (process.cpuUsage().user - began) / AORS;
  const { mean, worst, deviation } = spread(shards);
  const chance = Math.sqrt(AORS * (1 / SHARDS) * (1 - 1 / SHARDS));
  console.log(`${shape}: ${String(AORS)} AoRs, ${microseconds.toFixed(2)} µs each with making the name`);
  console.log(
    `  shards: mean ${mean.toFixed(0)}, worst ${String(worst)} (+${percent(worst / mean - 1)}), ` +
      `deviation ${deviation.toFixed(0)} (chance alone: ${chance.toFixed(0)})`,
  );
  for (const primaries of [3, 4, 6, 8, 12, 16, 32]) {
    const loads = new Float64Array(primaries);
    shards.forEach((count, shard) => {
      const primary = primaryOf(shard, primaries);
      loads[primary] = (loads[primary] ?? 0) + count;
    });
    const held = new Float64Array(primaries);
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const primary = primaryOf(shard, primaries);
      held[primary] = (held[primary] ?? 0) + 1;
    }
    const load = spread(loads);
    console.log(
      `  ${String(primaries)} primaries with even slots: worst ${percent(load.worst / AORS)} of all ` +
        `(even: ${percent(1 / primaries)}), shards each ${[...held].join(' ')}`,
    );
  }
}
