import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { StoreUnavailable, type Aor } from '@rollcall/location';
import { sampleBinding } from '@rollcall/location/contract';
import { connectStore, type Store } from '@rollcall/store-redis';
import { eventually, freePortBase, redisForTests } from '@rollcall/testkit';
import { CutProxy } from '../chaos/cut-proxy.ts';
import { Node, startSentinel } from './redis-node.ts';

const HOST = '127.0.0.1';
const NAME = 'main';
const TIMEOUT_MS = 800;
const PATIENCE_MS = 60_000;
const WRITERS = 4;
/** Acknowledged by the new side, and refused by the old one, before the network is whole again. */
const NEW_SIDE = 400;
const OLD_SIDE = 40;

/** What a registrar on one side of a partition does: it registers one AoR after the other and notes what it was told. */
class Writers {
  readonly acknowledged = new Map<Aor, string>();
  readonly refused: Error[] = [];
  #running = true;
  readonly #loops: readonly Promise<void>[];

  constructor(
    private readonly store: Store,
    private readonly side: string,
  ) {
    this.#loops = Array.from({ length: WRITERS }, (_, n) => this.#run(n));
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#loops);
  }

  async #run(writer: number): Promise<void> {
    for (let n = 0; this.#running; n += 1) {
      const aor = `sip:${this.side}-${writer}-${n}@example.test` as Aor;
      const contact = `sip:${this.side}@192.0.2.1:${5060 + writer}`;
      try {
        await register(this.store, aor, contact);
        this.acknowledged.set(aor, contact);
      } catch (error) {
        this.refused.push(error as Error);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function register(store: Store, aor: Aor, contact: string): Promise<void> {
  const now = store.clock.now();
  const binding = sampleBinding(now, { contact, expiresAt: epochMs(now + 600_000) });
  const changes = [{ kind: 'registered', binding }] as const;
  const { kind } = await store.location.commit({ aor, expectedVersion: 0, bindings: [binding], changes });
  expect(kind).toBe('committed');
}

describe('a primary with its clients on one side, its replicas, Sentinel and other clients on the other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-split-'));
  const nodes: Node[] = [];
  const stores: Store[] = [];
  let network: CutProxy;

  const connect = async (address: Parameters<typeof connectStore>[0]): Promise<Store> => {
    const store = await connectStore({ ...address, commandTimeoutMs: TIMEOUT_MS, durability: 'replica' });
    stores.push(store);
    await eventually('the store', () => store.ready(), PATIENCE_MS);
    return store;
  };

  let primary: Node;
  let replicas: readonly Node[];
  let sentinel: Node;

  beforeAll(async () => {
    const portBase = await freePortBase();
    const make = (offset: number): Node =>
      new Node(redisForTests(), portBase + offset, join(folder, String(offset)), ['--repl-timeout', '60']);
    primary = make(0);
    replicas = [make(1), make(2)];
    nodes.push(primary, ...replicas);
    await primary.start();
    // All that the other side knows of the primary goes through here.
    network = await CutProxy.start(portBase + 8, primary.port);
    for (const replica of replicas) await replica.start(['--replicaof', HOST, String(network.port)]);
    await eventually(
      'both replicas',
      async () => (await primary.info('replication')).match(/state=online/g)?.length === replicas.length,
      PATIENCE_MS,
    );
    sentinel = await startSentinel({
      ...{ port: portBase + 3, folder: join(folder, '3'), name: NAME, primaryPort: network.port },
    });
    nodes.push(sentinel);
    const known = async (): Promise<number> =>
      ((await sentinel.call('SENTINEL', 'REPLICAS', NAME)) as readonly unknown[]).length;
    await eventually('Sentinel knowing both replicas', async () => (await known()) === 2, PATIENCE_MS);
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await network.stop();
    await Promise.all(nodes.map((node) => node.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('K07 F02 both go on writing: the old side acknowledges nothing, and all that either acknowledged is there when they meet again', async () => {
    const oldSide = await connect({ url: `redis://${HOST}:${primary.port}` });
    const newSide = await connect({
      sentinel: { sentinels: [{ host: HOST, port: sentinel.port }], name: NAME },
    });
    const onOld = new Writers(oldSide, 'old');
    const onNew = new Writers(newSide, 'new');
    await eventually(
      'both sides writing',
      () => onOld.acknowledged.size > 50 && onNew.acknowledged.size > 50,
      PATIENCE_MS,
    );

    network.withhold();
    // What was confirmed by then may still be told; what is written from now on never is.
    await eventually('the first refusal', () => onOld.refused.length > 0, PATIENCE_MS);
    const before = { old: onOld.acknowledged.size, new: onNew.acknowledged.size };
    const promoted = async (): Promise<boolean> =>
      (await Promise.all(replicas.map((node) => node.info('replication')))).some((info) =>
        info.includes('role:master'),
      );
    await eventually('a replica being promoted', promoted, PATIENCE_MS);
    const refused = onOld.refused.length;
    await eventually(
      'both sides having been asked much',
      () => onNew.acknowledged.size >= before.new + NEW_SIDE && onOld.refused.length >= refused + OLD_SIDE,
      PATIENCE_MS,
    );
    expect(await primary.info('replication')).toContain('role:master');
    await register(oldSide, 'sip:late@example.test' as Aor, 'sip:late@192.0.2.1').then(
      () => expect.unreachable('acknowledged by a primary that nobody follows'),
      (error: unknown) => {
        expect(error).toBeInstanceOf(StoreUnavailable);
      },
    );
    expect(onOld.acknowledged.size).toBe(before.old);

    network.release();
    const follows = async (): Promise<boolean> =>
      /role:slave[^]*master_link_status:up/.test(await primary.info('replication'));
    await eventually('the old primary following the new one', follows, PATIENCE_MS);
    await Promise.all([onOld.stop(), onNew.stop()]);
    for (const error of [...onOld.refused, ...onNew.refused]) expect(error).toBeInstanceOf(StoreUnavailable);

    const lost: string[] = [];
    for (const [aor, contact] of [...onOld.acknowledged, ...onNew.acknowledged]) {
      const { bindings } = await newSide.location.read(aor);
      if (bindings.map((binding) => binding.contact).join() !== contact) lost.push(aor);
    }
    expect(lost).toEqual([]);
    expect(onOld.acknowledged.size + onNew.acknowledged.size).toBeGreaterThan(NEW_SIDE + 100);
  }, 120_000);
});
