import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { aorDomain, parseAor } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import { mustSee } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { domainAliases, recordAct } from '../context.ts';
import { AorText, DomainName, Nothing, UserName } from '../schemas.ts';
import { octets, shown } from '../text.ts';
import { userOfPath } from './user-of-path.ts';

const UserParams = Type.Object({ domain: DomainName, user: UserName });
const AliasParams = Type.Object({ domain: DomainName, user: UserName, alias: AorText });
/** Calls to a user look for one at a time. */
export const MAX_ALIASES = 64;

/**
 * An alias as the registrar would read it: a telephone number is at home in the user's domain (RFC 3966 §5). 400 when it is in no
 * domain of ours, 404 when the token does not see that domain.
 */
export async function readAlias(
  context: AdminContext,
  request: FastifyRequest,
  text: string,
  home: string,
): Promise<Aor> {
  const names = await domainAliases(context);
  const read = parseAor(octets(text), { domainAliases: names, telDomain: home });
  if (!read.ok) throw new ProblemError('invalid-request', `not an address-of-record: ${read.error.detail}`);
  const domain = aorDomain(read.value);
  if (domain === undefined || (await context.ports.users.domains.get(domain)) === undefined)
    throw new ProblemError('invalid-request', `${shown(read.value)} is in no domain of ours`);
  mustSee(identityOf(request), domain);
  return read.value;
}

/** Other addresses-of-record that mean a user: calls and subscriptions to them go to the user, and so do registrations. */
export function aliasRoutes(app: ApiApp, context: AdminContext): void {
  const { users } = context.ports;
  const url = '/v1/domains/:domain/users/:user/aliases';

  app.get(url, {
    schema: {
      tags: ['aliases'],
      summary: 'List the aliases of a user',
      params: UserParams,
      response: { 200: Type.Object({ aor: Type.String(), aliases: Type.Array(Type.String()) }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const { aor, aliases = [] } = await userOfPath(context, request);
      return { aor: shown(aor), aliases: aliases.map(shown) };
    },
  });

  app.put(`${url}/:alias`, {
    schema: {
      tags: ['aliases'],
      summary: 'Let an address-of-record mean a user',
      description: 'It must not be the address-of-record or an alias of another user.',
      params: AliasParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict']),
    handler: async (request, reply) => {
      const user = await userOfPath(context, request);
      const alias = await readAlias(
        context,
        request,
        request.params.alias,
        request.params.domain.toLowerCase(),
      );
      const { aliases = [] } = user;
      if (alias === user.aor) throw new ProblemError('conflict', 'that is the user');
      if (aliases.length >= MAX_ALIASES) throw new ProblemError('conflict', 'the user has too many aliases');
      await recordAct(context, request, 'alias.put', shown(user.aor), shown(alias));
      if (!aliases.includes(alias)) await users.put({ ...user, aliases: [...aliases, alias] });
      return reply.code(204).send(null);
    },
  });

  app.delete(`${url}/:alias`, {
    schema: {
      tags: ['aliases'],
      summary: 'Take an alias away',
      params: AliasParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const user = await userOfPath(context, request);
      const alias = await readAlias(
        context,
        request,
        request.params.alias,
        request.params.domain.toLowerCase(),
      );
      const { aliases = [] } = user;
      if (!aliases.includes(alias)) throw new ProblemError('not-found');
      await recordAct(context, request, 'alias.delete', shown(user.aor), shown(alias));
      await users.put({ ...user, aliases: aliases.filter((one) => one !== alias) });
      return reply.code(204).send(null);
    },
  });
}
