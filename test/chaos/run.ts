import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Aor, Binding } from '@rollcall/location';
import { numberedAccounts } from '@rollcall/local';
import { eventually, freePortBase, TestSystem } from '@rollcall/testkit';
import { Devices } from '../faults/devices.ts';
import { addFindings, Ledger, noFindings, type Findings } from '../faults/ledger.ts';
import { startTopology, type Topology, type TopologyKind } from '../faults/topology.ts';
import { Availability, type Gap } from './availability.ts';
import { CutProxy } from './cut-proxy.ts';
import { faultsOf, schedule } from './faults.ts';
import { SeededRandom } from './random.ts';
import { type WatchFindings, Watchers } from './watchers.ts';

export interface ChaosOptions {
  readonly topology: TopologyKind;
  readonly seed: number;
  readonly seconds: number;
  readonly devices: number;
  readonly watchers: number;
  /** Rows of the fault board, to run their faults alone; none for all. */
  readonly rows: readonly string[];
  /** Whether every service is restarted in turn after the faults. */
  readonly rolling: boolean;
  /** Called with one line for each thing that happens. */
  readonly say: (line: string) => void;
}

export interface ChaosReport extends Findings {
  readonly options: ChaosOptions;
  readonly faults: readonly string[];
  readonly acknowledged: number;
  readonly refused: number;
  readonly unanswered: number;
  readonly statuses: ReadonlyMap<number, number>;
  /** Answers by status while every service was restarted in turn; empty when it was not asked for. */
  readonly rollingStatuses: ReadonlyMap<number, number>;
  readonly withoutRetryAfter: number;
  /** Longest time without a single 200 under each fault. */
  readonly gaps: readonly Gap[];
  /** Seconds for which the devices ran, the rolling restart included. */
  readonly loadSeconds: number;
  readonly watch: WatchFindings;
  /** Ms from the last fault's end until every watcher had the state. */
  readonly settledMs: number;
}

