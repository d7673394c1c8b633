import { setTimeout as sleep } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { sampleSubscription } from '@rollcall/events/contract';
import { sampleBinding } from '@rollcall/location/contract';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor, LocationEvent } from '@rollcall/location';
import { Repair, Reshard } from '../../src/index.ts';
import type { ReshardReport, Store } from '../../src/index.ts';
import { shardOf } from '../../src/keys.ts';
import { currentLayout } from '../../src/layout.ts';

const COUNT = 400;
const aor = (n: number): Aor => `sip:u${String(n)}@reshard.test` as Aor;

/** Phones that register and unregister while somebody reshards: what each was told last, and what was told of it. */
export class ReshardScene {
  /** CSeq of the last acknowledged REGISTER of each AoR; 0 for one that was acknowledged to be gone. */
  readonly #told = new Map<Aor, number>();
  /** What the last attempt would leave, where its outcome is unknown. */
  readonly #open = new Map<Aor, number>();
  readonly events: LocationEvent[] = [];
  readonly #abort = new AbortController();
  #cseq = 0;
  refused = 0;
  acknowledged = 0;

  constructor(private readonly store: Store) {
    void store.location
      .watch(undefined, (events) => this.events.push(...events), this.#abort.signal)
      .catch(() => undefined);
  }

  async fill(): Promise<void> {
    for (let n = 0; n < COUNT; n += 1) await this.#register(aor(n), true);
  }

  /** Reshards with REGISTERs going on. */
  async reshard(to: number): Promise<ReshardReport> {
    const calls = { on: true };
    const phones = Array.from({ length: 8 }, async (_, phone) => {
      for (let n = phone; calls.on; n = (n + 8) % COUNT) {
        await this.#register(aor(n), n % 5 !== 0 || this.#cseq % 2 === 0);
        await sleep(2);
      }
    });
    const report = await new Reshard(this.store, () => undefined).run(to);
    const before = this.acknowledged;
    await vi.waitUntil(() => this.acknowledged > before + 50, { timeout: 20_000 });
    calls.on = false;
    await Promise.all(phones);
    return report;
  }

  /** Everything that was acknowledged is where it belongs, in every set, and was told once. */
  async check(): Promise<void> {
    for (const [name, cseq] of this.#told) {
      const { bindings } = await this.store.location.read(name);
      const stored = bindings[0]?.cseq ?? 0;
      expect([cseq, this.#open.get(name) ?? cseq]).toContain(stored);
    }
    expect((await new Repair(this.store, false).run()).faults).toEqual({});
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.store.location.list({ domain: 'reshard.test' }, cursor, 100);
      listed.push(...page.items.map((item) => item.aor));
      ({ cursor } = page);
    } while (cursor !== undefined);
    const there = await Promise.all(
      [...this.#told.keys()].map(async (name) =>
        (await this.store.location.read(name)).version > 0 ? [name] : [],
      ),
    );
    expect(listed.sort()).toEqual(there.flat().sort());
    const told = this.events.map(({ cursor: place }) => place);
    expect(new Set(told).size).toBe(told.length);
  }

  stop(): void {
    this.#abort.abort();
  }

  async #register(name: Aor, stay: boolean): Promise<void> {
    const cseq = (this.#cseq += 1);
    try {
      const { version } = await this.store.location.read(name);
      if (version === 0 && !stay) return;
      const binding = sampleBinding(this.store.clock.now(), { cseq });
      this.#open.set(name, stay ? cseq : 0);
      const outcome = await this.store.location.commit({
        aor: name,
        expectedVersion: version,
        bindings: stay ? [binding] : [],
        changes: [{ kind: stay ? 'registered' : 'unregistered', binding }],
      });
      expect(outcome.kind).toBe('committed');
      this.#open.delete(name);
      this.#told.set(name, stay ? cseq : 0);
      this.acknowledged += 1;
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable);
      this.refused += 1;
    }
  }
}

/** Subscriptions, one to an AoR that moves and one to an AoR that stays; what becomes of them. */
export async function withSubscriptions(
  store: Store,
  to: number,
  work: () => Promise<ReshardReport>,
  among: (aor: string, shards: number) => number,
): Promise<void> {
  const find = (moves: boolean): Aor => {
    for (let n = 0; ; n += 1) {
      if ((among(aor(n), to) !== shardOf(aor(n))) === moves) return aor(n);
    }
  };
  const subscriptions = [true, false].map((moves) => {
    const resource = find(moves);
    return sampleSubscription(resource, shardOf(resource), store.clock.now());
  });
  for (const next of subscriptions) {
    await store.events.commit({ id: next.id, resource: next.resource, expectedVersion: 0, next });
  }
  const report = await work();
  expect(report.endedSubscriptions).toBe(1);
  const [moved, stayed] = await store.events.readMany(subscriptions.map(({ id }) => id));
  // It is due at once, and whoever looks at it tells its watcher that it has ended, and why.
  expect(moved?.subscription.reason).toBe('deactivated');
  expect(moved?.subscription.expiresAt).toBeLessThanOrEqual(store.clock.now());
  expect(stayed?.subscription.reason).toBe('timeout');
  const shard = Number(subscriptions[0]?.id.split('.')[0]);
  expect(store.events.shards).toBe(currentLayout().everShards);
  const work_ = await store.events.take(shard, 100);
  expect(JSON.stringify(work_)).toContain(String(subscriptions[0]?.id));
}
