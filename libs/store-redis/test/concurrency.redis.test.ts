import { expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingId, LocationSnapshot } from '@rollcall/location';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { RedisProcess } from './harness/redis-process.ts';

const CLIENTS = 20;
const ROUNDS = 25;
const aor = 'sip:alice@example.test' as Aor;

function binding(store: Store, client: number, cseq: number): Binding {
  const now = store.clock.now();
  return {
    id: `b${String(client)}` as BindingId,
    contact: `sip:alice@192.0.2.${String(client)}`,
    params: '',
    callId: String(client),
    cseq,
    path: [],
    registeredAt: now,
    refreshedAt: now,
    expiresAt: epochMs(now + 60_000),
  };
}

test('B20 twenty clients on one AoR: each version has one winner, and no commit is lost', async () => {
  const redis = await RedisProcess.start();
  const stores = await Promise.all(Array.from({ length: CLIENTS }, () => connectStore({ url: redis.url })));
  const won: number[] = [];
  let conflicts = 0;

  await Promise.all(
    stores.map(async (store, client) => {
      let snapshot: LocationSnapshot = { version: 0, bindings: [] };
      for (let round = 1; round <= ROUNDS;) {
        const mine = binding(store, client, round);
        const others = snapshot.bindings.filter(({ id }) => id !== mine.id);
        const known = others.length < snapshot.bindings.length;
        const bindings = [...others, mine];
        const outcome = await store.location.commit({
          aor,
          expectedVersion: snapshot.version,
          bindings,
          changes: [{ kind: known ? 'refreshed' : 'registered', binding: mine }],
        });
        if (outcome.kind === 'conflict') {
          conflicts += 1;
          snapshot = outcome.snapshot;
        } else {
          won.push(outcome.version);
          snapshot = { version: outcome.version, bindings };
          round += 1;
        }
      }
    }),
  );

  expect(new Set(won).size).toBe(CLIENTS * ROUNDS);
  expect(conflicts).toBeGreaterThan(CLIENTS);
  const end = await stores[0]?.location.read(aor);
  expect(end?.bindings.map(({ cseq }) => cseq)).toEqual(Array.from({ length: CLIENTS }, () => ROUNDS));
  await Promise.all(stores.map((store) => store.close()));
  await redis.stop();
}, 60_000);
