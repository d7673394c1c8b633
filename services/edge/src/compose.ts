import { networkInterfaces, hostname } from 'node:os';
import { printEndpoint, redisAddress } from '@rollcall/config';
import type { Listener, Replicas } from '@rollcall/config';
import { startOpsServer } from '@rollcall/http';
import type { OpsServer } from '@rollcall/http';
import { epochMs } from '@rollcall/kernel';
import type { Clock, Timers } from '@rollcall/kernel';
import type { SipRequest } from '@rollcall/sip';
import {
  createInnerLink,
  createInnerServer,
  createSipFront,
  DEFAULT_LIMITS,
  dnsReplicas,
  staticReplicas,
} from '@rollcall/sip-net';
import type { InnerLink, InnerServer, ListenerOptions, NativeFront, ReplicaSource } from '@rollcall/sip-net';
import { connectStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { ATTRIBUTES, createMetrics, METRICS, SPANS } from '@rollcall/telemetry';
import type { Logger, Tracing } from '@rollcall/telemetry';
import type { EdgeConfig } from './config.ts';
import { createCore } from './core.ts';
import type { EdgeCore } from './core.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { publishMetrics } from './metrics.ts';
import { traced, tracedInner } from './traced.ts';

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
  /** Unready, no new connections, drain, give up the lease, close; the store last. */
  stop(): Promise<void>;
}

/** A client retransmits for 32 s (timer F); an answer that takes longer than this is worth no more than a 503. */
const INNER_TIMEOUT_MS = 5_000;
const INNER_PENDING = 20_000;
/** How long requests at work may take at the end. */
const DRAIN_MS = 6_000;
const DRAIN_POLL_MS = 20;

/** How spans and their attributes are called. */
const WORDS = { spans: SPANS, attributes: ATTRIBUTES };

const CLOCK: Clock = { now: () => epochMs(Date.now()) };
const TIMERS: Timers = {
  start: (ms, fire) => setTimeout(fire, ms),
  stop: (handle) => {
    clearTimeout(handle as NodeJS.Timeout);
  },
};

/** Wires the edge; nothing runs before `start`. */
export function compose(config: EdgeConfig, deps: EdgeDeps): Edge {
  const running = new RunningEdge(config, deps);
  return { start: () => running.start(), stop: () => running.stop() };
}

class RunningEdge {
  readonly #config: EdgeConfig;
  readonly #log: Logger;
  readonly #tracing: Tracing;
  readonly #front: NativeFront;
  readonly #registrar: InnerLink;
  readonly #presence: InnerLink;
  #store: Store | undefined;
  #core: EdgeCore | undefined;
  #inner: InnerServer | undefined;
  #lease: LeaseKeeper | undefined;
  #ops: OpsServer | undefined;
  #draining = false;

  constructor(config: EdgeConfig, { log, tracing }: EdgeDeps) {
    this.#config = config;
    this.#log = log;
    this.#tracing = tracing;
    const listeners = [
      ...config.sipUdp.map((listener) => listenerOptions('udp', listener)),
      ...config.sipTcp.map((listener) => listenerOptions('tcp', listener)),
    ];
    this.#front = createSipFront({ listeners, clock: CLOCK, log });
    const link = (replicas: Replicas): InnerLink =>
      createInnerLink({
        replicas: sourceOf(replicas),
        timeoutMs: INNER_TIMEOUT_MS,
        reading: 'top',
        maxPending: INNER_PENDING,
      });
    this.#registrar = link(config.registrars);
    this.#presence = link(config.presences);
  }

