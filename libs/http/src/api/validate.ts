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
    const errors = explained(checker.Errors(value))
      .slice(0, MAX_ERRORS)
      .map(({ at, detail }) => ({ at: `${part}${at}`, detail }));
    return { error: new ProblemError('invalid-request', undefined, { errors }) };
  };
};

/** A fault as the schema's compiler tells it. */
type Fault = ReturnType<ReturnType<typeof Compile>['Errors']>[number];

/** One line for each fault, in words of the request: a name that there is not, and what may stand where something else stands. */
function explained(faults: readonly Fault[]): FieldError[] {
  const lines: FieldError[] = [];
  const choices = new Map<string, unknown[]>();
  for (const fault of faults) {
    const { instancePath: at, keyword, message } = fault;
    if (keyword === 'const') {
      const known = choices.get(at);
      if (known === undefined) choices.set(at, [fault.params.allowedValue]);
      else known.push(fault.params.allowedValue);
      // The names that it speaks of have lines of their own.
    } else if (keyword === 'additionalProperties') continue;
    else if (keyword === 'boolean') lines.push({ at, detail: 'is not known here' });
    else if (keyword === 'anyOf' && choices.has(at)) {
      lines.push({ at, detail: `must be one of ${(choices.get(at) ?? []).map(String).join(', ')}` });
      choices.delete(at);
    } else lines.push({ at, detail: message });
  }
  // Their end was cut off, so that they are not all.
  for (const at of choices.keys()) lines.push({ at, detail: 'is none of the values that may stand here' });
  return lines;
}
