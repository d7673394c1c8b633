import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { buildApi } from '@rollcall/http/api';
import type { Logger, Tracing } from '@rollcall/telemetry';
import { guard } from './auth/access.ts';
import type { JwtVerifier } from './auth/jwt.ts';
import { Tokens } from './auth/tokens.ts';
import type { AdminContext } from './context.ts';
import { SharedWatcher } from './events/shared-watcher.ts';
import type { StreamGate } from './events/stream-gate.ts';
import type { AdminPorts } from './ports.ts';
import { mapError } from './problems.ts';
import { aorRoutes } from './routes/aors.ts';
import { aliasRoutes } from './routes/aliases.ts';
import { bindingRoutes } from './routes/bindings.ts';
import { documentRoutes } from './routes/documents.ts';
import { domainRoutes } from './routes/domains.ts';
import { edgeRoutes } from './routes/edges.ts';
import { eventRoutes } from './routes/events.ts';
import { grantRoutes } from './routes/grants.ts';
import { mailboxRoutes } from './routes/mailboxes.ts';
import { operationsRoutes } from './routes/operations.ts';
import { policyRoutes } from './routes/policies.ts';
import { publicationRoutes } from './routes/publications.ts';
import { overviewRoutes } from './routes/overview.ts';
import { subscriptionRoutes } from './routes/subscriptions.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { traceRoutes } from './routes/traces.ts';
import { uiRoutes } from './routes/ui.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import type { SpanNames } from './trace.ts';
import { traceRequests } from './trace.ts';
import { userRoutes } from './routes/users.ts';
import type { EdgeClient } from './trace/edge-client.ts';
import { History } from './trace/history.ts';
import { LiveEdges } from './trace/live-edges.ts';

export interface AdminOptions {
  readonly ports: AdminPorts;
  /** ROLLCALL_ADMIN_TOKEN. */
  readonly rootToken: string;
  readonly version: string;
  /** Takes JSON Web Tokens too. */
  readonly jwt?: JwtVerifier | undefined;
  /** REST requests a minute from one address; unlimited when absent. */
  readonly rateLimit?: number;
  /** Webhooks may reach private addresses; false when absent. */
  readonly webhooksInside?: boolean;
  readonly log: Logger;
  readonly tracing: Tracing;
  readonly spans: SpanNames;
  readonly streams: StreamGate;
  /** How edges are asked; undefined when there is no secret to do it with. */
  readonly edgeClient?: EdgeClient | undefined;
  /** Ask the edges every few seconds, so that the overview has a past. */
  readonly keepHistory?: boolean;
  /** Told of each answer: route pattern, method, status, seconds. */
  readonly onAnswer?: (route: string, method: string, status: number, seconds: number) => void;
}

const DESCRIPTION =
  'Users, domains, bindings and subscriptions of Rollcall, and live events. Errors are problem details (RFC 9457) with the ' +
  'types under /problems. Every operation wants a bearer token (RFC 6750).';

async function document(app: ApiApp, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Rollcall admin', version, description: DESCRIPTION },
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description: 'ROLLCALL_ADMIN_TOKEN or a token of /v1/tokens',
          },
        },
      },
      security: [{ bearer: [] }],
    },
  });
}

const RATE_WINDOW_MS = 60_000;
/** Addresses whose requests are counted. */
const RATE_ADDRESSES = 10_000;

/** Before anything else is looked at: a token costs a call to the store, and guesses of tokens are requests as well. */
async function limitRate(app: ApiApp, max: number): Promise<void> {
  await app.register(rateLimit, {
    ...{ max, timeWindow: RATE_WINDOW_MS, cache: RATE_ADDRESSES },
    errorResponseBuilder: (_request, { ttl }) =>
      new ProblemError('too-many-requests', undefined, {
        headers: { 'retry-after': String(Math.ceil(ttl / 1000)) },
      }),
  });
}

/** The REST interface, listening to nothing yet. */
export async function buildAdmin(options: AdminOptions): Promise<ApiApp> {
  const { ports, log, tracing, streams, onAnswer } = options;
  const app = buildApi({ log, mapError, ...(onAnswer === undefined ? {} : { onAnswer }) });
  const tokens = new Tokens(options.rootToken, ports.tokens, options.jwt);
  const watcher = new SharedWatcher(ports.location);
  const liveEdges = new LiveEdges(ports.edges, options.edgeClient);
  const history = new History(liveEdges);
  if (options.keepHistory === true) history.start();
  const { version } = options;
  const context: AdminContext = {
    ports,
    tokens,
    log,
    tracing,
    streams,
    watcher,
    liveEdges,
    history,
    version,
    webhooksInside: options.webhooksInside ?? false,
  };
  if (options.rateLimit !== undefined) await limitRate(app, options.rateLimit);
  traceRequests(app, tracing, options.spans);
  guard(app, tokens);
  // Open streams would keep the server from closing.
  app.addHook('preClose', (done) => {
    streams.close();
    watcher.close();
    history.stop();
    liveEdges.close();
    done();
  });
  await document(app, version);
  for (const routes of [
    domainRoutes,
    userRoutes,
    policyRoutes,
    aliasRoutes,
    grantRoutes,
    aorRoutes,
    bindingRoutes,
    subscriptionRoutes,
    mailboxRoutes,
    publicationRoutes,
    eventRoutes,
    operationsRoutes,
    tokenRoutes,
    webhookRoutes,
    traceRoutes,
    edgeRoutes,
    overviewRoutes,
  ]) {
    routes(app, context);
  }
  documentRoutes(app);
  uiRoutes(app);
  return app;
}
