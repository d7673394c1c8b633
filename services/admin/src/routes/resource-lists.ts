import { Type } from 'typebox';
import type { Static } from 'typebox';
import { MAX_LIST_ENTRIES } from '@rollcall/events';
import type { ResourceList } from '@rollcall/events';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { aorDomain } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import { sees } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { domainAliases, recordAct, visibleAor } from '../context.ts';
import { AorText, fromCursor, NextCursor, Nothing, PageQuery, toCursor } from '../schemas.ts';
import { octets, readAor, shown } from '../text.ts';

const Name = Type.Optional(Type.String({ maxLength: 256, description: 'What people call it' }));

const ListBody = Type.Object(
  {
    name: Name,
    watchers: Type.Optional(
      Type.Array(AorText, {
        maxItems: 1_000,
        description: 'Who may subscribe; every user of ours when absent (RFC 4662 §4.4)',
      }),
    ),
    entries: Type.Array(
      Type.Object({ uri: AorText, name: Name }, { additionalProperties: false, title: 'ListEntry' }),
      {
        maxItems: MAX_LIST_ENTRIES,
        description: 'Each is watched with the rules that its owner has for the subscriber',
      },
    ),
  },
  { additionalProperties: false, title: 'ResourceListBody' },
);
const ListView = Type.Object({ uri: Type.String(), ...ListBody.properties }, { title: 'ResourceList' });
const ListParams = Type.Object({ uri: AorText });

function viewOf(
  uri: Aor,
  { name, watchers, entries }: Omit<ResourceList, 'version'>,
): Static<typeof ListView> {
  return {
    uri: shown(uri),
    ...(name === undefined ? {} : { name: shown(name) }),
    ...(watchers === undefined ? {} : { watchers: watchers.map(shown) }),
    entries: entries.map((entry) => ({
      uri: shown(entry.uri),
      ...(entry.name === undefined ? {} : { name: shown(entry.name) }),
    })),
  };
}

function toList(
  { name, watchers, entries }: Static<typeof ListBody>,
  aliases: ReadonlyMap<string, string>,
): Omit<ResourceList, 'version'> {
  const read = entries.map((entry) => ({
    uri: readAor(entry.uri, aliases),
    ...(entry.name === undefined ? {} : { name: octets(entry.name) }),
  }));
  if (new Set(read.map(({ uri }) => uri)).size < read.length)
    throw new ProblemError('invalid-request', 'one entry stands there twice');
  return {
    entries: read,
    ...(name === undefined ? {} : { name: octets(name) }),
    ...(watchers === undefined ? {} : { watchers: watchers.map((watcher) => readAor(watcher, aliases)) }),
  };
}

/** Resource lists (RFC 4662): one subscription for many resources. */
export function resourceListRoutes(app: ApiApp, context: AdminContext): void {
  const { subscriptions, users } = context.ports;

  app.get('/v1/resource-lists', {
    schema: {
      tags: ['resource-lists'],
      summary: 'List the resource lists',
      querystring: PageQuery,
      response: {
        200: Type.Object({ items: Type.Array(Type.Object({ uri: Type.String() })), cursor: NextCursor }),
      },
    },
    config: secured('read'),
    handler: async (request) => {
      const { cursor, limit } = request.query;
      const position = fromCursor(cursor);
      const uris = await subscriptions.lists(position === undefined ? undefined : octets(position), limit);
      const identity = identityOf(request);
      const items = uris
        .filter((uri) => sees(identity, aorDomain(uri) ?? ''))
        .map((uri) => ({ uri: shown(uri) }));
      const last = uris.at(-1);
      return { items, ...toCursor(uris.length < limit || last === undefined ? undefined : utf8(last)) };
    },
  });

  app.get('/v1/resource-lists/:uri', {
    schema: {
      tags: ['resource-lists'],
      summary: 'Read a resource list',
      params: ListParams,
      response: { 200: ListView },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const uri = await visibleAor(context, request, request.params.uri);
      const list = await subscriptions.readList(uri);
      if (list === undefined) throw new ProblemError('not-found');
      return viewOf(uri, list);
    },
  });

  app.put('/v1/resource-lists/:uri', {
    schema: {
      tags: ['resource-lists'],
      summary: 'Create or replace a resource list',
      description: 'Its subscribers get the full state of the new list.',
      params: ListParams,
      body: ListBody,
      response: { 200: ListView, 201: ListView },
    },
    config: secured('write', ['not-found', 'conflict']),
    handler: async (request, reply) => {
      const uri = await visibleAor(context, request, request.params.uri);
      const aliases = await domainAliases(context);
      if ((await users.domains.get(aorDomain(uri) ?? '')) === undefined)
        throw new ProblemError('not-found', 'there is no such domain');
      if ((await users.find(uri)) !== undefined)
        throw new ProblemError('conflict', 'the address is that of a user');
      const list = toList(request.body, aliases);
      const existed = (await subscriptions.readList(uri)) !== undefined;
      await recordAct(
        context,
        request,
        'resource-list.put',
        shown(uri),
        `${String(list.entries.length)} entries`,
      );
      await subscriptions.putList(uri, list, context.tracing.current());
      return reply.code(existed ? 200 : 201).send(viewOf(uri, list));
    },
  });

  app.delete('/v1/resource-lists/:uri', {
    schema: {
      tags: ['resource-lists'],
      summary: 'Delete a resource list',
      description: 'Subscriptions to it end with reason noresource.',
      params: ListParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const uri = await visibleAor(context, request, request.params.uri);
      if ((await subscriptions.readList(uri)) === undefined) throw new ProblemError('not-found');
      await recordAct(context, request, 'resource-list.delete', shown(uri));
      if (!(await subscriptions.removeList(uri, context.tracing.current())))
        throw new ProblemError('not-found');
      return reply.code(204).send(null);
    },
  });
}

/** Octets as the text whose UTF-8 they are: what a cursor holds. */
const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8');
