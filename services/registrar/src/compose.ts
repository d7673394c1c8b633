import { opened, redisAddress, ServiceRehearsal, UNHEARD } from '@rollcall/config';
import type { Stage } from '@rollcall/config';
import { startOpsServer } from '@rollcall/http';
import type { OpsServer } from '@rollcall/http';
import { DEFAULT_POLICY, Gruus } from '@rollcall/location';
import type { DomainSource, Policy } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import {
  createInnerLink,
  createInnerServer,
  newToken,
  PROCESS_TIMERS,
  staticReplicas,
} from '@rollcall/sip-net';
import type { InnerServer } from '@rollcall/sip-net';
import { connectStore, openRehearsalStore, tellStatus } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { ATTRIBUTES, createMetrics, METRICS, noTracing, SECONDS_BUCKETS, SPANS } from '@rollcall/telemetry';
import type { Logger, Metrics, Tracing } from '@rollcall/telemetry';
import { Authorizer } from './authorizer.ts';
import type { RegistrarConfig } from './config.ts';
import { countChanges, zeroCounters } from './counters.ts';
import type { RegistrarCounters } from './counters.ts';
import { DomainTable } from './domain-table.ts';
import { exposeMetrics } from './metrics.ts';
import { FlowReportHandler, isFlowReport } from './on-flow-report.ts';
import { RegisterHandler } from './on-register.ts';
import type { RegistrarLog } from './ports.ts';
import { RegistrarStage, REHEARSAL_DOMAIN } from './rehearsal.ts';
import { SnapshotMemory } from './snapshot-memory.ts';
import { Sweeper } from './sweeper.ts';
import { traced, tracedLocation } from './traced.ts';

/** What `main.ts` has made before the rest can be. */
export interface RegistrarDeps {
  readonly log: Logger;
  readonly tracing: Tracing;
}

/** Where a started registrar listens. */
export interface RegistrarPorts {
  readonly inner: number;
  readonly http: number;
}

export interface Registrar {
  /** Rejects when a port cannot be had. Resolves with or without the store. */
  start(): Promise<RegistrarPorts>;
  /** Unready, no new connections, drain, close; the store last. */
  stop(): Promise<void>;
}

/** Shortest Retry-After, and how far it is spread (RFC 3261 §20.33; RFC 6357: spread, or they all come back at once). */
const RETRY_AFTER_S = 2;
const RETRY_SPREAD_S = 6;
/** How long requests that wait may take at the end; the store's own deadline is shorter. */
const DRAIN_MS = 3000;
const DRAIN_POLL_MS = 20;
/** More than a rehearsal has. */
const REHEARSED_AORS = 1_000;

interface HandlerParts {
  readonly store: Store;
  readonly domains: DomainTable;
  readonly memory: SnapshotMemory;
  readonly counters: RegistrarCounters;
  readonly tracing: Tracing;
  readonly log: RegistrarLog;
}

/** Wires the registrar; nothing runs before `start`. */
export function compose(config: RegistrarConfig, deps: RegistrarDeps): Registrar {
  const running = new RunningRegistrar(config, deps);
  return { start: () => running.start(), stop: () => running.stop() };
}

class RunningRegistrar {
  readonly #config: RegistrarConfig;
  readonly #log: Logger;
  readonly #tracing: Tracing;
  readonly #counters = zeroCounters();
  readonly #memory: SnapshotMemory;
  #store: Store | undefined;
  #domains: DomainTable | undefined;
  #handler: RegisterHandler | undefined;
  #sweeper: Sweeper | undefined;
  #inner: InnerServer | undefined;
  #ops: OpsServer | undefined;
  #draining = false;
  readonly #rehearsal: ServiceRehearsal;

  constructor(config: RegistrarConfig, { log, tracing }: RegistrarDeps) {
    this.#config = config;
    this.#log = log;
    this.#rehearsal = new ServiceRehearsal({ ms: config.rehearsalMs, open: () => this.#openStage(), log });
    this.#tracing = tracing;
    this.#memory = new SnapshotMemory(config.cachedAors);
  }

