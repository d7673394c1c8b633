import type { FastifySchemaCompiler } from 'fastify';
import { Compile } from 'typebox/compile';
import { Default, Convert } from 'typebox/value';
import type { TSchema } from 'typebox';
import type { FieldError } from '../problems.ts';
import { ProblemError } from '../problems.ts';

/** What fastify calls the parts of a request, and what a client would. */
const PARTS: Readonly<Record<string, string>> = { querystring: 'query', params: 'path' };
/** A client that sends nonsense is told a few faults, not thousands. */
const MAX_ERRORS = 8;

/**
 * Checks each part of a request against its TypeBox schema. Text is turned into numbers only where all is text (path, query,
 * header fields); a body says itself what its types are.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const checker = Compile(schema);
  const part = PARTS[httpPart ?? ''] ?? httpPart ?? 'request';
  return (given: unknown) => {
    const value: unknown = httpPart === 'body' ? given : Default(schema, Convert(schema, given));
    if (checker.Check(value)) return { value };
    const errors: FieldError[] = checker
      .Errors(value)
      .slice(0, MAX_ERRORS)
      .map((error) => ({ at: `${part}${error.instancePath}`, detail: error.message }));
    return { error: new ProblemError('invalid-request', undefined, { errors }) };
  };
};
