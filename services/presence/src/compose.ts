import { opened, redisAddress, ServiceRehearsal, UNHEARD } from '@rollcall/config';
import type { Stage } from '@rollcall/config';
import { startOpsServer } from '@rollcall/http';
import type { OpsServer } from '@rollcall/http';
import { createInnerLink, createInnerServer, hostPort, newToken, staticReplicas } from '@rollcall/sip-net';
import type { InnerLink, InnerServer } from '@rollcall/sip-net';
import { openRehearsalStore, openStore, tellStatus } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { ATTRIBUTES, createMetrics, METRICS, noTracing, SECONDS_BUCKETS, SPANS } from '@rollcall/telemetry';
import type { Logger, Metrics, Tracing } from '@rollcall/telemetry';
import type { PresenceConfig } from './config.ts';
import { createCore } from './core.ts';
import type { PresenceCore } from './core.ts';
import { exposeMetrics } from './metrics.ts';
import type { PresenceLog } from './ports.ts';
import { PresenceStage } from './rehearsal.ts';
import type { Cast } from './rehearsal.ts';
import { tracedRequests, tracedStore, tracedWork } from './traced.ts';
import type { TraceNames } from './traced.ts';

/** What `main.ts` has made before the rest can be. */
export interface PresenceDeps {
  readonly log: Logger;
  readonly tracing: Tracing;
}

/** Where a started presence listens. */
export interface PresencePorts {
  readonly inner: number;
  readonly http: number;
}

export interface Presence {
  /** Rejects when a port cannot be had. Resolves with or without the store. */
  start(): Promise<PresencePorts>;
  /** Unready, no new connections and no new work, drain, close; the store last. */
  stop(): Promise<void>;
}

/** The edge answers a NOTIFY within timer F of RFC 3261 §17.1.2.2 (32 s) and some. */
const NOTIFY_TIMEOUT_MS = 36_000;
/** NOTIFYs without an answer at one time; past it they are tried again later. */
const MAX_PENDING_NOTIFIES = 50_000;
/** How long what is under way may take at the end. */
const DRAIN_MS = 3_000;
const DRAIN_POLL_MS = 20;

const NAMES: TraceNames = {
  request: SPANS.presenceRequest,
  notify: SPANS.presenceNotify,
  store: SPANS.storeCommand,
  method: ATTRIBUTES.sipMethod,
  event: ATTRIBUTES.sipEvent,
  aor: ATTRIBUTES.aor,
  operation: ATTRIBUTES.dbOperation,
  system: ATTRIBUTES.dbSystem,
};

interface CoreParts extends Cast {
  readonly store: Store;
  readonly link: InnerLink;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
  readonly log: PresenceLog;
}

const createLink = (): InnerLink =>
  createInnerLink({
    replicas: staticReplicas([]),
    timeoutMs: NOTIFY_TIMEOUT_MS,
    maxPending: MAX_PENDING_NOTIFIES,
    // Of the answer to a NOTIFY hardly anything but its status matters.
    reading: 'top',
  });

/** Wires presence; nothing runs before `start`. */
export function compose(config: PresenceConfig, deps: PresenceDeps): Presence {
  const running = new RunningPresence(config, deps);
  return { start: () => running.start(), stop: () => running.stop() };
}

class RunningPresence {
  readonly #config: PresenceConfig;
  readonly #log: Logger;
  readonly #tracing: Tracing;
  #store: Store | undefined;
  #link: InnerLink | undefined;
  #core: PresenceCore | undefined;
  #inner: InnerServer | undefined;
  #ops: OpsServer | undefined;
  #draining = false;
  readonly #rehearsal: ServiceRehearsal;

  constructor(config: PresenceConfig, { log, tracing }: PresenceDeps) {
    this.#config = config;
    this.#log = log;
    this.#rehearsal = new ServiceRehearsal({ ms: config.rehearsalMs, open: () => this.#openStage(), log });
    this.#tracing = tracing;
  }

