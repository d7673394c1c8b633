import { readFileSync } from 'node:fs';
import { redisAddress } from '@rollcall/config';
import type { OpsServer } from '@rollcall/http';
import { startOpsServer } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { listenApi } from '@rollcall/http/api';
import { connectStore, tellStatus } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { ATTRIBUTES, createMetrics, METRICS, SECONDS_BUCKETS, SPANS } from '@rollcall/telemetry';
import type { Logger, Tracing } from '@rollcall/telemetry';
import { buildAdmin } from './app.ts';
import { JwtVerifier } from './auth/jwt.ts';
import type { AdminConfig } from './config.ts';
import { StreamGate } from './events/stream-gate.ts';
import { AdminMetrics } from './metrics.ts';
import type { AdminPorts } from './ports.ts';
import { WebhookDispatcher } from './webhooks/dispatcher.ts';
import { createSender } from './webhooks/sender.ts';
import { createEdgeClient } from './trace/edge-client.ts';

export interface AdminDeps {
  readonly log: Logger;
  readonly tracing: Tracing;
}

/** Where a started admin listens. */
export interface AdminListening {
  readonly admin: number;
  readonly http: number;
}

export interface Admin {
  /** Resolves with or without the store. Rejects with `AddressInUse`. */
  start(): Promise<AdminListening>;
  /** Unready, no new requests, event streams ended, traces sent; the store last. */
  stop(): Promise<void>;
}

function versionOf(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const portsOf = (store: Store): AdminPorts => ({
  users: store.users,
  location: store.location,
  clock: store.clock,
  edges: store.edges,
  audit: store.audit,
  tokens: store.apiTokens,
  subscriptions: store.events,
  mailboxes: store.events,
  publications: store.events,
  webhooks: store.webhooks,
});

/** Wires admin; nothing runs before `start`. */
export function compose(config: AdminConfig, deps: AdminDeps): Admin {
  const running = new RunningAdmin(config, deps);
  return { start: () => running.start(), stop: () => running.stop() };
}

class RunningAdmin {
  readonly #config: AdminConfig;
  readonly #log: Logger;
  readonly #tracing: Tracing;
  readonly #streams = new StreamGate();
  #store: Store | undefined;
  #app: ApiApp | undefined;
  #dispatcher: WebhookDispatcher | undefined;
  #ops: OpsServer | undefined;
  #draining = false;

  constructor(config: AdminConfig, { log, tracing }: AdminDeps) {
    this.#config = config;
    this.#log = log;
    this.#tracing = tracing;
  }

  async start(): Promise<AdminListening> {
    const store = await connectStore(redisAddress(this.#config));
    this.#store = store;
    tellStatus(store, this.#log);
    const metrics = createMetrics();
    const dispatcher = new WebhookDispatcher({
      webhooks: store.webhooks,
      watcher: store.location,
      send: createSender(this.#config.webhooksInside),
      log: this.#log,
    });
    const counters = new AdminMetrics(metrics, {
      names: METRICS,
      buckets: SECONDS_BUCKETS,
      streams: this.#streams,
      store,
      webhooks: dispatcher,
    });
    this.#app = await buildAdmin({
      ports: portsOf(store),
      rootToken: this.#config.adminToken,
      version: versionOf(),
      log: this.#log,
      tracing: this.#tracing,
      spans: { span: SPANS.adminRequest, attributes: ATTRIBUTES },
      streams: this.#streams,
      jwt: this.#jwt(),
      rateLimit: this.#config.rateLimit,
      webhooksInside: this.#config.webhooksInside,
      edgeClient: this.#config.secret === undefined ? undefined : createEdgeClient(this.#config.secret),
      keepHistory: true,
      onAnswer: (route, method, status, seconds) => {
        counters.answered(route, method, status, seconds);
      },
    });
    this.#dispatcher = dispatcher;
    dispatcher.start();
    const { adminHost, adminPort, httpHost, httpPort } = this.#config;
    const admin = await listenApi(this.#app, adminHost, adminPort);
    this.#ops = await startOpsServer({
      host: httpHost,
      port: httpPort,
      live: () => true,
      ready: () => this.#readiness(store),
      metrics: () => metrics.text(),
    });
    return { admin, http: this.#ops.port };
  }

  async stop(): Promise<void> {
    this.#draining = true;
    await this.#app?.close();
    await this.#dispatcher?.stop();
    await this.#tracing.shutdown();
    await this.#ops?.close();
    await this.#store?.close();
  }

  #jwt(): JwtVerifier | undefined {
    const { jwksUrl, jwtIssuer: issuer, jwtAudience: audience } = this.#config;
    return jwksUrl === undefined ? undefined : new JwtVerifier({ jwksUrl, issuer, audience });
  }

  #readiness(store: Store): { ok: boolean; reason?: string } {
    if (this.#draining) return { ok: false, reason: 'draining' };
    return store.ready() ? { ok: true } : { ok: false, reason: 'the store is away' };
  }
}
