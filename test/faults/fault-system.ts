import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ha1Set } from '@rollcall/digest';
import { StoreUnavailable, type Aor } from '@rollcall/location';
import { newSecrets, numberedAccounts, planSystem, System, type RunningService } from '@rollcall/local';
import { connectStore, type Durability, type Store } from '@rollcall/store-redis';
import { eventually, freePortBase, ROOT, type Account } from '@rollcall/testkit';
import { Devices } from './devices.ts';
import { addFindings, Ledger, noFindings, type Findings } from './ledger.ts';
import { startTopology, type Topology, type TopologyKind } from './topology.ts';

export interface FaultSystemOptions {
  readonly topology: TopologyKind;
  readonly durability: Durability;
  readonly devices?: number;
  readonly thinkMs?: number;
  /** A free block of ports is looked for when absent. */
  readonly portBase?: number;
  /** Added to the environment of a service by name: `registrar-1`. */
  readonly env?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly redisSettings?: readonly string[];
}

const DOMAIN = 'example.test';
/** Offset of Redis's ports in a block; below are those of the services. */
const REDIS_OFFSET = 36;
const REGISTRARS = 2;
const READ_TOGETHER = 100;
const PROBES = 10;
/** Long enough for a kill to be felt, and too short to be served again. */
const HOLD_AFTER_MS = 50;

/** An edge and two registrars as processes on a Redis of a given shape, with devices that register through them. */
export class FaultSystem {
  private constructor(
    readonly topology: Topology,
    readonly system: System,
    readonly store: Store,
    readonly devices: Devices,
    readonly ledger: Ledger,
    /** A few more that are never held: they tell when the system serves again. */
    readonly probe: Devices,
    readonly accounts: readonly Account[],
    private readonly folder: string,
  ) {}

  static async start(options: FaultSystemOptions): Promise<FaultSystem> {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-faults-'));
    const portBase = options.portBase ?? (await freePortBase());
    const topology = await startTopology(options.topology, {
      portBase: portBase + REDIS_OFFSET,
      folder: join(folder, 'redis'),
      ...(options.redisSettings === undefined ? {} : { settings: options.redisSettings }),
    });
    const store = await connectStore({ ...topology.place.address, commandTimeoutMs: 5000 });
    await eventually('the store', () => store.ready(), 30_000);
    const accounts = [...numberedAccounts((options.devices ?? 100) + PROBES)];
    await createUsers(store, accounts);
    const system = await startServices(options, portBase, topology, folder);
    const ledger = new Ledger();
    const edges = system.plan.sip.filter(({ transport }) => transport === 'udp');
    const common = { domain: DOMAIN, edges, thinkMs: options.thinkMs ?? 200 };
    const checked = accounts.slice(0, -PROBES);
    const devices = await Devices.start({ ...common, accounts: checked, ledger });
    const probe = await Devices.start({ ...common, accounts: accounts.slice(-PROBES), ledger: new Ledger() });
    return new FaultSystem(topology, system, store, devices, ledger, probe, checked, folder);
  }

  get edge(): { readonly host: string; readonly port: number } {
    const found = this.system.plan.sip.find(({ transport }) => transport === 'udp');
    if (found === undefined) throw new Error('there is no edge');
    return found;
  }

  service(name: string): RunningService {
    const found = this.system.services.find(({ planned }) => planned.name === name);
    if (found === undefined) throw new Error(`there is no service ${name}`);
    return found;
  }

  log(name: string): string {
    return readFileSync(this.service(name).logFile, 'utf8');
  }

  async killService(name: string): Promise<void> {
    const { process } = this.service(name);
    process.kill('SIGKILL');
    await process.ended;
  }

  async revive(name: string): Promise<void> {
    await this.system.revive(this.service(name));
  }

  /**
   * Runs a fault under load and holds the devices as soon as it has struck: what they were told before stands as it is, and no
   * later REGISTER covers up what was lost. Ms until phones are served again.
   */
  async strike(fault: () => Promise<void>): Promise<number> {
    const began = performance.now();
    const striking = fault();
    await sleep(HOLD_AFTER_MS);
    const holding = this.devices.hold();
    await this.probe.acknowledge(PROBES);
    const outage = performance.now() - began;
    await Promise.all([striking, holding]);
    return outage;
  }

  /** Holds the devices, compares all that was promised with what is stored, and lets them go on. */
  async check(only: (aor: string) => boolean = () => true): Promise<Findings> {
    await this.devices.hold();
    await eventually('the store answering', () => this.#answers(), 60_000);
    const findings = noFindings();
    const aors = this.ledger.aors().filter(only);
    for (let at = 0; at < aors.length; at += READ_TOGETHER) {
      const part = aors.slice(at, at + READ_TOGETHER);
      const snapshots = await Promise.all(part.map((aor) => this.store.location.read(aor as Aor)));
      const now = Date.now();
      part.forEach((aor, i) => {
        addFindings(findings, this.ledger.check(aor, snapshots[i]?.bindings ?? [], now));
      });
    }
    this.devices.release();
    return findings;
  }

  /** Users and domain as at the start, where they have been lost. */
  async restoreUsers(): Promise<void> {
    await createUsers(this.store, [...numberedAccounts(this.accounts.length + PROBES)]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.devices.stop(), this.probe.stop()]);
    await this.system.stop();
    await this.store.close();
    await this.topology.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Every shard: one that has lost its primary is not there yet. */
  async #answers(): Promise<boolean> {
    const reads = await Promise.allSettled(
      this.accounts
        .slice(0, READ_TOGETHER)
        .map(({ user }) => this.store.location.read(`sip:${user}@${DOMAIN}` as Aor)),
    );
    return !reads.some((read) => read.status === 'rejected' && read.reason instanceof StoreUnavailable);
  }
}

async function createUsers(store: Store, accounts: readonly Account[]): Promise<void> {
  await store.users.domains.put({ name: DOMAIN });
  await store.users.putMany(
    accounts.map(({ user, password }) => ({
      aor: `sip:${user}@${DOMAIN}` as Aor,
      authUser: user,
      realm: DOMAIN,
      ha1: ha1Set(user, DOMAIN, password),
      enabled: true,
    })),
  );
}

async function startServices(
  options: FaultSystemOptions,
  portBase: number,
  { place }: Topology,
  folder: string,
): Promise<System> {
  const extra = {
    ...{ OTEL_TRACES_EXPORTER: 'none', ROLLCALL_REHEARSAL_MS: '0' },
    ROLLCALL_DURABILITY: options.durability,
    ...place.env,
  };
  const whole = planSystem({
    ...{ host: '127.0.0.1', portBase, redisUrl: place.env['ROLLCALL_REDIS_URL'] ?? 'redis://127.0.0.1' },
    ...newSecrets(),
    replicas: { edge: 1, registrar: REGISTRARS, presence: 1 },
    extra: { all: extra },
  });
  const services = whole.services
    .filter(({ kind }) => kind === 'edge' || kind === 'registrar')
    .map((service) => ({ ...service, env: { ...service.env, ...options.env?.[service.name] } }));
  const system = new System(
    { ...whole, services },
    {
      ...{ root: ROOT, folder: join(folder, 'logs'), node: process.execPath, restart: false },
      say: () => undefined,
    },
  );
  await system.start();
  return system;
}
