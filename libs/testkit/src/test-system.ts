import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DEMO_DOMAIN,
  findRedisServer,
  firstBusy,
  localCertificate,
  newSecrets,
  Phone,
  planSystem,
  REDIS_OFFSET,
  startRedis,
  storeUsers,
  System,
  waitReady,
  type Account,
  type ExtraEnvironment,
  type PhoneOptions,
  type Plan,
  type RedisInstance,
  type RedisServer,
  type Replicas,
  type RunningService,
  type ServiceKind,
  type SipTransport,
} from '@rollcall/local';
import { connectStore, type Store } from '@rollcall/store-redis';
import { AdminClient } from './admin-client.ts';
import { eventually } from './eventually.ts';
import { readMetrics, type Samples } from './metrics.ts';
import { readSpans, type Span } from './spans.ts';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface SystemOptions {
  readonly replicas?: Partial<Replicas>;
  /** Where the edges and the admin service listen; 127.0.0.1 when unset. */
  readonly host?: string;
  /** Added to the environment of the services: of all, or of one kind. */
  readonly env?: ExtraEnvironment;
  readonly accounts?: readonly Account[];
  /** Starts the services without waiting for readiness, as for a Redis that is away. */
  readonly redis?: 'own' | { readonly url: string } | StorePlace;
}

/** A store of another shape than one Redis: as `connectStore` and as the services' environment take it. */
export interface StorePlace {
  readonly address: Parameters<typeof connectStore>[0];
  readonly env: Readonly<Record<string, string>>;
}

export const ALICE: Account = { user: 'alice', password: 'alice-secret' };
export const BOB: Account = { user: 'bob', password: 'bob-secret' };
export const CAROL: Account = { user: 'carol', password: 'carol-secret' };
const DEFAULT_ACCOUNTS = [ALICE, BOB, CAROL];

/** What every process of a test may do without. */
const QUICK = { OTEL_TRACES_EXPORTER: 'none', ROLLCALL_REHEARSAL_MS: '0' };

/** Blocks of ports that tests use; one system at a time takes the first block that is free. */
const FIRST_BLOCK = 16_500;
const LAST_BLOCK = 16_920;
const BLOCK = 60;

/** The first free block of ports that holds a whole system. */
export async function freePortBase(): Promise<number> {
  for (let base = FIRST_BLOCK; base <= LAST_BLOCK; base += BLOCK) {
    const ports = Array.from({ length: BLOCK - 1 }, (_, offset) => base + offset);
    const addresses = ports.flatMap((port) => [
      { transport: 'tcp' as const, host: '127.0.0.1', port },
      { transport: 'udp' as const, host: '127.0.0.1', port },
    ]);
    if ((await firstBusy(addresses)) === undefined) return base;
  }
  throw new Error(`no free block of ${BLOCK} ports between ${FIRST_BLOCK} and ${LAST_BLOCK + BLOCK}`);
}

/** A real Redis for tests; throws when there is none, or only the JavaScript stand-in: durability is part of the tests. */
export function redisForTests(): RedisServer {
  const server = findRedisServer({ root: ROOT, env: process.env });
  if (server === undefined)
    throw new Error('no redis-server found: install it (apt-get install redis-server)');
  return server;
}

/** The four services as processes on free ports, on a Redis of their own. */
export class TestSystem {
  readonly domain = DEMO_DOMAIN;
  readonly admin: AdminClient;
  #phones: Phone[] = [];
  #store: Store | undefined;

  private constructor(
    readonly plan: Plan,
    readonly system: System,
    readonly redis: RedisInstance | undefined,
    readonly place: StorePlace,
    readonly folder: string,
    readonly portBase: number,
  ) {
    this.admin = new AdminClient(plan.admin.url, plan.admin.token);
  }

  get redisUrl(): string {
    return this.place.env['ROLLCALL_REDIS_URL'] ?? 'redis://127.0.0.1';
  }