  async start(): Promise<PresencePorts> {
    this.#rehearsal.begin();
    const store = openStore(redisAddress(this.#config));
    this.#store = store;
    const metrics = createMetrics();
    const link = createLink();
    this.#link = link;
    const tracing = this.#tracing;
    const cast = { directory: store.users, leases: store.edges };
    const core = this.#createCore({ ...cast, store, link, metrics, tracing, log: this.#log });
    this.#core = core;
    exposeMetrics(metrics, METRICS, {
      core,
      stats: () => store.stats(),
      storeUp: () => store.ready(),
      laterEntries: () => store.laterEntries.count,
      connections: () => this.#inner?.connections() ?? 0,
      linkPending: () => link.stats().pending,
    });
    await store.client.settled();
    tellStatus(store, this.#log);
    const ports = await this.#listen(store, core, metrics);
    core.poller.start();
    return ports;
  }

  async stop(): Promise<void> {
    this.#draining = true;
    await this.#rehearsal.stop();
    this.#inner?.stopAccepting();
    this.#core?.poller.stop();
    await this.#drain();
    await this.#core?.notifier.settleLate();
    await this.#core?.worker.flush();
    await this.#inner?.close();
    this.#link?.close();
    await this.#tracing.shutdown();
    await this.#ops?.close();
    await this.#store?.close();
  }

  /** What is rehearsed is wired as what serves, on a store that is none. */
  async #openStage(): Promise<Stage> {
    const understudy = await openRehearsalStore();
    const { store } = understudy;
    const link = createLink();
    const metrics = createMetrics({ defaults: false });
    return opened(
      new PresenceStage({
        core: (cast) => this.#createCore({ ...cast, store, link, metrics, tracing: noTracing, log: UNHEARD }),
        make: { server: createInnerServer, link: createInnerLink, replicas: staticReplicas },
        token: newToken,
        close: async () => {
          link.close();
          await understudy.close();
        },
      }),
    );
  }

  #createCore({ directory, leases, store, link, metrics, tracing, log }: CoreParts): PresenceCore {
    const { innerHost, innerPort, secret, minSubscription, maxSubscription, profileUrl } = this.#config;
    const times = new Map(
      ['SUBSCRIBE', 'PUBLISH'].map((method) => [
        method,
        metrics.histogram(METRICS.sipHandlingSeconds, 'Time from a request to its answer.', SECONDS_BUCKETS, {
          method,
        }),
      ]),
    );
    return createCore(
      {
        store: tracedStore(store.events, tracing, NAMES),
        directory,
        leases,
        link,
        clock: store.clock,
        log,
        traced: tracedRequests(tracing, NAMES, (method) => times.get(method)),
        tracedWork: tracedWork(tracing, NAMES),
        storeReady: () => store.ready(),
        newToken,
        currentTrace: () => tracing.current(),
        random: Math.random,
      },
      {
        secret,
        ownAddress: hostPort(innerHost, innerPort),
        minExpires: minSubscription,
        maxExpires: maxSubscription,
        profileUrl,
        settleLate: true,
      },
    );
  }

  async #listen(store: Store, core: PresenceCore, metrics: Metrics): Promise<PresencePorts> {
    const { innerHost, innerPort, httpHost, httpPort } = this.#config;
    this.#ops = await startOpsServer({
      host: httpHost,
      port: httpPort,
      live: () => true,
      ready: () => this.#readiness(store),
      metrics: () => metrics.text(),
    });
    await this.#rehearsal.end();
    this.#inner = await createInnerServer({
      host: innerHost,
      port: innerPort,
      onRequest: (request, reply) => {
        core.onRequest.handle(request, reply);
      },
      log: this.#log,
    });
    return { inner: this.#inner.port, http: this.#ops.port };
  }

  #readiness(store: Store): { ok: boolean; reason?: string } {
    if (this.#draining) return { ok: false, reason: 'draining' };
    if (!this.#rehearsal.isOver) return { ok: false, reason: 'rehearsing' };
    return store.ready() ? { ok: true } : { ok: false, reason: 'the store is away' };
  }

  /** NOTIFYs on their way are waited for a moment; what is then unanswered another replica takes over from the record. */
  async #drain(): Promise<void> {
    const until = performance.now() + DRAIN_MS;
    const core = this.#core;
    while (core !== undefined && performance.now() < until) {
      if (core.onRequest.working + core.lanes.size + core.notifier.outstanding + core.worker.busy === 0)
        return;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }
}
