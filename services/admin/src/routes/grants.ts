import { Type } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { domainAliases, recordAct, visibleAor } from '../context.ts';
import { AorText, Nothing } from '../schemas.ts';
import { readAor, shown } from '../text.ts';

const AorParams = Type.Object({ aor: AorText });
const GrantParams = Type.Object({ aor: AorText, identity: AorText });

/** Third-party registration (RFC 3261 §10.2): who may register an AoR beside its owner. */
export function grantRoutes(app: ApiApp, context: AdminContext): void {
  const { users } = context.ports;

  app.get('/v1/aors/:aor/grants', {
    schema: {
      tags: ['grants'],
      summary: 'List the identities that may register an address-of-record beside its owner',
      params: AorParams,
      response: { 200: Type.Object({ aor: Type.String(), identities: Type.Array(Type.String()) }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const aor = await visibleAor(context, request, request.params.aor);
      const identities = await users.grants.get(aor);
      return { aor: shown(aor), identities: identities.map(shown) };
    },
  });

  app.put('/v1/aors/:aor/grants/:identity', {
    schema: {
      tags: ['grants'],
      summary: 'Allow an identity to register',
      params: GrantParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      if ((await users.find(aor))?.aor !== aor)
        throw new ProblemError('not-found', 'there is no user with this address-of-record of their own');
      const identity = readAor(request.params.identity, await domainAliases(context));
      await recordAct(context, request, 'grant.put', shown(aor), shown(identity));
      await users.grants.put(aor, identity);
      return reply.code(204).send(null);
    },
  });

  app.delete('/v1/aors/:aor/grants/:identity', {
    schema: {
      tags: ['grants'],
      summary: 'Take a grant back',
      params: GrantParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      const identity = readAor(request.params.identity, await domainAliases(context));
      if (!(await users.grants.get(aor)).includes(identity)) throw new ProblemError('not-found');
      await recordAct(context, request, 'grant.delete', shown(aor), shown(identity));
      if (!(await users.grants.remove(aor, identity))) throw new ProblemError('not-found');
      return reply.code(204).send(null);
    },
  });
}