  async start(): Promise<EdgePorts> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#draining = true;
    this.#front.stopAccepting();
    if (this.#core !== undefined) {
      this.#core.onRequest.draining = true;
      await this.#drain();
    }
    await this.#lease?.stop();
    await this.#front.stop();
    await this.#inner?.close();
    this.#registrar.close();
    this.#presence.close();
    this.#core?.stop();
    await this.#tracing.shutdown();
    await this.#ops?.close();
    await this.#store?.close();
  }

  async #start(): Promise<EdgePorts> {
    const { innerHost, innerPort } = this.#config;
    const store = await this.#openStore();
    // The edge is told where it is reached before it can know what it does with a request.
    let handle: (request: SipRequest, reply: (message: string) => void) => void = () => undefined;
    this.#inner = await createInnerServer({
      host: innerHost,
      port: innerPort,
      onRequest: (request, reply) => {
        handle(request, reply);
      },
      log: this.#log,
    });
    const inner = printEndpoint({ host: reachable(innerHost), port: this.#inner.port });
    const identity = { id: this.#config.edgeId ?? hostname(), epoch: CLOCK.now() };
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
    await Promise.all([this.#registrar.start(), this.#presence.start()]);
    await this.#front.start(traced(core.onRequest, this.#tracing, WORDS));
    for (const { local, advertised } of this.#front.listeners) {
      core.own.add(local);
      core.own.add(advertised);
    }
    this.#lease = new LeaseKeeper(store.edges, { ...identity, inner }, this.#log);
    this.#lease.start();
    this.#ops = await this.#openOps(store, core);
    const sip = this.#front.listeners.map(({ transport, local }) => ({
      transport,
      host: local.address,
      port: local.port,
    }));
    return { sip, inner: this.#inner.port, http: this.#ops.port };
  }

  async #openStore(): Promise<Store> {
    const store = await connectStore(redisAddress(this.#config));
    this.#store = store;
    if (!store.ready()) this.#log.warn({}, 'the store is away, requests get 503');
    let up = store.ready();
    store.onStatus((status) => {
      if (status.up === up || this.#draining) return;
      up = status.up;
      if (status.up) this.#log.info({}, 'the store is there');
      else this.#log.warn({ reason: status.reason }, 'the store is away, requests get 503');
    });
    return store;
  }

  #createCore(store: Store, edge: { id: string; epoch: number }, inner: string): EdgeCore {
    const config = this.#config;
    return createCore(
      {
        front: this.#front,
        registrar: this.#registrar,
        presence: this.#presence,
        users: store.users,
        location: store.location,
        storeClock: store.clock,
        leases: store.edges,
        clock: CLOCK,
        timers: TIMERS,
        random: Math.random,
        trace: this.#tracing.enabled ? () => this.#tracing.current() : () => undefined,
        log: this.#log,
      },
      {
        edge,
        inner,
        secret: config.secret,
        algorithms: config.algorithms,
        nonceLifetimeMs: config.nonceLifetimeS * 1_000,
        nonceLimit: config.nonceLimit,
        userCacheLimit: config.userCache,
        digest: { allowRfc2069: config.allowRfc2069, digestUri: config.digestUri },
      },
    );
  }

  #openOps(store: Store, core: EdgeCore): Promise<OpsServer> {
    const front = this.#front;
    const metrics = createMetrics();
    const size = (name: keyof ReturnType<NativeFront['sizes']>) => () => front.sizes()[name];
    publishMetrics(metrics, METRICS, {
      counters: core.counters,
      front,
      bounds: [
        { queue: 'users', limit: this.#config.userCache, size: () => core.users.size },
        { queue: 'nonces', limit: this.#config.nonceLimit, size: () => core.nonces.counted },
        { queue: 'server-transactions', limit: DEFAULT_LIMITS.maxServerTransactions, size: size('pending') },
        {
          queue: 'completed-transactions',
          limit: DEFAULT_LIMITS.maxCompletedTransactions,
          size: size('completed'),
        },
        { queue: 'client-transactions', limit: DEFAULT_LIMITS.maxClientTransactions, size: size('clients') },
        { queue: 'connections', limit: DEFAULT_LIMITS.maxConnections, size: size('connections') },
        { queue: 'registrar-link', limit: INNER_PENDING, size: () => this.#registrar.stats().pending },
        { queue: 'presence-link', limit: INNER_PENDING, size: () => this.#presence.stats().pending },
      ],
      inner: [
        { target: 'registrar', stats: () => this.#registrar.stats() },
        { target: 'presence', stats: () => this.#presence.stats() },
      ],
      storeConnected: () => store.ready(),
    });
    const { httpHost, httpPort } = this.#config;
    return startOpsServer({
      host: httpHost,
      port: httpPort,
      live: () => true,
      ready: () => this.#readiness(store, core),
      metrics: () => metrics.text(),
    });
  }

  #readiness(store: Store, core: EdgeCore): { ok: boolean; reason?: string } {
    if (this.#draining) return { ok: false, reason: 'draining' };
    if (!store.ready()) return { ok: false, reason: 'the store is away' };
    if (!core.domains.ready) return { ok: false, reason: 'the domains have not been read yet' };
    if (!this.#registrar.ready()) return { ok: false, reason: 'no registrar is connected' };
    return { ok: true };
  }

  async #drain(): Promise<void> {
    const until = performance.now() + DRAIN_MS;
    while (this.#front.sizes().pending > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }
}

function sourceOf(replicas: Replicas): ReplicaSource {
  return replicas.kind === 'dns'
    ? dnsReplicas(replicas.name, replicas.port)
    : staticReplicas(replicas.endpoints);
}

/** A wildcard cannot be told to anybody: what is told then is the first address of this host that others reach. */
function listenerOptions(transport: 'udp' | 'tcp', listener: Listener): ListenerOptions {
  const { host, port } = listener;
  const told = reachable(host);
  const advertised = listener.advertised ?? (told === host ? undefined : { address: told, port });
  return { transport, host, port, ...(advertised === undefined ? undefined : { advertised }) };
}

function reachable(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const family = host === '::' ? 'IPv6' : 'IPv4';
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outer = addresses.find((address) => address.family === family && !address.internal);
  return outer?.address ?? (host === '::' ? '::1' : '127.0.0.1');
}
