/**
 * Every error that our HTTP interfaces answer, as RFC 9457 problem details. The key is the last part of the problem's
 * type; code, OpenAPI document and the pages under /problems/ all come from this table.
 */
export const PROBLEMS = {
  'invalid-request': {
    status: 400,
    title: 'The request is not valid',
    help: 'A path parameter, a query parameter or the body does not match its schema; `errors` says where.',
  },
  unauthorized: {
    status: 401,
    title: 'A valid token is needed',
    help: 'Send `Authorization: Bearer <token>` with a token that exists and was not deleted (RFC 6750).',
  },
  forbidden: {
    status: 403,
    title: 'The token does not allow this',
    help: 'The token is valid but lacks the scope that the operation wants, or is bound to some domains where the operation is for all.',
  },
  'not-found': {
    status: 404,
    title: 'There is no such resource',
    help: 'It does not exist, or it belongs to a domain that the token does not see.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The resource does not have this method',
    help: '`Allow` lists the methods that it has (RFC 9110 §15.5.6).',
  },
  conflict: {
    status: 409,
    title: 'The state does not allow this',
    help: 'Something else must be changed first; `detail` says what.',
  },
  'cursor-too-old': {
    status: 410,
    title: 'The event stream no longer holds this position',
    help: 'Read the state anew, then follow the events from now on without `Last-Event-ID`.',
  },
  'precondition-failed': {
    status: 412,
    title: 'The resource has another version',
    help: '`If-Match` names a version that is not the current one (RFC 9110 §13.1.1); read it again.',
  },
  'content-too-large': {
    status: 413,
    title: 'The body is too large',
    help: 'The body is over the limit of the interface.',
  },
  'uri-too-long': { status: 414, title: 'The URI is too long', help: 'A path parameter is over its limit.' },
  'unsupported-media-type': {
    status: 415,
    title: 'The body has another type than JSON',
    help: 'Send `Content-Type: application/json`.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The header fields are too large',
    help: 'The header section is over the limit of the interface (RFC 6585 §5).',
  },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    help: 'Your address has asked more than it may in a minute; try again after `Retry-After` seconds (RFC 6585 §4).',
  },
  internal: {
    status: 500,
    title: 'A fault in the service',
    help: 'The log has an entry under the request id that `instance` names.',
  },
  'store-unavailable': {
    status: 503,
    title: 'The location store does not answer',
    help: 'Nothing was changed, or it is not known whether it was; try again after `Retry-After` seconds.',
  },
  'edges-unreachable': {
    status: 503,
    title: 'No edge could be asked',
    help: 'Packets are kept in the edges, and none of them answered; `detail` says why. Nothing is known about what they hold.',
  },
  'too-many-streams': {
    status: 503,
    title: 'Too many event streams are open',
    help: 'Close one, or try again after `Retry-After` seconds.',
  },
} as const satisfies Record<string, { status: number; title: string; help: string }>;

export type ProblemId = keyof typeof PROBLEMS;
export const PROBLEM_IDS = Object.keys(PROBLEMS) as readonly ProblemId[];

/** RFC 9457 §3: `application/problem+json`. */
export const PROBLEM_TYPE = 'application/problem+json';

/** Where in the request a fault is. */
export interface FieldError {
  /** `body/password`, `query/limit`. */
  readonly at: string;
  readonly detail: string;
}

/** The members of RFC 9457 §3.1, and `errors` as our one extension. */
export interface Problem {
  /** A relative URI with its full path (RFC 9457 §3.1.1): it resolves to a page that explains the problem. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string | undefined;
  /** Names this occurrence: the request id in the log. */
  readonly instance?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
}

/** The URI of a problem type. */
export const problemType = (id: ProblemId): string => `/problems/${id}`;

/** Prints a problem as the body of an answer. */
export function describeProblem(
  id: ProblemId,
  detail?: string,
  instance?: string,
  errors?: readonly FieldError[],
): Problem {
  const { title, status } = PROBLEMS[id];
  return { type: problemType(id), title, status, detail, instance, errors };
}

/** Thrown by a handler to answer with a problem; everything else that is thrown is a 500. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly detail: string | undefined;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly id: ProblemId,
    detail?: string,
    more: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail ?? PROBLEMS[id].title);
    this.detail = detail;
    this.errors = more.errors;
    this.headers = more.headers ?? {};
  }
}
