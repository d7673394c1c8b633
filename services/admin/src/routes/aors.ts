import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { EpochMs } from '@rollcall/kernel';
import type { Binding, ListedAor, ListingFilter } from '@rollcall/location';
import { bindingEdge, bindingTransport } from '@rollcall/location';
import { listByPrefix, MOST_DOMAINS } from '../aor-search.ts';
import { identityOf, secured } from '../auth/access.ts';
import type { Identity } from '../auth/identity.ts';
import { mustSee } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { domainAliases } from '../context.ts';
import { DomainName, fromCursor, NextCursor, PageQuery, toCursor } from '../schemas.ts';
import { octets, remaining, shown } from '../text.ts';

const AorsQuery = Type.Object(
  {
    ...PageQuery.properties,
    domain: Type.Optional(DomainName),
    prefix: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        description:
          'How the AoR begins: sip:ali, or ali for a SIP AoR. Without a domain it is looked for in the domains that are served.',
      }),
    ),
    transport: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z]{2,10}$',
        description: 'Transport of a binding: udp, tcp, tls, ws, wss',
      }),
    ),
    user_agent: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'A part of the User-Agent of a binding, in whatever case',
      }),
    ),
    edge: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'Id of the edge that holds the flow of a binding',
      }),
    ),
  },
  { additionalProperties: false },
);

const BindingSummary = Type.Object(
  {
    id: Type.String(),
    contact: Type.String(),
    transport: Type.Optional(Type.String()),
    userAgent: Type.Optional(Type.String()),
    edge: Type.Optional(Type.String()),
    expires: Type.Integer({ description: 'Seconds left' }),
  },
  { title: 'BindingSummary' },
);

const AorView = Type.Object(
  {
    aor: Type.String(),
    version: Type.Integer(),
    bindings: Type.Array(BindingSummary),
    unreadable: Type.Optional(
      Type.Literal(true, {
        description:
          'The store holds something that is no record of a known format; docs/durability.md, "Repair"',
      }),
    ),
  },
  { title: 'RegisteredAor' },
);

function summaryOf(binding: Binding, now: EpochMs): Static<typeof BindingSummary> {
  const transport = bindingTransport(binding);
  const edge = bindingEdge(binding);
  return {
    id: binding.id,
    contact: shown(binding.contact),
    ...(transport === undefined ? {} : { transport }),
    ...(binding.userAgent === undefined ? {} : { userAgent: shown(binding.userAgent) }),
    ...(edge === undefined ? {} : { edge }),
    expires: remaining(binding.expiresAt, now),
  };
}

function viewOf({ aor, version, bindings, unreadable }: ListedAor, now: EpochMs): Static<typeof AorView> {
  return {
    aor: shown(aor),
    version,
    bindings: bindings.map((binding) => summaryOf(binding, now)),
    ...(unreadable === undefined ? {} : { unreadable }),
  };
}

/** The domain that is listed: a token that sees only some domains has to name one of them, unless it sees one alone. */
function domainOf(
  identity: Identity,
  asked: string | undefined,
  aliases: ReadonlyMap<string, string>,
): string | undefined {
  if (asked !== undefined) {
    const name = aliases.get(asked.toLowerCase()) ?? asked.toLowerCase();
    mustSee(identity, name);
    return name;
  }
  if (identity.domains === undefined) return undefined;
  const [only] = identity.domains;
  if (identity.domains.size === 1) return only;
  throw new ProblemError('invalid-request', 'the token sees several domains: name one with ?domain=');
}

/** The addresses-of-record that are registered now. */
export function aorRoutes(app: ApiApp, context: AdminContext): void {
  const { location, clock, users } = context.ports;

  async function search(filter: ListingFilter, cursor: string | undefined, limit: number) {
    const { prefix, domain } = filter;
    // An AoR of tel: may have no domain.
    if (prefix !== undefined && domain === undefined && !prefix.startsWith('tel:')) {
      const domains = (await users.domains.list()).map(({ name }) => name);
      if (domains.length > 0 && domains.length <= MOST_DOMAINS)
        return listByPrefix(location, { ...filter, prefix }, domains, cursor, limit);
    }
    return location.list(filter, cursor, limit);
  }

  app.get('/v1/aors', {
    schema: {
      tags: ['bindings'],
      summary: 'List the addresses-of-record that have bindings',
      description:
        'By domain, prefix, transport, user agent and edge; all that is given must fit. A page may hold fewer items than its limit, even ' +
        'none, and still have a cursor. Each address-of-record that is there from the first page to the last comes at least once, ' +
        'whatever registers and expires meanwhile.',
      querystring: AorsQuery,
      response: { 200: Type.Object({ items: Type.Array(AorView), cursor: NextCursor }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const { query } = request;
      const domain = domainOf(identityOf(request), query.domain, await domainAliases(context));
      const filter: ListingFilter = {
        ...(domain === undefined ? {} : { domain }),
        ...(query.prefix === undefined ? {} : { prefix: octets(query.prefix) }),
        ...(query.transport === undefined ? {} : { transport: query.transport.toLowerCase() }),
        ...(query.user_agent === undefined ? {} : { userAgent: octets(query.user_agent) }),
        ...(query.edge === undefined ? {} : { edge: query.edge }),
      };
      const page = await search(filter, fromCursor(query.cursor), query.limit);
      const now = clock.now();
      return { items: page.items.map((listed) => viewOf(listed, now)), ...toCursor(page.cursor) };
    },
  });
}
