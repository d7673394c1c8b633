import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { ProblemId } from '../problems.ts';
import { describeProblem, PROBLEM_TYPE, ProblemError } from '../problems.ts';
import { ANSWER_HEADERS } from './headers.ts';

/** A log, as narrow as this package needs it. */
export interface ApiLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

// fastify's own refusals, by its error codes.
const BY_CODE: ReadonlyMap<string, ProblemId> = new Map<string, ProblemId>([
  ['FST_ERR_CTP_BODY_TOO_LARGE', 'content-too-large'],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'unsupported-media-type'],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'invalid-request'],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', 'invalid-request'],
  ['FST_ERR_CTP_INVALID_JSON_BODY', 'invalid-request'],
  ['FST_ERR_BAD_URL', 'invalid-request'],
  ['FST_ERR_MAX_PARAM_LENGTH', 'uri-too-long'],
]);

/** The problem that anything thrown is answered with; `internal` for what nobody expected. */
export function asProblem(error: unknown, map: (error: unknown) => ProblemError | undefined): ProblemError {
  if (error instanceof ProblemError) return error;
  const mapped = map(error);
  if (mapped !== undefined) return mapped;
  if (!(error instanceof Error)) return new ProblemError('internal');
  const { code, statusCode } = error as Partial<FastifyError>;
  const known = code === undefined ? undefined : BY_CODE.get(code);
  if (known !== undefined) return new ProblemError(known, error.message);
  // The body parsers mark what they refuse (bad JSON, `__proto__` in it) with the status alone.
  if (statusCode === 400) return new ProblemError('invalid-request', error.message);
  if (statusCode === 413) return new ProblemError('content-too-large');
  if (statusCode === 414) return new ProblemError('uri-too-long');
  return new ProblemError('internal');
}

/** Answers with a problem. */
export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: ProblemError,
): FastifyReply {
  const body = describeProblem(problem.id, problem.detail, `urn:uuid:${request.id}`, problem.errors);
  // A client that could not be understood may be in the middle of its body; nothing more is read from it.
  if (problem.id === 'content-too-large') void reply.header('connection', 'close');
  // A URL that cannot be decoded never reaches the hook that sets these.
  void reply.headers({ ...ANSWER_HEADERS, ...problem.headers });
  return reply.code(body.status).type(PROBLEM_TYPE).send(body);
}
