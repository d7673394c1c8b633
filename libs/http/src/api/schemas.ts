import { STATUS_CODES } from 'node:http';
import { Type } from 'typebox';
import type { TSchema } from 'typebox';
import type { ProblemId } from '../problems.ts';
import { PROBLEM_TYPE, PROBLEMS } from '../problems.ts';

/** RFC 9457 §3.1, with our `errors`. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'Names the kind of problem; resolves to its description.' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.Optional(Type.String({ description: 'What is wrong this time.' })),
    instance: Type.Optional(
      Type.String({ description: 'The request id that the log has for this occurrence.' }),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          at: Type.String({ description: 'Where in the request: body/password, query/limit.' }),
          detail: Type.String(),
        }),
      ),
    ),
  },
  { title: 'Problem', description: 'Problem details (RFC 9457)' },
);

interface ProblemResponse {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>;
}

/** The `response` entries of a route for the problems that it may answer, several of one status together. */
export function problemResponses(ids: readonly ProblemId[]): Record<number, ProblemResponse> {
  const responses: Record<number, ProblemResponse> = {};
  for (const id of ids) {
    const { status, title } = PROBLEMS[id];
    const before = responses[status]?.description;
    const description = `${id}: ${title}`;
    responses[status] = {
      description: before === undefined ? description : `${before}; ${description}`,
      content: { [PROBLEM_TYPE]: { schema: ProblemSchema } },
    };
  }
  return responses;
}

/** The responses of a route, each with a description (OpenAPI wants one): its own, or the phrase of its status. */
export function namedResponses(responses: Readonly<Record<string, object>>): Record<string, object> {
  const named = Object.entries(responses).map(([status, schema]) =>
    'description' in schema
      ? [status, schema]
      : [status, { ...schema, 'x-response-description': STATUS_CODES[status] ?? 'Answer' }],
  );
  return Object.fromEntries(named) as Record<string, object>;
}