const EDGES = 3;
const REPLICAS = { edge: EDGES, registrar: 2, presence: 2 };
/** Rest of a device between requests: with 400 devices some 500 requests a second. */
const THINK_MS = 600;
const BETWEEN_FAULTS_MS = 1500;
/** Offset of the proxy's port in the block of the Redis processes. */
const PROXY_OFFSET = 20;
const SETTLE_MS = 45_000;
/** One Redis must survive its own kill; where there is a replica, that is what each 200 waits for. */
const SINGLE_SETTINGS = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Runs the whole system under load while things break in an order that the seed gives, and compares it with what was promised. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-chaos-'));
  const portBase = await freePortBase();
  const single = options.topology === 'single';
  const topology = await startTopology(options.topology, {
    ...{ portBase, folder },
    ...(single ? { settings: SINGLE_SETTINGS } : {}),
  });
  const proxy = single ? await CutProxy.start(portBase + PROXY_OFFSET, portBase) : undefined;
  const accounts = [...numberedAccounts(options.devices)];
  const url = `redis://127.0.0.1:${portBase + PROXY_OFFSET}`;
  const system = await TestSystem.start({
    replicas: REPLICAS,
    accounts,
    redis: {
      address: topology.place.address,
      env: { ...topology.place.env, ...(proxy === undefined ? {} : { ROLLCALL_REDIS_URL: url }) },
    },
    env: { all: { ROLLCALL_DURABILITY: single ? 'everysec' : 'replica' } },
  });
  const ledger = new Ledger();
  const watchers = new Watchers();
  const edges = system.plan.sip.filter(({ transport }) => transport === 'udp');
  try {
    await watchers.start(system, accounts.slice(0, options.watchers), EDGES);
    const devices = await Devices.start({
      ...{ accounts, domain: system.domain, edges, ledger, thinkMs: THINK_MS },
    });
    const began = Date.now();
    const availability = new Availability(() => ledger.acknowledged);
    const faults = await breakThings(options, { system, topology, proxy }, availability);
    const rollingStatuses = options.rolling
      ? await rollServices(options, system, devices, availability)
      : new Map<number, number>();
    availability.stop();
    const loadSeconds = Math.round((Date.now() - began) / 1000);
    await devices.hold();
    const calm = Date.now();
    const stored = await readAll(system, ledger, watchers);
    const findings = noFindings();
    for (const aor of ledger.aors())
      addFindings(findings, ledger.check(aor, stored.get(aor) ?? [], Date.now()));
    const watch = await settle(watchers, stored);
    const settledMs = Date.now() - calm;
    watchers.stop();
    await devices.stop();
    const { statuses, withoutRetryAfter } = devices;
    const { acknowledged, refused, unanswered } = ledger;
    const { gaps } = availability;
    return {
      ...{ options, faults, ...findings, acknowledged, refused, unanswered, statuses, rollingStatuses },
      ...{ withoutRetryAfter, gaps, loadSeconds, watch, settledMs },
    };
  } finally {
    watchers.stop();
    await system.stop();
    await proxy?.stop();
    await topology.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function breakThings(
  options: ChaosOptions,
  targets: { system: TestSystem; topology: Topology; proxy: CutProxy | undefined },
  availability: Availability,
): Promise<string[]> {
  const names = targets.system.system.services.map(({ planned }) => planned.name);
  const random = new SeededRandom(options.seed);
  const end = Date.now() + options.seconds * 1000;
  const done: string[] = [];
  for (const fault of schedule(faultsOf(names, targets.proxy !== undefined, options.rows), random)) {
    await sleep(BETWEEN_FAULTS_MS);
    if (Date.now() >= end) break;
    options.say(`${options.topology} seed ${options.seed}: ${fault.name}`);
    availability.enter(fault.name);
    await fault.run(targets);
    done.push(fault.name);
    if (options.rows.length > 0) availability.enter('nothing');
  }
  return done;
}

/** Restarts every service in turn, as an upgrade does; the answers that phones got meanwhile, by status. */
async function rollServices(
  options: ChaosOptions,
  { system }: TestSystem,
  devices: Devices,
  availability: Availability,
): Promise<Map<number, number>> {
  // What the last fault has left behind is over, so that each answer from now on is the restart's.
  availability.enter('nothing');
  await devices.acknowledge(options.devices);
  const before = new Map(devices.statuses);
  options.say(`${options.topology} seed ${options.seed}: rolling restart`);
  availability.enter('rolling restart of every service');
  for (const service of system.services) {
    await service.process.stop();
    await system.revive(service);
    await sleep(BETWEEN_FAULTS_MS);
  }
  const meanwhile = [...devices.statuses].map(
    ([status, n]) => [status, n - (before.get(status) ?? 0)] as const,
  );
  return new Map(meanwhile.filter(([, n]) => n > 0));
}

const READ_TOGETHER = 100;

async function readAll(
  system: TestSystem,
  ledger: Ledger,
  watchers: Watchers,
): Promise<Map<string, readonly Binding[]>> {
  const store = await system.store();
  const stored = new Map<string, readonly Binding[]>();
  const aors = [...new Set([...ledger.aors(), ...watchers.aors])];
  await eventually('the store', () => store.ready(), SETTLE_MS);
  for (let at = 0; at < aors.length; at += READ_TOGETHER) {
    const part = aors.slice(at, at + READ_TOGETHER);
    const snapshots = await Promise.all(part.map((aor) => store.location.read(aor as Aor)));
    part.forEach((aor, i) => stored.set(aor, snapshots[i]?.bindings ?? []));
  }
  return stored;
}

async function settle(
  watchers: Watchers,
  stored: ReadonlyMap<string, readonly Binding[]>,
): Promise<WatchFindings> {
  const end = Date.now() + SETTLE_MS;
  for (;;) {
    const found = watchers.compare(stored);
    if (found.stale.length === 0 || Date.now() > end) return found;
    await sleep(100);
  }
}
