import { mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  DEMO_DOMAIN,
  newSecrets,
  Phone,
  planSystem,
  REDIS_OFFSET,
  spawnTied,
  startRedis,
  waitReady,
  type Plan,
  type PlannedService,
  type RedisInstance,
  type RunningService,
  type ServiceKind,
} from '@rollcall/local';
import { connectStore, type Store } from '@rollcall/store-redis';
import {
  eventually,
  freePortBase,
  readMetrics,
  redisForTests,
  ROOT,
  type Account,
  type Samples,
} from '@rollcall/testkit';

export type Version = 'old' | 'new';

/** Two of each service that phones depend on, so that an old and a new one can stand side by side. */
const REPLICAS = { edge: 2, registrar: 2, presence: 2 };
const READY_TIMEOUT_MS = 60_000;

interface OldConfig {
  readonly ROLLCALL_NAMES: ReadonlySet<string>;
}
interface OldLocal {
  createUsers(redisUrl: string, domain: string, accounts: Iterable<Account>): Promise<number>;
}

/** The services of two builds as processes on one Redis. Each has one port whatever build it is of. */
export class Fleet {
  readonly domain = DEMO_DOMAIN;
  readonly #services = new Map<string, RunningService>();
  readonly #versions = new Map<string, Version>();
  /** All phones so far, closed ones too. */
  readonly phones: Phone[] = [];

  private constructor(
    readonly plan: Plan,
    readonly redis: RedisInstance,
    readonly store: Store,
    private readonly folder: string,
    private readonly oldRoot: string,
    /** Names of settings that the old build knows: it ends at once over one that it does not. */
    private readonly oldNames: ReadonlySet<string>,
  ) {}

  /** Everything of the old build, with users that the old build has stored. */
  static async start(oldRoot: string, accounts: readonly Account[]): Promise<Fleet> {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-upgrade-'));
    mkdirSync(join(folder, 'logs'));
    const portBase = await freePortBase();
    const redis = await startRedis(redisForTests(), {
      port: portBase + REDIS_OFFSET,
      folder: join(folder, 'redis'),
    });
    const config = (await importOld(oldRoot, 'libs/config')) as OldConfig;
    const local = (await importOld(oldRoot, 'deploy/local')) as OldLocal;
    await local.createUsers(redis.url, DEMO_DOMAIN, accounts);
    const store = await connectStore({ url: redis.url });
    await eventually('the store', () => store.ready());
    const plan = planSystem({
      ...{ host: '127.0.0.1', portBase, redisUrl: redis.url, ...newSecrets(), replicas: REPLICAS },
      extra: { all: { OTEL_TRACES_EXPORTER: 'none' } },
    });
    const fleet = new Fleet(plan, redis, store, folder, oldRoot, config.ROLLCALL_NAMES);
    try {
      await Promise.all(plan.services.map(({ name }) => fleet.#launch(name, 'old')));
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** Names of all services in the order in which an upgrade replaces them here: what is behind first. */
  get names(): readonly string[] {
    return this.plan.services.map(({ name }) => name);
  }

  versionOf(name: string): Version | undefined {
    return this.#versions.get(name);
  }

  /** Ends a service with SIGTERM and starts the other build in its place; resolves when it is ready. */
  async replace(name: string, version: Version): Promise<void> {
    const running = this.#services.get(name);
    await running?.process.stop();
    const { code } = (await running?.process.ended) ?? { code: 0 };
    if (code !== 0)
      throw new Error(`${name} ended with ${String(code)}: ${running?.process.lastLines(3) ?? ''}`);
    await this.#launch(name, version);
  }

  /** A phone over UDP at the n-th edge; closed with the fleet. */
  async phone(account: Account, { edge = 1 } = {}): Promise<Phone> {
    const server = this.edges[edge - 1];
    if (server === undefined) throw new Error(`there is no edge ${String(edge)}`);
    const phone = await Phone.open({
      ...{ transport: 'udp', server, domain: this.domain, algorithms: ['MD5'], ...account },
    });
    this.phones.push(phone);
    return phone;
  }

  get edges(): readonly { readonly host: string; readonly port: number }[] {
    return this.plan.sip.filter(({ transport }) => transport === 'udp');
  }

  /** Prometheus samples of a service, since it was started. */
  async metrics(name: string): Promise<Samples> {
    const response = await fetch(`http://127.0.0.1:${String(this.#planned(name).opsPort)}/metrics`);
    return readMetrics(await response.text());
  }

  /** Log lines of all services so far that tell of an error, with the name of the service before each. */
  errors(): string[] {
    return this.names.flatMap((name) =>
      readFileSync(this.#logFile(name), 'utf8')
        .split('\n')
        .filter((line) => /"level":(?:50|60)/.test(line) || line.startsWith('rollcall-'))
        .map((line) => `${name}: ${line}`),
    );
  }

  async stop(): Promise<void> {
    for (const phone of this.phones) phone.close();
    const of = (...kinds: ServiceKind[]) =>
      [...this.#services.values()].filter(({ planned }) => kinds.includes(planned.kind));
    await Promise.all(of('edge', 'admin').map(({ process }) => process.stop()));
    await Promise.all(of('registrar', 'presence').map(({ process }) => process.stop()));
    await this.store.close();
    await this.redis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #launch(name: string, version: Version): Promise<void> {
    const planned = this.#planned(name);
    const root = version === 'old' ? this.oldRoot : ROOT;
    const logFile = this.#logFile(name);
    const main = join(root, 'services', planned.kind, 'dist', 'main.js');
    const child = spawnTied(process.execPath, ['--enable-source-maps', main], {
      ...{ name, cwd: root, logFile },
      env: version === 'old' ? this.#known(planned.env) : planned.env,
    });
    const service: RunningService = { planned, logFile, process: child };
    this.#services.set(name, service);
    this.#versions.set(name, version);
    await waitReady(service, READY_TIMEOUT_MS);
  }

  #known(env: PlannedService['env']): Record<string, string> {
    return Object.fromEntries(
      Object.entries(env).filter(([name]) => !name.startsWith('ROLLCALL_') || this.oldNames.has(name)),
    );
  }

  #planned(name: string): PlannedService {
    const found = this.plan.services.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no service ${name}`);
    return found;
  }

  #logFile(name: string): string {
    return join(this.folder, 'logs', `${name}.log`);
  }
}

const importOld = (root: string, folder: string): Promise<unknown> =>
  import(pathToFileURL(join(root, folder, 'dist', 'index.js')).href);
