import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { fastify } from 'fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { ProblemId } from '../problems.ts';
import { describeProblem, PROBLEM_TYPE, ProblemError } from '../problems.ts';
import { ANSWER_HEADERS } from './headers.ts';
import type { ApiLog } from './errors.ts';
import { asProblem, sendProblem } from './errors.ts';
import { RouteTable } from './route-table.ts';
import { namedResponses, problemResponses } from './schemas.ts';
import { validatorCompiler } from './validate.ts';

export interface ApiOptions {
  readonly log: ApiLog;
  /** Errors of the layers below that have a problem of their own (the store is away: 503). */
  readonly mapError?: (error: unknown) => ProblemError | undefined;
  /** Bytes of a body. */
  readonly bodyLimit?: number;
  /** Told of each answer: the route's pattern (never the path), method, status and seconds. */
  readonly onAnswer?: (route: string, method: string, status: number, seconds: number) => void;
}

/** A route's own facts, in `config.api`: the problems it may answer beside those that any route may. */
export interface RouteFacts {
  readonly problems?: readonly ProblemId[];
}

export type ApiApp = ReturnType<typeof buildApi>;

const DEFAULT_BODY_LIMIT = 65_536;
/** An AoR with an escaped user part of RFC 4475's longest; beyond it is nothing that the store would hold. */
const MAX_PARAM_LENGTH = 2_048;
/** RFC 9110 §15.5.15 leaves the limit to us; headers are small here. */
const MAX_HEADER_BYTES = 16_384;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 30_000;
const MS_PER_S = 1_000;

/** What each route may answer: the faults of any request, and of the service. */
const ANY_ROUTE: readonly ProblemId[] = ['internal'];
const WITH_INPUT: readonly ProblemId[] = ['invalid-request'];
const WITH_BODY: readonly ProblemId[] = ['content-too-large', 'unsupported-media-type'];

/** The problems that a route says it may answer; its OpenAPI responses are made from the same list. */
export function problemsOf(route: Pick<RouteOptions, 'schema' | 'config'>): readonly ProblemId[] {
  const own = (route.config as { api?: RouteFacts } | undefined)?.api?.problems ?? [];
  const { schema } = route;
  const input =
    schema?.params !== undefined || schema?.querystring !== undefined || schema?.body !== undefined;
  return [
    ...new Set([
      ...(input ? WITH_INPUT : []),
      ...own,
      ...(schema?.body === undefined ? [] : WITH_BODY),
      ...ANY_ROUTE,
    ]),
  ];
}

// What node could not parse as HTTP never becomes a request; it is answered on the bare socket.
function refuseBytes(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const id: ProblemId = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'invalid-request';
  const problem = describeProblem(id);
  const body = JSON.stringify(problem);
  const reason = id === 'invalid-request' ? 'Bad Request' : 'Request Header Fields Too Large';
  socket.end(
    `HTTP/1.1 ${String(problem.status)} ${reason}\r\ncontent-type: ${PROBLEM_TYPE}\r\nconnection: close\r\n` +
      `content-length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`,
  );
}

function create(
  bodyLimit: number,
  frameworkError: (e: FastifyError, q: FastifyRequest, p: FastifyReply) => void,
) {
  const app = fastify({
    logger: false,
    genReqId: () => randomUUID(),
    bodyLimit,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    forceCloseConnections: true,
    clientErrorHandler: refuseBytes,
    frameworkErrors: frameworkError,
  });
  return app.withTypeProvider<TypeBoxTypeProvider>();
}

// Many clients send `Content-Type: application/json` on a DELETE without a body; a route that wants one says so by its schema.
function takeJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
}

function answerUnknownPaths(app: FastifyInstance): void {
  const table = new RouteTable();
  app.addHook('onRoute', (route) => {
    table.add(route.url, route.method);
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = table.methods(request.url);
    const problem =
      allowed.length === 0
        ? new ProblemError('not-found')
        : new ProblemError('method-not-allowed', undefined, { headers: { allow: allowed.join(', ') } });
    return sendProblem(request, reply, problem);
  });
}

/**
 * A fastify app with our habits: TypeBox schemas check what comes in, RFC 9457 problems from one table go out, every answer
 * has the security headers, and each route documents each problem that it may answer. Listens to nothing by itself.
 */
export function buildApi(options: ApiOptions) {
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = asProblem(error, options.mapError ?? (() => undefined));
    if (problem.id === 'internal') {
      options.log.error(
        { err: error, request: request.id, route: request.routeOptions.url },
        'request failed',
      );
    }
    return sendProblem(request, reply, problem);
  };
  const app = create(options.bodyLimit ?? DEFAULT_BODY_LIMIT, (error, request, reply) => {
    refuse(error, request, reply);
  });
  takeJson(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply));
  app.addHook('onRoute', (route) => {
    const response = route.schema?.response as Record<string, object> | undefined;
    route.schema = {
      ...route.schema,
      response: { ...problemResponses(problemsOf(route)), ...namedResponses(response ?? {}) },
    };
  });
  answerUnknownPaths(app);
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(ANSWER_HEADERS);
    done();
  });
  const { onAnswer } = options;
  if (onAnswer !== undefined) {
    app.addHook('onResponse', (request, reply, done) => {
      onAnswer(
        request.routeOptions.url ?? 'none',
        request.method,
        reply.statusCode,
        reply.elapsedTime / MS_PER_S,
      );
      done();
    });
  }
  return app;
}
