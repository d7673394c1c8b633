import { hostname } from 'node:os';
import { opened, printEndpoint, redisAddress, ServiceRehearsal, UNHEARD } from '@rollcall/config';
import type { Stage } from '@rollcall/config';
import type { Replicas } from '@rollcall/config';
import { startOpsServer } from '@rollcall/http';
import type { OpsServer } from '@rollcall/http';
import type { SipRequest } from '@rollcall/sip';
import { createDrachtioFront } from '@rollcall/sip-drachtio';
import { locate } from '@rollcall/sip-transaction';
import {
  createInnerLink,
  createInnerServer,
  createDns,
  createSipFront,
  DEFAULT_LIMITS,
  dnsReplicas,
  newToken,
  PROCESS_CLOCK,
  PROCESS_TIMERS,
  staticReplicas,
} from '@rollcall/sip-net';
import type { InnerLink, InnerServer, NativeFront, ReplicaSource, TapSlot } from '@rollcall/sip-net';
import { connectStore, openRehearsalStore, tellStatus } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { ATTRIBUTES, createMetrics, METRICS, noTracing, SPANS } from '@rollcall/telemetry';
import type { Logger, Tracing } from '@rollcall/telemetry';
import { boundsOf, INNER_PENDING } from './bounds.ts';
import type { EdgeConfig } from './config.ts';
import { coreOptions, rehearsalConfig } from './core-options.ts';
import { createCore } from './core.ts';
import type { EdgeCore } from './core.ts';
import { drain } from './drain.ts';
import type { DrainParts } from './drain.ts';
import { createEngine } from './engine.ts';
import type { Engine } from './engine.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { LoopDelay } from './loop-delay.ts';
import { publishCallMetrics, publishMetrics } from './metrics.ts';
import { othersReady } from './others-ready.ts';
import type { PushSender } from './proxy/push-waker.ts';
import { WebhookPush } from './push-sender.ts';
import { EdgeStage } from './rehearsal/stage.ts';
import { createTrace } from './trace/wiring.ts';
import type { TraceParts } from './trace/wiring.ts';
import { traced, tracedInner } from './traced.ts';
import type { LocateNextHops } from './proxy/outside.ts';
import { reachable } from './transports.ts';

/** What `main.ts` has made before the rest can be. */
export interface EdgeDeps {
  readonly log: Logger;
  readonly tracing: Tracing;
}

/** Where a started edge listens. */
export interface EdgePorts {
  readonly sip: readonly { readonly transport: string; readonly host: string; readonly port: number }[];
  readonly inner: number;
  readonly http: number;
}

export interface Edge {
  /** Rejects when a port cannot be had. Resolves with or without the store. */
  start(): Promise<EdgePorts>;
  /** Reads the certificate files again at once. */
  reload(): Promise<void>;
  /** Unready, no new connections, drain, give up the lease, close; the store last. */
  stop(): Promise<void>;
}

/** A client retransmits for 32 s (timer F); an answer that takes longer than this is worth no more than a 503. */
const INNER_TIMEOUT_MS = 5_000;
/** What a device that registers while the edge drains gets at most, seconds; no registrar of ours grants less by default. */
const DRAIN_EXPIRES_S = 60;
/** How often the load is read. */
const LOAD_TICK_MS = 100;
const SECOND_MS = 1_000;

const NO_ALIASES: ReadonlyMap<string, string> = new Map();

/** How spans and their attributes are called. */
const WORDS = { spans: SPANS, attributes: ATTRIBUTES };

/** Wires the edge; nothing runs before `start`. */
export function compose(config: EdgeConfig, deps: EdgeDeps): Edge {
  const running = new RunningEdge(config, deps);
  return { start: () => running.start(), stop: () => running.stop(), reload: () => running.reload() };
}

class RunningEdge {
  readonly #config: EdgeConfig;
  readonly #log: Logger;
  readonly #tracing: Tracing;
  readonly #locate: LocateNextHops;
  readonly #front: Engine;
  readonly #registrar: InnerLink;
  readonly #presence: InnerLink;
  readonly #id: string;
  readonly #trace: TraceParts;
  #store: Store | undefined;
  #core: EdgeCore | undefined;
  #inner: InnerServer | undefined;
  #lease: LeaseKeeper | undefined;
  #ops: OpsServer | undefined;
  readonly #loopDelay = new LoopDelay(LOAD_TICK_MS);
  #loadTimer: NodeJS.Timeout | undefined;
  #draining = false;
  readonly #rehearsal: ServiceRehearsal;

