import { setTimeout as sleep } from 'node:timers/promises';
import { numberedAccounts } from '@rollcall/local';
import { ALICE, eventually, TestSystem, token, type Phone } from '@rollcall/testkit';
import { StreamDevice } from './stream-device.ts';

export interface EdgeKillOptions {
  /** Devices on TCP at the edge that is killed, and back at the other. */
  readonly devices: number;
  /** As many more that stay away, so that their bindings are there to be offered. */
  readonly away: number;
  /** base-time of RFC 5626 §4.5, ms. */
  readonly baseMs: number;
  /** Share of the devices that knows nothing of it and tries again every two seconds. */
  readonly naive?: number;
}

export interface EdgeKillReport {
  readonly devices: number;
  /** Seconds since the kill in which the edge's lease could be found, and in which calls were still sent to it. */
  readonly leaseS: number;
  readonly offeredS: number;
  /** Answers to requests for devices that stay away, and the slowest of them, ms: while the edge was offered, and after. */
  readonly meanwhile: Readonly<Record<string, number>>;
  readonly afterwards: Readonly<Record<string, number>>;
  readonly slowestMeanwhileMs: number;
  readonly slowestAfterwardsMs: number;
  /** Seconds since the kill until half, 99 % and all were registered again. */
  readonly backS: { readonly half: number; readonly most: number; readonly all: number };
  /** REGISTERs that each of them sent until it was back: on average, and the most of any. */
  readonly sentEach: { readonly mean: number; readonly most: number };
  /** Connections and REGISTERs that failed on the way. */
  readonly failures: number;
  /** Devices that a request through the other edge reached when all were back. */
  readonly reached: number;
  /** Resident memory of the edge that took them, MiB: before, and with all of them. */
  readonly memory: { readonly before: number; readonly after: number };
}

const OPENED_AT_ONCE = 200;
const ASKED_AT_ONCE = 50;
const PROBE_MS = 100;
const LEASE_MS = 15_000;
const SLACK_MS = 20_000;
const PATIENCE_MS = 240_000;
const SETTLED_MS = 3_000;
const NAIVE_MS = 2_000;
const MIB = 1_048_576;
const KILLED = 'edge-1';
const OTHER = 'edge-2';

interface Probe {
  readonly at: number;
  readonly tookMs: number;
  readonly status: number;
}

/** Asks a registered user through an edge; the device answers 200. */
async function ask(phone: Phone, user: string): Promise<{ status: number; tookMs: number }> {
  const uri = `sip:${user}@${phone.options.domain}`;
  const asked = performance.now();
  const { status } = await phone.request('OPTIONS', { uri, to: `<${uri}>`, callId: token() });
  return { status, tookMs: performance.now() - asked };
}

