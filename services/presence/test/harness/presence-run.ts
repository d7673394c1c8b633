import { setTimeout as sleep } from 'node:timers/promises';
import type { Aor } from '@rollcall/location';
import { openStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { RedisProcess } from '@rollcall/testkit';
import { Replica } from './processes.ts';
import { Watchers } from './watchers.ts';

/** What a run has seen, for a test to compare or a command to print. */
export interface RunReport {
  readonly watchers: number;
  readonly changes: number;
  readonly notifies: number;
  /** ms from the last change, or the end of the fault, until the last watcher had the last state; undefined: not in time. */
  readonly settledMs: number | undefined;
  readonly stale: number;
  /** Dialogs whose CSeq did not rise. */
  readonly problems: readonly string[];
  /** NOTIFYs for the newest state beyond one for each watcher. */
  readonly extra: string;
}

export interface RunSize {
  readonly replicas: number;
  readonly resources: number;
  readonly watchers: number;
  /** Bound of the old generation of a replica's heap. */
  readonly heapMiB?: number | undefined;
}

/** SUBSCRIBEs without an answer at one time. */
const AT_ONCE = 200;
const aorOf = (user: string): Aor => `sip:${user}@example.test` as Aor;
const userOf = (n: number): string => `res${String(n)}`;

/** Redis, replicas of presence as processes, and many watchers, with the truth that they are compared with. */
export class PresenceRun {
  readonly watchers = new Watchers();
  readonly replicas: Replica[] = [];
  #etags = new Map<string, string>();
  #next = 0;
  #changes = 0;

  private constructor(
    readonly redis: RedisProcess,
    readonly store: Store,
    readonly size: RunSize,
  ) {}

  static async start(size: RunSize, appendOnly = false): Promise<PresenceRun> {
    const redis = await RedisProcess.make(['--appendonly', appendOnly ? 'yes' : 'no']);
    await redis.begin();
    const store = openStore({ url: redis.url });
    const run = new PresenceRun(redis, store, size);
    await until('Redis is up', () => store.ready(), 10_000);
    await run.watchers.start();
    await store.edges.renew({ id: 'e1', epoch: 1, inner: run.watchers.inner }, 3_600_000);
    await store.users.domains.put({ name: 'example.test' });
    const user = (name: string) => ({
      aor: aorOf(name),
      authUser: name,
      realm: 'example.test',
      ha1: {},
      enabled: true,
    });
    await store.users.putMany(Array.from({ length: size.resources }, (_, n) => user(userOf(n))));
    for (let n = 0; n < size.replicas; n += 1) await run.addReplica();
    return run;
  }

  async addReplica(): Promise<Replica> {
    const { heapMiB } = this.size;
    const heap = heapMiB === undefined ? {} : { NODE_OPTIONS: `--max-old-space-size=${String(heapMiB)}` };
    const replica = await Replica.start({ ROLLCALL_REDIS_URL: this.redis.url, ...heap });
    this.replicas.push(replica);
    return replica;
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.stop()));
    await this.watchers.stop();
    await this.store.close();
    await this.redis.stop();
  }

  /** Subscribes `count` more, spread over resources and replicas. */
  async subscribe(count: number): Promise<void> {
    const from = this.watchers.all.size;
    let next = from;
    const one = async (): Promise<void> => {
      while (next < from + count) {
        const n = next;
        next += 1;
        const replica = this.replicas[n % this.replicas.length];
        const resource = userOf(n % this.size.resources);
        if (!(await this.watchers.subscribe(replica?.inner ?? 0, `w${String(n)}`, resource)))
          throw new Error(`watcher ${String(n)} is refused`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  }

  /** One change of one resource, through a replica; true when it was acknowledged. */
  async change(n: number): Promise<boolean> {
    const resource = userOf(n % this.size.resources);
    const replica = this.replicas[n % this.replicas.length];
    const mark = `mark-${String((this.#next += 1))}`;
    const etag = await this.watchers.publish(
      replica?.inner ?? 0,
      resource,
      mark,
      this.#etags.get(resource) ?? '',
    );
    if (etag !== undefined) {
      this.#etags.set(resource, etag);
      this.#changes += 1;
      return true;
    }
    // Whether it was stored is not known: the store says what the next one has to match.
    const known = await this.store.events.readPublications(aorOf(resource)).catch(() => undefined);
    const stored = known?.publications[0]?.etag;
    if (stored !== undefined) this.#etags.set(resource, stored);
    return false;
  }

  /** Changes resources in turn until `ends`; the pace in ms between two. */
  async changeUntil(ends: () => boolean, paceMs: number): Promise<void> {
    for (let n = 0; !ends(); n += 1) {
      await this.change(n);
      await sleep(paceMs);
    }
  }

  /** Octets that Redis uses. */
  async usedMemory(): Promise<number> {
    return Number(/used_memory:(\d+)/.exec(await this.#info('memory'))?.[1]);
  }

  /** Mean time of the commands and scripts that take longest, in µs. */
  async slowest(): Promise<string> {
    const rows = [
      ...(await this.#info('commandstats')).matchAll(/cmdstat_(\w+):.*?usec_per_call=([0-9.]+)/g),
    ];
    rows.sort((a, b) => Number(b[2]) - Number(a[2]));
    const log = await this.store.client.command(0, ['SLOWLOG', 'GET', '100']);
    const calls = (Array.isArray(log) ? (log as unknown[][]) : []).map(([, , us, parts]) => ({
      us: Number(us),
      name: Array.isArray(parts) ? parts.slice(0, 2).join(' ').slice(0, 20) : '',
    }));
    calls.sort((x, y) => y.us - x.us);
    const means = rows.slice(0, 3).map(([, name = '', us = '']) => `${name} ${us}`);
    const worst = calls[0] === undefined ? 'none' : `${calls[0].name} ${String(calls[0].us)}`;
    return `${means.join(', ')} on average; over 10 ms: ${String(calls.length)}, the longest ${worst}`;
  }

  async #info(section: string): Promise<string> {
    return String(await this.store.client.command(0, ['INFO', section]));
  }

  /** What the store holds: the mark of each resource. */
  async truth(): Promise<ReadonlyMap<string, string>> {
    const truth = new Map<string, string>();
    for (let n = 0; n < this.size.resources; n += 1) {
      const { publications } = await this.store.events.readPublications(aorOf(userOf(n)));
      truth.set(userOf(n), /mark-[0-9]+/.exec(publications[0]?.body ?? '')?.[0] ?? '');
    }
    return truth;
  }

  /** Waits until every watcher has the last state, and reports. `since` is the moment that time is counted from. */
  async settle(since: number, patienceMs: number): Promise<RunReport> {
    await until('the store is up', () => this.store.ready(), patienceMs).catch(() => undefined);
    const truth = await this.truth();
    const deadline = performance.now() + patienceMs;
    while (this.watchers.stale(truth).length > 0 && performance.now() < deadline) await sleep(20);
    const stale = this.watchers.stale(truth).length;
    const last = Math.max(since, ...[...this.watchers.all.values()].map(({ at }) => at));
    return {
      watchers: this.watchers.all.size,
      changes: this.#changes,
      notifies: this.watchers.notifies,
      settledMs: stale === 0 ? Math.round(last - since) : undefined,
      stale,
      problems: this.watchers.problems,
      extra: `${String(this.watchers.notifies - this.watchers.all.size)} after the first`,
    };
  }
}

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patienceMs: number,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${String(patienceMs)} ms: ${what}`);
    await sleep(20);
  }
}