  constructor(config: EdgeConfig, { log, tracing }: EdgeDeps) {
    this.#config = config;
    this.#log = log;
    this.#rehearsal = new ServiceRehearsal({ ms: config.rehearsalMs, open: () => this.#openStage(), log });
    this.#tracing = tracing;
    this.#id = config.edgeId ?? hostname();
    this.#trace = createTrace(config, this.#id, {
      aliases: () => this.#core?.domains.aliases ?? NO_ALIASES,
      refusing: () => this.#core?.refusing(),
    });
    const { trace } = this.#trace;
    const dns = createDns({ servers: config.dnsServers, clock: PROCESS_CLOCK });
    this.#locate = (uri, size) => locate(uri, { dns, size, random: Math.random });
    this.#front = createEngine(config, {
      make: { native: createSipFront, drachtio: createDrachtioFront },
      clock: PROCESS_CLOCK,
      log,
      tap: trace.front,
      onListeners: (listeners) => {
        this.#own(listeners);
      },
    });
    this.#registrar = createLink(sourceOf(config.registrars), trace.registrar);
    this.#presence = createLink(sourceOf(config.presences), trace.presence);
  }

  async start(): Promise<EdgePorts> {
    try {
      return await this.#start();
    } catch (error) {
      if (!this.#draining) await this.stop();
      throw error;
    }
  }

  reload(): Promise<void> {
    return this.#front.reloadCertificates();
  }

  async stop(): Promise<void> {
    const began = !this.#draining && this.#lease !== undefined;
    this.#draining = true;
    await this.#rehearsal.stop();
    if (this.#core !== undefined) {
      if (began) await this.#drain(this.#core);
      this.#core.onRequest.draining = true;
    }
    clearInterval(this.#loadTimer);
    await this.#lease?.stop();
    await this.#front.stop();
    await this.#inner?.close();
    this.#registrar.close();
    this.#presence.close();
    this.#core?.stop();
    this.#trace.stop();
    await this.#tracing.shutdown();
    await this.#ops?.close();
    await this.#store?.close();
  }

  async #start(): Promise<EdgePorts> {
    const { innerHost, innerPort } = this.#config;
    this.#rehearsal.begin();
    const store = await connectStore(redisAddress(this.#config));
    this.#store = store;
    tellStatus(store, this.#log);
    // The edge is told where it is reached before it can know what it does with a request.
    let handle: (request: SipRequest, reply: (message: string) => void) => void = () => undefined;
    this.#inner = await createInnerServer({
      host: innerHost,
      port: innerPort,
      onRequest: (request, reply) => {
        handle(request, reply);
      },
      log: this.#log,
      tap: this.#trace.trace.inner,
    });
    const inner = printEndpoint({ host: reachable(innerHost), port: this.#inner.port });
    const identity = { id: this.#id, epoch: PROCESS_CLOCK.now() };
    const core = this.#createCore(store, identity, inner);
    this.#core = core;
    handle = tracedInner(
      (request, reply) => {
        core.onInnerRequest.handle(request, reply);
      },
      this.#tracing,
      WORDS,
    );
    core.domains.start();
    this.#loadTimer = setInterval(() => {
      this.#loopDelay.tick(performance.now());
      core.admission.tick();
    }, LOAD_TICK_MS);
    this.#ops = await this.#openOps(store, core, identity);
    await this.#rehearsal.end();
    await Promise.all([this.#registrar.start(), this.#presence.start()]);
    await othersReady([this.#registrar, this.#presence], 2 * this.#config.rehearsalMs, () => this.#draining);
    await this.#front.start(traced(core.onRequest, this.#tracing, WORDS));
    this.#own(this.#front.listeners);
    const http = printEndpoint({ host: reachable(this.#config.httpHost), port: this.#ops.port });
    this.#lease = new LeaseKeeper(store.edges, { ...identity, inner, http }, this.#log);
    this.#lease.start();
    const sip = this.#front.listeners.map(({ transport, local }) => ({
      transport,
      host: local.address,
      port: local.port,
    }));
    return { sip, inner: this.#inner.port, http: this.#ops.port };
  }

  /** What is rehearsed is wired as what serves; nothing is traced abroad. */
  async #openStage(): Promise<Stage> {
    const config = rehearsalConfig(this.#config);
    const understudy = await openRehearsalStore();
    let rehearsed: EdgeCore | undefined;
    const trace = createTrace(config, 'rehearsal', {
      aliases: () => rehearsed?.domains.aliases ?? NO_ALIASES,
      refusing: () => rehearsed?.refusing(),
    });
    const engine = createEngine(config, {
      make: { native: createSipFront, drachtio: createDrachtioFront },
      clock: PROCESS_CLOCK,
      log: UNHEARD,
      tap: trace.trace.front,
      onListeners: () => undefined,
    });
    return opened(
      new EdgeStage({
        trace,
        engine,
        server: createInnerServer,
        link: (port, tap) =>
          createLink(staticReplicas(port === undefined ? [] : [{ host: '127.0.0.1', port }]), tap),
        onRequest: (core) => traced((rehearsed = core).onRequest, noTracing, WORDS),
        onInnerRequest: (core) =>
          tracedInner(
            (request, reply) => {
              core.onInnerRequest.handle(request, reply);
            },
            noTracing,
            WORDS,
          ),
        ports: { clock: PROCESS_CLOCK, timers: PROCESS_TIMERS, random: Math.random, log: UNHEARD },
        options: coreOptions(config),
        token: newToken,
        ...{ users: understudy.store.users, close: understudy.close },
      }),
    );
  }

  /** Addresses that are ours: a request to them is for us, or for whom its user part names. */
  #own(listeners: NativeFront['listeners']): void {
    for (const { local, advertised } of listeners) {
      this.#core?.own.add(local);
      this.#core?.own.add(advertised);
    }
  }

  #createCore(store: Store, edge: { id: string; epoch: number }, inner: string): EdgeCore {
    return createCore(
      {
        front: this.#front,
        registrar: this.#registrar,
        presence: this.#presence,
        users: store.users,
        location: store.location,
        storeClock: store.clock,
        leases: store.edges,
        messages: store.messages,
        push: this.#pushSender(),
        locate: this.#locate,
        load: {
          lagMs: () => this.#loopDelay.lag(),
          waiting: () => {
            const waiting = Math.max(this.#registrar.stats().pending, this.#presence.stats().pending);
            return waiting / INNER_PENDING;
          },
        },
        clock: PROCESS_CLOCK,
        timers: PROCESS_TIMERS,
        random: Math.random,
        trace: this.#tracing.enabled ? () => this.#tracing.current() : () => undefined,
        isTraced: (octets) => this.#trace.trace.isTraced(octets),
        log: this.#log,
      },
      { ...coreOptions(this.#config), edge, inner },
    );
  }

  #pushSender(): PushSender | undefined {
    const { pushUrl, secret } = this.#config;
    return pushUrl === undefined
      ? undefined
      : new WebhookPush({ url: pushUrl, secret }, this.#log, () => PROCESS_CLOCK.now());
  }

  #openOps(store: Store, core: EdgeCore, identity: { id: string; epoch: number }): Promise<OpsServer> {
    const front = this.#front;
    const metrics = createMetrics();
    publishMetrics(metrics, METRICS, {
      counters: core.counters,
      front,
      bounds: [
        ...boundsOf({
          config: this.#config,
          net: DEFAULT_LIMITS,
          core,
          front,
          registrar: this.#registrar,
          presence: this.#presence,
        }),
        ...this.#trace.bounds,
      ],
      inner: [
        { target: 'registrar', stats: () => this.#registrar.stats() },
        { target: 'presence', stats: () => this.#presence.stats() },
      ],
      storeConnected: () => store.ready(),
    });
    publishCallMetrics(metrics, METRICS, core);
    this.#trace.publish(metrics, METRICS);
    const { httpHost, httpPort } = this.#config;
    return startOpsServer({
      host: httpHost,
      port: httpPort,
      live: () => true,
      ready: () => this.#readiness(store, core),
      metrics: () => metrics.text(),
      internal: this.#trace.internal({
        identity,
        front,
        counters: core.counters,
        inner: { registrar: () => this.#registrar.stats(), presence: () => this.#presence.stats() },
        ready: () => this.#readiness(store, core),
        storeConnected: () => store.ready(),
      }),
    });
  }

  #readiness(store: Store, core: EdgeCore): { ok: boolean; reason?: string } {
    if (this.#draining) return { ok: false, reason: 'draining' };
    if (!this.#rehearsal.isOver) return { ok: false, reason: 'rehearsing' };
    if (!store.ready()) return { ok: false, reason: 'the store is away' };
    if (!this.#front.ready) return { ok: false, reason: 'the drachtio-server is away' };
    if (!core.domains.ready) return { ok: false, reason: 'the domains have not been read yet' };
    if (!this.#registrar.ready()) return { ok: false, reason: 'no registrar is connected' };
    return { ok: true };
  }

  /** Devices are moved to other edges; calls and messages in progress come to their end (E12). */
  async #drain(core: EdgeCore): Promise<void> {
    const { drainWaitS, drainGraceS, drainRate } = this.#config;
    core.shortenRegistrations(DRAIN_EXPIRES_S);
    const streams = this.#front.streams().length;
    this.#log.info({ streams, busy: core.busy.size }, 'draining');
    const options = { waitMs: drainWaitS * SECOND_MS, graceMs: drainGraceS * SECOND_MS, rate: drainRate };
    const parts: DrainParts = {
      stopAccepting: () => {
        this.#front.stopAccepting();
      },
      streams: () => this.#front.streams().filter((flow) => !core.isInner(flow)),
      pending: () => this.#front.sizes().pending,
      busy: core.busy,
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      now: () => performance.now(),
      random: Math.random,
    };
    await drain(parts, options);
  }
}

function createLink(replicas: ReplicaSource, tap: TapSlot | undefined): InnerLink {
  return createInnerLink({
    ...(tap === undefined ? undefined : { tap }),
    replicas,
    timeoutMs: INNER_TIMEOUT_MS,
    reading: 'top',
    maxPending: INNER_PENDING,
  });
}

function sourceOf(replicas: Replicas): ReplicaSource {
  return replicas.kind === 'dns'
    ? dnsReplicas(replicas.name, replicas.port)
    : staticReplicas(replicas.endpoints);
}