  async start(): Promise<RegistrarPorts> {
    this.#rehearsal.begin();
    const store = await connectStore(redisAddress(this.#config));
    this.#store = store;
    tellStatus(store, this.#log);
    const domains = this.#domainTable(store.users.domains);
    this.#domains = domains;
    domains.start();
    const handler = this.#registerHandler({
      ...{ store, domains, memory: this.#memory, counters: this.#counters },
      ...{ tracing: this.#tracing, log: this.#log },
    });
    this.#handler = handler;
    const ports = await this.#listen(store, handler);
    this.#sweeper = this.#sweep(store);
    return ports;
  }

  async stop(): Promise<void> {
    this.#draining = true;
    await this.#rehearsal.stop();
    this.#inner?.stopAccepting();
    await this.#drain();
    await this.#sweeper?.stop();
    await this.#inner?.close();
    this.#domains?.stop();
    await this.#tracing.shutdown();
    await this.#ops?.close();
    await this.#store?.close();
  }

  #domainTable(source: DomainSource): DomainTable {
    return new DomainTable(source, PROCESS_TIMERS, usualPolicy(this.#config), this.#log);
  }

  #registerHandler({ store, domains, memory, counters, tracing, log }: HandlerParts): RegisterHandler {
    return new RegisterHandler({
      location: tracedLocation(store.location, tracing, {
        span: SPANS.storeCommand,
        operation: ATTRIBUTES.dbOperation,
        system: ATTRIBUTES.dbSystem,
        error: ATTRIBUTES.errorType,
      }),
      clock: store.clock,
      domains,
      authorizer: new Authorizer(store.users, domains),
      audit: store.audit,
      edges: store.edges,
      gruus: new Gruus(this.#config.secret),
      memory,
      counters,
      log,
      retryAfter: () => RETRY_AFTER_S + Math.floor(Math.random() * (RETRY_SPREAD_S + 1)),
    });
  }

  /** What is rehearsed is wired as what serves, on a store that is none. */
  async #openStage(): Promise<Stage> {
    const understudy = await openRehearsalStore();
    const { store } = understudy;
    const domains = this.#domainTable({
      list: () => Promise.resolve([{ name: REHEARSAL_DOMAIN }]),
      onChange: () => () => undefined,
    });
    domains.start();
    const handler = this.#registerHandler({
      ...{ store, domains, memory: new SnapshotMemory(REHEARSED_AORS), counters: zeroCounters() },
      ...{ tracing: noTracing, log: UNHEARD },
    });
    return opened(
      new RegistrarStage({
        onRequest: this.#onRequest(handler, undefined, noTracing, createMetrics({ defaults: false })),
        make: { server: createInnerServer, link: createInnerLink, replicas: staticReplicas },
        token: newToken,
        close: async () => {
          domains.stop();
          await understudy.close();
        },
      }),
    );
  }

  #sweep(store: Store): Sweeper {
    const sweeper = new Sweeper({
      location: store.location,
      clock: store.clock,
      memory: this.#memory,
      counters: this.#counters,
      log: this.#log,
    });
    sweeper.start();
    return sweeper;
  }

  async #listen(store: Store, handler: RegisterHandler): Promise<RegistrarPorts> {
    const metrics = createMetrics();
    exposeMetrics(metrics, METRICS, {
      counters: this.#counters,
      memory: this.#memory,
      handler,
      connections: () => this.#inner?.connections() ?? 0,
      stats: () => store.stats(),
      storeUp: () => store.ready(),
    });
    const reports = new FlowReportHandler({
      location: store.location,
      clock: store.clock,
      memory: this.#memory,
      log: this.#log,
      onChanges: (changes) => {
        countChanges(this.#counters, changes);
      },
    });
    const onRequest = this.#onRequest(handler, reports, this.#tracing, metrics);
    const { innerHost, innerPort, httpHost, httpPort } = this.#config;
    this.#ops = await startOpsServer({
      host: httpHost,
      port: httpPort,
      live: () => true,
      ready: () => this.#readiness(store),
      metrics: () => metrics.text(),
    });
    await this.#rehearsal.end();
    this.#inner = await createInnerServer({ host: innerHost, port: innerPort, onRequest, log: this.#log });
    return { inner: this.#inner.port, http: this.#ops.port };
  }

  #onRequest(
    handler: RegisterHandler,
    reports: FlowReportHandler | undefined,
    tracing: Tracing,
    metrics: Metrics,
  ): (request: SipRequest, reply: (message: string) => void) => void {
    const time = metrics.histogram(
      METRICS.sipHandlingSeconds,
      'Time from a request to its answer.',
      SECONDS_BUCKETS,
      { method: 'REGISTER' },
    );
    return traced(
      (request, reply, trace) => {
        if (isFlowReport(request) && reports !== undefined) reports.handle(request, reply);
        else handler.handle(request, reply, trace);
      },
      tracing,
      { span: SPANS.registrarRequest, method: ATTRIBUTES.sipMethod, status: ATTRIBUTES.sipStatus },
      time,
    );
  }

  #readiness(store: Store): { ok: boolean; reason?: string } {
    if (this.#draining) return { ok: false, reason: 'draining' };
    if (!this.#rehearsal.isOver) return { ok: false, reason: 'rehearsing' };
    if (!store.ready()) return { ok: false, reason: 'the store is away' };
    if (this.#domains?.ready !== true) return { ok: false, reason: 'the domains have not been read yet' };
    return { ok: true };
  }

  async #drain(): Promise<void> {
    const until = performance.now() + DRAIN_MS;
    while ((this.#handler?.inFlight ?? 0) > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }
}

function usualPolicy(config: RegistrarConfig): Policy {
  const { minExpires, defaultExpires, maxExpires, expiresJitter, maxContacts, onLimit } = config;
  const { path, outbound, flowTimer, gruu, serviceRoute, push } = config;
  return {
    ...DEFAULT_POLICY,
    ...{ minExpires, defaultExpires, maxExpires, expiresJitter, maxContacts, onLimit },
    ...{ path, outbound, flowTimer, gruu },
    ...(serviceRoute.length === 0 ? {} : { serviceRoute }),
    ...(push.length === 0 ? {} : { push }),
  };
}
