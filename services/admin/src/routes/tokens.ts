import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { ApiToken } from '@rollcall/location';
import { MAX_API_TOKENS } from '@rollcall/location';
import { secured } from '../auth/access.ts';
import { TOKEN_ID_PATTERN } from '../auth/tokens.ts';
import type { AdminContext } from '../context.ts';
import { recordAct } from '../context.ts';
import { DomainName, fromCursor, NextCursor, Nothing, PageQuery, Timestamp, toCursor } from '../schemas.ts';
import { isoTime } from '../text.ts';

const TokenBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 255, description: 'What the token is for' }),
    scope: Type.Union([Type.Literal('read'), Type.Literal('trace'), Type.Literal('write')], {
      description: 'read; trace: read and look at packets; write: all of it',
    }),
    domains: Type.Optional(
      Type.Array(DomainName, {
        minItems: 1,
        maxItems: 256,
        uniqueItems: true,
        description: 'The only domains that the token sees; all when absent',
      }),
    ),
  },
  { additionalProperties: false, title: 'TokenSettings' },
);

const TokenView = Type.Object(
  { id: Type.String(), ...TokenBody.properties, createdAt: Timestamp },
  { title: 'Token' },
);
const NewToken = Type.Object(
  { ...TokenView.properties, token: Type.String({ description: 'The token itself; shown this once' }) },
  { title: 'NewToken' },
);

function viewOf({ id, name, scope, domains, createdAt }: ApiToken): Static<typeof TokenView> {
  const view = { id, name, scope, createdAt: isoTime(createdAt) };
  return domains === undefined ? view : { ...view, domains: [...domains] };
}

/** API tokens: who may use this interface, for what, and for which domains. */
export function tokenRoutes(app: ApiApp, context: AdminContext): void {
  const { tokens } = context;

  app.post('/v1/tokens', {
    schema: {
      tags: ['tokens'],
      summary: 'Make a token',
      description: `In force at once in every replica. There may be ${String(MAX_API_TOKENS)}.`,
      body: TokenBody,
      response: { 201: NewToken },
    },
    config: secured('write', ['conflict'], { everyDomain: true }),
    handler: async (request, reply) => {
      const { domains, ...facts } = request.body;
      const minted = tokens.mint({
        ...facts,
        ...(domains === undefined ? {} : { domains: domains.map((domain) => domain.toLowerCase()) }),
        createdAt: context.ports.clock.now(),
      });
      await recordAct(context, request, 'token.create', minted.token.id, facts.name);
      if (!(await tokens.add(minted))) {
        throw new ProblemError('conflict', `there are ${String(MAX_API_TOKENS)} tokens; delete one first`);
      }
      return reply.code(201).send({ ...viewOf(minted.token), token: minted.text });
    },
  });

  app.get('/v1/tokens', {
    schema: {
      tags: ['tokens'],
      summary: 'List the tokens, without their secrets',
      querystring: PageQuery,
      response: { 200: Type.Object({ items: Type.Array(TokenView), cursor: NextCursor }) },
    },
    config: secured('read', [], { everyDomain: true }),
    handler: async (request) => {
      const page = await tokens.list(fromCursor(request.query.cursor), request.query.limit);
      return { items: page.items.map(viewOf), ...toCursor(page.cursor) };
    },
  });

  app.delete('/v1/tokens/:id', {
    schema: {
      tags: ['tokens'],
      summary: 'Delete a token; it is refused from now on',
      params: Type.Object({ id: Type.String({ pattern: TOKEN_ID_PATTERN }) }),
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found'], { everyDomain: true }),
    handler: async (request, reply) => {
      const { id } = request.params;
      if (!(await tokens.has(id))) throw new ProblemError('not-found');
      await recordAct(context, request, 'token.delete', id);
      if (!(await tokens.remove(id))) throw new ProblemError('not-found');
      return reply.code(204).send(null);
    },
  });
}
