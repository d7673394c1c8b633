import { setTimeout as sleep } from 'node:timers/promises';
import type { TestSystem } from '@rollcall/testkit';
import type { Topology } from '../faults/topology.ts';
import type { CutProxy } from './cut-proxy.ts';
import type { SeededRandom } from './random.ts';

export interface Targets {
  readonly system: TestSystem;
  readonly topology: Topology;
  /** Between the services and Redis; only where there is one Redis. */
  readonly proxy: CutProxy | undefined;
}

/** One way to break something, and what it takes to have it whole again. */
export interface Fault {
  /** Of the fault board in docs/chaos.md. */
  readonly row: string;
  readonly name: string;
  run(targets: Targets): Promise<void>;
}

const REVIVE_AFTER_MS = 800;
const STOPPED_MS = 5000;
const WITHHELD_MS = 3000;
const SLOW_MS = 5000;

const kill = (service: string): Fault => ({
  row: 'K01',
  name: `kill -9 ${service}`,
  async run({ system }) {
    await system.kill(service);
    await sleep(REVIVE_AFTER_MS);
    await system.revive(service);
  },
});

const killAll = (kind: string): Fault => ({
  row: 'K02',
  name: `kill -9 every ${kind} at once`,
  async run({ system }) {
    const names = system.system.services.map(({ planned }) => planned.name);
    const victims = names.filter((name) => name.startsWith(`${kind}-`));
    await Promise.all(victims.map((name) => system.kill(name)));
    await Promise.all(victims.map((name) => system.revive(name)));
  },
});

const restart = (service: string): Fault => ({
  row: 'K26',
  name: `restart ${service}`,
  async run({ system }) {
    await system.service(service).process.stop();
    await system.revive(service);
  },
});

const stopFor = (service: string): Fault => ({
  row: 'K12',
  name: `SIGSTOP ${service} for ${STOPPED_MS / 1000} s`,
  async run({ system }) {
    const { process } = system.service(service);
    process.kill('SIGSTOP');
    await sleep(STOPPED_MS);
    process.kill('SIGCONT');
  },
});

const killRedis: Fault = {
  row: 'K05',
  name: 'kill -9 the Redis primary',
  async run({ topology }) {
    await topology.killPrimary();
    await topology.heal();
  },
};

const stopRedis: Fault = {
  row: 'K08',
  name: `SIGSTOP Redis for ${STOPPED_MS / 1000} s`,
  async run({ topology }) {
    topology.pause();
    await sleep(STOPPED_MS);
    topology.resume();
    await topology.heal();
  },
};

const cutRedis: Fault = {
  row: 'K12',
  name: 'reset every connection to Redis',
  run({ proxy }) {
    proxy?.cut();
    return Promise.resolve();
  },
};

const withholdRedis: Fault = {
  row: 'K12',
  name: `hold back all packets to and from Redis for ${WITHHELD_MS / 1000} s`,
  async run({ proxy }) {
    proxy?.withhold();
    await sleep(WITHHELD_MS);
    proxy?.release();
  },
};

/** Within what a call to Redis may take (each way a half), and beyond it: what is late then is refused. */
const slowRedis = (lateMs: number): Fault => ({
  row: 'K09',
  name: `Redis ${lateMs} ms late for ${SLOW_MS / 1000} s`,
  async run({ proxy }) {
    proxy?.delay(lateMs / 2);
    await sleep(SLOW_MS);
    proxy?.delay(0);
  },
});

/**
 * What may happen in a run, each as often as it stands here; the order is the seed's. Rows of the fault board leave only their own.
 * Throws when there is none of these.
 */
export function faultsOf(services: readonly string[], withProxy: boolean, rows: readonly string[]): Fault[] {
  const inner = services.filter((name) => !name.startsWith('admin'));
  const all = [
    ...services.map(kill),
    ...['edge', 'registrar', 'presence'].map(killAll),
    ...inner.map(restart),
    ...inner.map(stopFor),
    ...[killRedis, stopRedis],
    ...(withProxy ? [cutRedis, cutRedis, withholdRedis, ...[50, 200, 1000].map(slowRedis)] : []),
  ];
  const wanted = rows.length === 0 ? all : all.filter(({ row }) => rows.includes(row));
  if (wanted.length === 0) throw new RangeError(`no fault of ${rows.join(', ')} on this Redis`);
  return wanted;
}

/** First the one that no run of all faults may leave out; then faults in an order that the seed gives, each before any comes again. */
export function* schedule(faults: readonly Fault[], random: SeededRandom): Generator<Fault> {
  if (faults.includes(killRedis)) yield killRedis;
  for (;;) {
    const left = [...faults];
    while (left.length > 0) {
      const [next] = left.splice(random.between(0, left.length - 1), 1);
      if (next !== undefined) yield next;
    }
  }
}
