import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { closeServer, listen } from './listen.ts';
import { describeProblem, PROBLEM_TYPE } from './problems.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

export interface OpsOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Is the process worth keeping? Must not depend on Redis or any other service. */
  live(): boolean;
  /** May requests be sent here? False without Redis, and while the service drains. */
  ready(): { readonly ok: boolean; readonly reason?: string | undefined };
  /** The Prometheus text format. */
  metrics(): Promise<string>;
  /** What our own services ask of each other. */
  readonly internal?: InternalRoutes;
}

export interface OpsServer {
  readonly port: number;
  close(): Promise<void>;
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';
/** A probe and a scraper or two; whoever holds more than this open is not one of them. */
const MAX_CONNECTIONS = 64;
/** A probe sends its whole request at once. */
const REQUEST_TIMEOUT_MS = 5_000;

/** A request of another service of ours. */
export interface InternalRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The JSON body; undefined when there was none. */
  readonly body: unknown;
}

/** Routes under `/internal/`, for whoever shows the token. */
export interface InternalRoutes {
  readonly token: string;
  /** The JSON to answer with; undefined when there is no such path. */
  readonly handle: (
    request: InternalRequest,
  ) => Promise<{ readonly status: number; readonly value: unknown } | undefined>;
}

const INTERNAL = '/internal/';
/** What a service of ours asks is a line or two. */
const MAX_BODY_BYTES = 65_536;

/** The token by which services that share ROLLCALL_SECRET know each other over HTTP. */
export const internalToken = (secret: string): string =>
  createHmac('sha256', secret).update('rollcall internal http 1').digest('base64url');

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  type: JSON_TYPE,
  body: `${JSON.stringify(value)}\n`,
});
const state = (ok: boolean, reason?: string): Answer =>
  json(ok ? 200 : 503, { status: ok ? 'ok' : 'unavailable', ...(reason === undefined ? {} : { reason }) });

async function answer(path: string, options: OpsOptions): Promise<Answer> {
  switch (path) {
    case '/healthz':
      return state(options.live());
    case '/readyz': {
      const { ok, reason } = options.ready();
      return state(ok, reason);
    }
    case '/metrics':
      return { status: 200, type: METRICS_TYPE, body: await options.metrics() };
    default:
      return { ...json(404, describeProblem('not-found')), type: PROBLEM_TYPE };
  }
}

const INTERNAL_FAULT: Answer = { ...json(500, describeProblem('internal')), type: PROBLEM_TYPE };

async function answerInternal(
  request: IncomingMessage,
  path: string,
  { token, handle }: InternalRoutes,
): Promise<Answer> {
  const shown = createHash('sha256')
    .update(request.headers.authorization ?? '')
    .digest();
  const wanted = createHash('sha256').update(`Bearer ${token}`).digest();
  if (!timingSafeEqual(shown, wanted)) {
    return { ...json(401, describeProblem('unauthorized')), type: PROBLEM_TYPE };
  }
  const text = await bodyOf(request);
  if (text === undefined) return { ...json(413, describeProblem('content-too-large')), type: PROBLEM_TYPE };
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  const answered = await handle({ method: request.method ?? '', path, query, body });
  if (answered === undefined) return { ...json(404, describeProblem('not-found')), type: PROBLEM_TYPE };
  return json(answered.status, answered.value);
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  let text = '';
  for await (const chunk of request) {
    text += (chunk as Buffer).toString('utf8');
    if (text.length > MAX_BODY_BYTES) return undefined;
  }
  return text;
}

async function serve(request: IncomingMessage, response: ServerResponse, options: OpsOptions): Promise<void> {
  const method = request.method ?? '';
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  let result: Answer;
  if (path.startsWith(INTERNAL) && options.internal !== undefined) {
    result = await answerInternal(request, path, options.internal).catch(() => INTERNAL_FAULT);
  } else if (method !== 'GET' && method !== 'HEAD') {
    result = { ...json(405, describeProblem('method-not-allowed')), type: PROBLEM_TYPE };
    response.setHeader('allow', 'GET, HEAD');
  } else {
    // A fault while the metrics are read must not look like a dead process, nor end it.
    result = await answer(path, options).catch(() => INTERNAL_FAULT);
  }
  const body = Buffer.from(result.body);
  response.writeHead(result.status, {
    ...SECURITY_HEADERS,
    'content-type': result.type,
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(method === 'HEAD' ? undefined : body);
}

/**
 * Serves /healthz (liveness, never dependent on Redis), /readyz (readiness) and /metrics on a port of its own, which
 * is never one that phones or the public reach. Rejects with `AddressInUse`.
 */
export async function startOpsServer(options: OpsOptions): Promise<OpsServer> {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      void serve(request, response, options);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  const port = await listen(server, options.host, options.port);
  return { port, close: () => closeServer(server) };
}
