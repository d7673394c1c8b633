import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { Domain } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import { mustSee, sees } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { recordAct } from '../context.ts';
import { DomainName, Nothing } from '../schemas.ts';
import { POLICY_FIELDS, toPolicy } from './policy-schema.ts';

const DomainBody = Type.Object(
  {
    // A quoted-string that needs no escapes, so that every phone reads the challenge alike.
    realm: Type.Optional(
      Type.String({
        pattern: '^[ !#-\\[\\]-~]+$',
        maxLength: 255,
        description: 'Digest realm of the users; the name of the domain when absent',
      }),
    ),
    aliases: Type.Optional(
      Type.Array(DomainName, {
        maxItems: 64,
        uniqueItems: true,
        description: 'Other names that mean this domain',
      }),
    ),
    ...POLICY_FIELDS,
  },
  { additionalProperties: false, title: 'DomainPolicy' },
);

const DomainView = Type.Object({ name: DomainName, ...DomainBody.properties }, { title: 'Domain' });
const DomainParams = Type.Object({ domain: DomainName });

function toDomain(name: string, body: Static<typeof DomainBody>): Domain {
  const { realm, aliases, ...settings } = body;
  return {
    name,
    ...(realm === undefined ? {} : { realm }),
    ...(aliases === undefined ? {} : { aliases: aliases.map((alias) => alias.toLowerCase()) }),
    ...toPolicy(settings),
  };
}

/** A change that would make stored data wrong is a conflict. */
async function refuseConflicts({ ports }: AdminContext, next: Domain): Promise<void> {
  const names = new Set([next.name, ...(next.aliases ?? [])]);
  for (const other of await ports.users.domains.list()) {
    if (other.name === next.name) continue;
    const taken = [other.name, ...(other.aliases ?? [])].find((name) => names.has(name));
    if (taken !== undefined)
      throw new ProblemError('conflict', `${taken} already means the domain ${other.name}`);
  }
  const before = await ports.users.domains.get(next.name);
  if (before === undefined || (before.realm ?? before.name) === (next.realm ?? next.name)) return;
  // HA1 values are made for one realm (RFC 7616 §3.4.2): another would lock every user out.
  const { items } = await ports.users.list(next.name, undefined, 1);
  if (items.length > 0)
    throw new ProblemError('conflict', 'the realm cannot change while the domain has users');
}

/** The domains that we are responsible for, and their policies. */
export function domainRoutes(app: ApiApp, context: AdminContext): void {
  const { domains } = context.ports.users;

  app.get('/v1/domains', {
    schema: {
      tags: ['domains'],
      summary: 'List the domains',
      response: { 200: Type.Object({ items: Type.Array(DomainView) }) },
    },
    config: secured('read'),
    handler: async (request) => {
      const identity = identityOf(request);
      return { items: (await domains.list()).filter((domain) => sees(identity, domain.name)).map(viewOf) };
    },
  });

  app.get('/v1/domains/:domain', {
    schema: {
      tags: ['domains'],
      summary: 'Read a domain',
      params: DomainParams,
      response: { 200: DomainView },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const name = request.params.domain.toLowerCase();
      mustSee(identityOf(request), name);
      const domain = await domains.get(name);
      if (domain === undefined) throw new ProblemError('not-found');
      return viewOf(domain);
    },
  });

  app.put('/v1/domains/:domain', {
    schema: {
      tags: ['domains'],
      summary: 'Create or replace a domain',
      description: 'In force at once in every service. What is left out is unset.',
      params: DomainParams,
      body: DomainBody,
      response: { 200: DomainView, 201: DomainView },
    },
    config: secured('write', ['conflict'], { everyDomain: true }),
    handler: async (request, reply) => {
      const domain = toDomain(request.params.domain.toLowerCase(), request.body);
      await refuseConflicts(context, domain);
      const existed = (await domains.get(domain.name)) !== undefined;
      await recordAct(context, request, 'domain.put', domain.name);
      await domains.put(domain);
      return reply.code(existed ? 200 : 201).send(viewOf(domain));
    },
  });

  app.delete('/v1/domains/:domain', {
    schema: {
      tags: ['domains'],
      summary: 'Delete a domain without users',
      params: DomainParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict'], { everyDomain: true }),
    handler: async (request, reply) => {
      const name = request.params.domain.toLowerCase();
      const { items } = await context.ports.users.list(name, undefined, 1);
      if (items.length > 0) throw new ProblemError('conflict', 'the domain has users');
      if ((await domains.get(name)) === undefined) throw new ProblemError('not-found');
      await recordAct(context, request, 'domain.delete', name);
      if (!(await domains.remove(name))) throw new ProblemError('not-found');
      return reply.code(204).send(null);
    },
  });
}

const viewOf = (domain: Domain): Static<typeof DomainView> =>
  structuredClone(domain) as Static<typeof DomainView>;
