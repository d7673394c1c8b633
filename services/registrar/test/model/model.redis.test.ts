import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { connectStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { RedisProcess } from '@rollcall/testkit';
import { until } from '../harness.ts';
import { checkHistory, finalState } from './check.ts';
import { plans, REPLICAS } from './plan.ts';
import { RecordWrites } from './record-writes.ts';
import { ModelSystem } from './system.ts';

/** Longer runs: `ROLLCALL_TEST_MODEL_RUNS=20000 ROLLCALL_TEST_MODEL_SEED=7`. */
const RUNS = Number(process.env['ROLLCALL_TEST_MODEL_RUNS'] ?? '60');
const SEED = Number(process.env['ROLLCALL_TEST_MODEL_SEED'] ?? '3261');
const LONGEST = 20;
/** How far the time of a plan begins ahead of the store's: longer than a plan takes on any machine. */
const AHEAD_MS = 60_000;
const PATIENCE_MS = 10_000 + RUNS * 3_000;

let redis: RedisProcess;
let writes: RecordWrites;
const stores: Store[] = [];
beforeAll(async () => {
  redis = await RedisProcess.make(['--appendonly', 'yes']);
  await redis.begin();
  writes = await RecordWrites.follow(redis);
  for (let n = 0; n < REPLICAS; n++) {
    // The model knows no store that is slow: on a machine with other work the store may be.
    const store = await connectStore({ url: redis.url, commandTimeoutMs: PATIENCE_MS });
    await until('the store', () => (store.ready() ? true : undefined));
    stores.push(store);
  }
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  writes.close();
  await redis.stop();
});

test(
  'B01-B22 R15 the same on Redis: every answer and the final state agree with the order in which it wrote',
  async () => {
    const store = stores[0] as Store;
    let [acts, plansPlayed] = [0, 0];
    await fc.assert(
      fc.asyncProperty(plans(LONGEST), async (plan) => {
        plansPlayed += 1;
        const prefix = `p${Date.now().toString(36)}-${plansPlayed.toString()}-`;
        // Records carry the time of the plan, and Redis ends their keys by its own: it must not be past.
        const start = epochMs(store.clock.now() + AHEAD_MS);
        const system = new ModelSystem(
          stores.map(({ location }) => location),
          () => Promise.resolve(),
          plan.policy,
          start,
          prefix,
        );
        const history = await system.carryOut(plan);
        acts += history.acts;
        const aors = ['alice', 'bob'].map((user) => system.aor(user));
        const written = await writes.seen();
        expect(checkHistory(history, plan.policy, aors, written)).toEqual([]);
        const now = history.times.at(-1) ?? start;
        for (const aor of aors) {
          const { bindings } = await store.location.read(aor);
          const stored = bindings.filter(({ expiresAt }) => expiresAt > now).map(({ contact }) => contact);
          const wanted = finalState(history, plan.policy, aor, written).map(({ uri }) => uri);
          expect(stored.sort()).toEqual(wanted.sort());
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    process.stdout.write(
      `the model test on Redis carried out ${acts.toString()} commands in ${RUNS.toString()} plans\n`,
    );
  },
  PATIENCE_MS,
);