/** Kills an edge with many flows, and watches until nobody offers it any more and all devices are back at the other. */
export async function edgeKilled({
  devices,
  away,
  baseMs,
  naive = 0,
}: EdgeKillOptions): Promise<EdgeKillReport> {
  const accounts = [...numberedAccounts(devices + away)];
  const system = await TestSystem.start({
    accounts: [ALICE, ...accounts],
    replicas: { edge: 2, registrar: 2 },
    env: { edge: { ROLLCALL_MAX_CONNECTIONS_PER_ADDRESS: '100000', ROLLCALL_GUARD_EXEMPT: '127.0.0.1' } },
  });
  const backAt: number[] = [];
  let killedAt = Infinity;
  const all = accounts.map(
    (account, index) =>
      new StreamDevice({
        ...{ account, domain: system.domain, baseMs, comesBack: index < devices },
        ...(index < devices * naive ? { retryMs: NAIVE_MS } : {}),
        servers: [system.sip('tcp', 1), system.sip('tcp', 2)],
        onRegistered: () => {
          if (performance.now() > killedAt) backAt.push(performance.now() - killedAt);
        },
      }),
  );
  const resident = async (): Promise<number> =>
    Math.round((await system.metrics(OTHER)).sum('process_resident_memory_bytes') / MIB);
  try {
    for (let begun = 0; begun < all.length; begun += OPENED_AT_ONCE) {
      const some = all.slice(begun, begun + OPENED_AT_ONCE);
      for (const device of some) device.open();
      await eventually('they register', () => some.every(({ registered }) => registered), PATIENCE_MS);
    }
    const before = await resident();
    const caller = await system.phone(ALICE, { edge: 2 });
    const gone = accounts.slice(devices);
    // The edges know each other by now, as in a system that runs.
    await ask(caller, gone[0]?.user ?? '');
    const store = await system.store();

    const sentBefore = all.map(({ sent }) => sent);
    killedAt = performance.now();
    await system.kill(KILLED);
    const probes: Probe[] = [];
    let [lastTried, tried, leaseMs] = [0, await triesOf(system), Number.NaN];
    for (let calm = 0, n = 0; calm < SETTLED_MS; n += 1) {
      const at = performance.now() - killedAt;
      const { status, tookMs } = await ask(caller, gone[n % gone.length]?.user ?? '');
      probes.push({ at, status, tookMs });
      const now = await triesOf(system);
      if (now > tried) lastTried = performance.now() - killedAt;
      tried = now;
      if (Number.isNaN(leaseMs) && (await store.edges.find(KILLED)) === undefined)
        leaseMs = performance.now() - killedAt;
      calm = Number.isNaN(leaseMs) ? 0 : performance.now() - killedAt - Math.max(lastTried, leaseMs);
      if (performance.now() - killedAt > LEASE_MS + SLACK_MS) break;
      await sleep(PROBE_MS);
    }
    await eventually('all are back', () => backAt.length >= devices, PATIENCE_MS);
    const times = [...backAt].sort((a, b) => a - b);
    const at = (share: number): number => seconds(times[Math.ceil(devices * share) - 1] ?? Number.NaN);
    const sent = all.slice(0, devices).map((device, n) => device.sent - (sentBefore[n] ?? 0));
    const [during, after] = [probes.filter(({ at: when }) => when <= lastTried), probes.filter(({ at: when }) => when > lastTried)]; // prettier-ignore
    return {
      devices,
      leaseS: seconds(leaseMs),
      offeredS: seconds(lastTried),
      meanwhile: countByStatus(during),
      afterwards: countByStatus(after),
      slowestMeanwhileMs: slowest(during),
      slowestAfterwardsMs: slowest(after),
      backS: { half: at(0.5), most: at(0.99), all: at(1) },
      sentEach: { mean: sent.reduce((sum, n) => sum + n, 0) / devices, most: Math.max(...sent) },
      failures: all.reduce((sum, { failures }) => sum + failures, 0),
      reached: await reach(system, accounts.slice(0, devices).map(({ user }) => user)), // prettier-ignore
      memory: { before, after: await resident() },
    };
  } finally {
    for (const device of all) device.close();
    await system.stop();
  }
}

/** Connections that the other edge has begun: to inner edges, for these phones connect by themselves. */
async function triesOf(system: TestSystem): Promise<number> {
  return (await system.metrics(OTHER)).sum('rollcall_sip_connections_total', { direction: 'out' });
}

/** How many of these users answer through the other edge. */
async function reach(system: TestSystem, users: readonly string[]): Promise<number> {
  let reached = 0;
  let next = 0;
  const one = async (): Promise<void> => {
    const phone = await system.phone(ALICE, { edge: 2 });
    for (let user = users[next++]; user !== undefined; user = users[next++]) {
      if ((await ask(phone, user)).status === 200) reached += 1;
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, one));
  return reached;
}

const seconds = (ms: number): number => Math.round(ms / 100) / 10;
const slowest = (probes: readonly Probe[]): number =>
  Math.round(probes.reduce((most, { tookMs }) => Math.max(most, tookMs), 0));

function countByStatus(probes: readonly Probe[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of probes) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
