import { Type } from 'typebox';
import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { fromCursor, NextCursor, PageQuery, Timestamp, toCursor } from '../schemas.ts';
import { isoTime, printable } from '../text.ts';

const EdgeView = Type.Object(
  {
    id: Type.String(),
    epoch: Type.Integer({ description: 'Grows with every start; flows of an older epoch are gone' }),
    inner: Type.String({ description: 'Inner SIP address, host:port' }),
  },
  { title: 'Edge' },
);

const AuditView = Type.Object(
  {
    at: Timestamp,
    actor: Type.String({ description: 'admin:<token id>, an identity, or expiry' }),
    action: Type.String({ examples: ['user.put', 'binding.delete'] }),
    target: Type.String(),
    detail: Type.Optional(Type.String()),
  },
  { title: 'AuditRecord' },
);

/** What operators of the whole installation look at. */
export function operationsRoutes(app: ApiApp, context: AdminContext): void {
  app.get('/v1/edges', {
    schema: {
      tags: ['operations'],
      summary: 'List the edges that live',
      response: { 200: Type.Object({ items: Type.Array(EdgeView) }) },
    },
    config: secured('read', [], { everyDomain: true }),
    handler: async () => ({ items: [...(await context.ports.edges.list())] }),
  });

  app.get('/v1/audit', {
    schema: {
      tags: ['operations'],
      summary: 'List what operators and the service did, newest first',
      description:
        'An entry is written before its act, so that no act is without one: if the store went away in between, or the act came too ' +
        'late for another, its operator got 503 or 409 and the entry stays. The log is bounded; the oldest entries go first.',
      querystring: PageQuery,
      response: { 200: Type.Object({ items: Type.Array(AuditView), cursor: NextCursor }) },
    },
    config: secured('read', [], { everyDomain: true }),
    handler: async (request) => {
      const page = await context.ports.audit.list(fromCursor(request.query.cursor), request.query.limit);
      const items = page.items.map(({ at, actor, action, target, detail }) => ({
        at: isoTime(at),
        actor: printable(actor),
        action: printable(action),
        target: printable(target),
        ...(detail === undefined ? {} : { detail: printable(detail) }),
      }));
      return { items, ...toCursor(page.cursor) };
    },
  });
}