  static async start(options: SystemOptions = {}): Promise<TestSystem> {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-test-'));
    const portBase = await freePortBase();
    const own = options.redis === undefined || options.redis === 'own';
    const redis = own
      ? await startRedis(redisForTests(), { port: portBase + REDIS_OFFSET, folder: join(folder, 'redis') })
      : undefined;
    const place = placeOf(options.redis, `redis://127.0.0.1:${portBase + REDIS_OFFSET}`);
    const redisUrl = place.env['ROLLCALL_REDIS_URL'] ?? 'redis://127.0.0.1';
    try {
      await addUsers(place, options.accounts ?? DEFAULT_ACCOUNTS);
      const host = options.host ?? '127.0.0.1';
      const certificate = localCertificate(join(folder, 'tls'), DEMO_DOMAIN, host);
      const plan = planSystem({
        ...{ host, portBase, redisUrl, certificate, ...newSecrets() },
        replicas: { edge: 1, registrar: 1, presence: 1, ...options.replicas },
        extra: { ...options.env, all: { ...QUICK, ...place.env, ...options.env?.all } },
      });
      const system = new System(plan, {
        ...{ root: ROOT, folder: join(folder, 'logs'), node: process.execPath, restart: false },
        say: () => undefined,
      });
      await system.start();
      return new TestSystem(plan, system, redis, place, folder, portBase);
    } catch (error) {
      await redis?.stop();
      throw error;
    }
  }

  /** A phone of this user; closed with the system. */
  async phone(
    account: Account,
    more: Partial<PhoneOptions> & { readonly edge?: number } = {},
  ): Promise<Phone> {
    const { edge = 1, ...options } = more;
    const transport = options.transport ?? 'udp';
    const server = this.sip(transport, edge);
    const tls = { ca: this.authority };
    const phone = await Phone.open({ server, domain: this.domain, tls, ...account, ...options, transport });
    this.#phones.push(phone);
    return phone;
  }

  /** PEM of the authority that has signed the edges' certificate. */
  get authority(): string {
    return readFileSync(join(this.folder, 'tls', 'ca.pem'), 'utf8');
  }

  /** Where the n-th edge listens. */
  sip(transport: SipTransport, edge = 1): { readonly host: string; readonly port: number } {
    const found = this.plan.sip.filter((one) => one.transport === transport)[edge - 1];
    if (found === undefined) throw new Error(`there is no edge ${edge}`);
    return found;
  }

  service(name: string): RunningService {
    const found = this.system.services.find((one) => one.planned.name === name);
    if (found === undefined) throw new Error(`there is no service ${name}`);
    return found;
  }

  /** kill -9, and waits until the process is gone. */
  async kill(name: string): Promise<void> {
    const { process: child } = this.service(name);
    child.kill('SIGKILL');
    await child.ended;
  }

  /** Starts a killed service again and waits until it is ready. */
  revive(name: string): Promise<void> {
    return this.system.revive(this.service(name));
  }

  waitReady(name: string, timeoutMs?: number): Promise<void> {
    return waitReady(this.service(name), timeoutMs);
  }

  opsUrl(name: string, path: string): string {
    return `http://127.0.0.1:${this.service(name).planned.opsPort}${path}`;
  }

  /** Prometheus samples of one service. */
  async metrics(name: string): Promise<Samples> {
    const response = await fetch(this.opsUrl(name, '/metrics'));
    return readMetrics(await response.text());
  }

  /** Sum of a metric over all replicas of a kind, restricted to samples whose labels match. */
  async metric(
    kind: ServiceKind,
    metric: string,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<number> {
    const services = this.system.services.filter((one) => one.planned.kind === kind && !one.process.exited);
    const all = await Promise.all(services.map((one) => this.metrics(one.planned.name)));
    return all.reduce((sum, samples) => sum + samples.sum(metric, labels), 0);
  }

  log(name: string): string {
    return readFileSync(this.service(name).logFile, 'utf8');
  }

  /** Spans that the console exporter of any service wrote (OTEL_TRACES_EXPORTER=console). */
  spans(): Span[] {
    return this.system.services.flatMap((one) => readSpans(this.log(one.planned.name)));
  }

  /** A connection of the test itself to the store. */
  async store(): Promise<Store> {
    this.#store ??= await connectStore(this.place.address);
    return this.#store;
  }

  closePhones(): void {
    for (const phone of this.#phones) phone.close();
    this.#phones = [];
  }

  async stop(): Promise<void> {
    this.closePhones();
    await this.#store?.close();
    await this.system.stop();
    await this.redis?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function placeOf(redis: SystemOptions['redis'], own: string): StorePlace {
  if (typeof redis === 'object' && 'address' in redis) return redis;
  const url = typeof redis === 'object' ? redis.url : own;
  return { address: { url }, env: { ROLLCALL_REDIS_URL: url } };
}

async function addUsers(place: StorePlace, accounts: readonly Account[]): Promise<void> {
  const store = await connectStore(place.address);
  try {
    await eventually('the store', () => store.ready());
    await storeUsers(store.users, DEMO_DOMAIN, accounts);
  } finally {
    await store.close();
  }
}
