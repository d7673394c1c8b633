import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Aor } from '@rollcall/location';
import { numberedAccounts } from '@rollcall/local';
import { eventually, TestSystem } from '@rollcall/testkit';
import { residentMemory } from '../bench/processes.ts';
import { Devices } from '../faults/devices.ts';
import { redisCall } from '../faults/redis-wire.ts';
import { addFindings, Ledger, noFindings, type Findings } from '../faults/ledger.ts';
import { type WatchFindings, Watchers } from './watchers.ts';

export interface SoakOptions {
  readonly seconds: number;
  /** Between two samples; watchers are made anew in each of these. */
  readonly roundSeconds: number;
  /** Seconds that devices ask for: at least this, and half as much more. */
  readonly expires: number;
  /** That refresh all the time, and that come back only after their bindings have lapsed. */
  readonly busy: number;
  readonly lapsing: number;
  readonly watchers: number;
  readonly say: (line: string) => void;
}

/** What everything holds at one moment. */
export interface SoakSample {
  /** Since the load began. */
  readonly seconds: number;
  readonly acknowledged: number;
  /** MiB and open descriptors of each service. */
  readonly services: readonly { readonly name: string; readonly mib: number; readonly fds: number }[];
  readonly redisMib: number;
  readonly keys: number;
}

export interface SoakReport {
  readonly options: SoakOptions;
  readonly samples: readonly SoakSample[];
  readonly findings: Findings;
  readonly watch: Pick<WatchFindings, 'lost' | 'backwards' | 'stale' | 'notifies'>;
  readonly statuses: ReadonlyMap<number, number>;
  readonly expired: number;
  /** Services that have ended, or were not the processes of the start. */
  readonly restarted: readonly string[];
}

const EDGES = 2;
const REPLICAS = { edge: EDGES, registrar: 2, presence: 2 };
const BUSY_THINK_MS = 600;
const SETTLE_MS = 45_000;
const READ_TOGETHER = 100;
const MIB = 1_048_576;

/** A whole system under steady load and without a fault, for as long as is asked: what grows, and whether all that was promised holds. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const accounts = [...numberedAccounts(options.busy + options.lapsing)];
  const system = await TestSystem.start({
    ...{ replicas: REPLICAS, accounts },
    env: { all: { ROLLCALL_MIN_EXPIRES: '1' } },
  });
  const pids = system.system.services.map(({ process }) => process.pid);
  const ledger = new Ledger();
  const edges = system.plan.sip.filter(({ transport }) => transport === 'udp');
  const expires = { from: options.expires, spread: options.expires / 2 };
  const common = { domain: system.domain, edges, ledger, expires };
  const busy = accounts.slice(0, options.busy);
  const groups = [
    await Devices.start({ ...common, accounts: busy, thinkMs: BUSY_THINK_MS }),
    await Devices.start({
      ...{ ...common, accounts: accounts.slice(options.busy) },
      // Half of it at least: longer than any of the bindings lasts.
      thinkMs: 4 * options.expires * 1000,
    }),
  ];
  const watch = { lost: 0, notifies: 0, backwards: [] as string[], stale: [] as string[] };
  const samples: SoakSample[] = [];
  const findings = noFindings();
  const began = Date.now();
  try {
    while (Date.now() - began < options.seconds * 1000) {
      const watchers = new Watchers();
      await watchers.start(system, busy.slice(0, options.watchers), EDGES);
      await sleep(options.roundSeconds * 1000);
      await Promise.all(groups.map((group) => group.hold()));
      await check(system, ledger, watchers, findings, watch);
      watchers.stop();
      system.closePhones();
      samples.push(await sample(system, ledger, began));
      options.say(printSample(samples.at(-1)));
      for (const group of groups) group.release();
    }
    const now = system.system.services;
    return {
      ...{ options, samples, findings, watch },
      statuses: sumOf(groups.map(({ statuses }) => statuses)),
      expired: await system.metric('registrar', 'rollcall_binding_changes_total', { kind: 'expired' }),
      restarted: now.filter(({ process }, n) => process.exited || process.pid !== pids[n]).map(({ planned }) => planned.name), // prettier-ignore
    };
  } finally {
    await Promise.all(groups.map((group) => group.stop()));
    await system.stop();
  }
}

async function check(
  system: TestSystem,
  ledger: Ledger,
  watchers: Watchers,
  findings: Findings,
  watch: { lost: number; notifies: number; backwards: string[]; stale: string[] },
): Promise<void> {
  const store = await system.store();
  await eventually('the store', () => store.ready(), SETTLE_MS);
  const aors = ledger.aors();
  for (let at = 0; at < aors.length; at += READ_TOGETHER) {
    const part = aors.slice(at, at + READ_TOGETHER);
    const read = await Promise.all(part.map((aor) => store.location.read(aor as Aor)));
    const now = Date.now();
    part.forEach((aor, i) => {
      const live = (read[i]?.bindings ?? []).filter(({ expiresAt }) => expiresAt > now);
      addFindings(findings, ledger.check(aor, live, now));
    });
  }
  // Bindings go on expiring meanwhile: what watchers were told is compared with the state of the same moment.
  const compare = async (): Promise<WatchFindings> => {
    const snapshots = await Promise.all(
      watchers.aors.map(async (aor) => [aor, (await store.location.read(aor as Aor)).bindings] as const),
    );
    return watchers.compare(new Map(snapshots));
  };
  await eventually('watchers', async () => (await compare()).stale.length === 0, SETTLE_MS).catch(
    () => undefined,
  );
  const found = await compare();
  watch.lost += found.lost;
  watch.notifies += found.notifies;
  watch.backwards.push(...found.backwards);
  watch.stale.push(...found.stale);
}

async function sample(system: TestSystem, ledger: Ledger, began: number): Promise<SoakSample> {
  const port = Number(new URL(system.redisUrl).port);
  const memory = String(await redisCall(port, 'INFO', 'memory'));
  return {
    seconds: Math.round((Date.now() - began) / 1000),
    acknowledged: ledger.acknowledged,
    services: system.system.services.map(({ planned, process }) => ({
      name: planned.name,
      mib: residentMemory(process.pid)?.mib ?? 0,
      fds: readdirSync(`/proc/${String(process.pid)}/fd`).length,
    })),
    redisMib: Number(/used_memory:(\d+)/.exec(memory)?.[1]) / MIB,
    keys: Number(await redisCall(port, 'DBSIZE')),
  };
}

function sumOf(all: readonly ReadonlyMap<number, number>[]): Map<number, number> {
  const sum = new Map<number, number>();
  for (const one of all) for (const [status, n] of one) sum.set(status, (sum.get(status) ?? 0) + n);
  return sum;
}

function printSample(sample: SoakSample | undefined): string {
  if (sample === undefined) return '';
  const services = sample.services.map(({ name, mib, fds }) => `${name} ${mib.toFixed(0)} MiB ${fds} fds`);
  return `${sample.seconds} s: ${sample.acknowledged} acknowledged, Redis ${sample.redisMib.toFixed(1)} MiB ${sample.keys} keys, ${services.join(', ')}`;
}
