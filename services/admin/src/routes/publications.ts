import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { EpochMs } from '@rollcall/kernel';
import type { Publication } from '@rollcall/events';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { recordAct, visibleAor } from '../context.ts';
import { AorText, Nothing, Timestamp } from '../schemas.ts';
import { isoTime, remaining, shown } from '../text.ts';

/** As often as a removal is tried again when phones publish meanwhile. */
const MAX_TRIES = 8;

const AorParams = Type.Object({ aor: AorText });
const EtagParams = Type.Object({
  aor: AorText,
  etag: Type.String({
    pattern: "^[A-Za-z0-9.!%*_+`'~-]{1,128}$",
    description: 'Entity-tag (RFC 3903 §11.3.1)',
  }),
});

const PublicationView = Type.Object(
  {
    etag: Type.String({ description: 'Entity-tag: names the publication until the next PUBLISH' }),
    event: Type.String({ description: 'Event package' }),
    octets: Type.Integer({ description: 'What is kept of the published document' }),
    expiresAt: Timestamp,
    expires: Type.Integer({ description: 'Seconds left' }),
  },
  { title: 'Publication' },
);

const viewOf = (publication: Publication, now: EpochMs): Static<typeof PublicationView> => ({
  etag: shown(publication.etag),
  event: shown(publication.package),
  octets: publication.body.length,
  expiresAt: isoTime(publication.expiresAt),
  expires: remaining(publication.expiresAt, now),
});

/** What devices have published for an AoR (RFC 3903), and what feature keys were set to. */
export function publicationRoutes(app: ApiApp, context: AdminContext): void {
  const { clock, publications } = context.ports;

  app.get('/v1/aors/:aor/publications', {
    schema: {
      tags: ['publications'],
      summary: 'List the publications of an address-of-record',
      params: AorParams,
      response: { 200: Type.Object({ items: Type.Array(PublicationView) }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const aor = await visibleAor(context, request, request.params.aor);
      const now = clock.now();
      const set = await publications.readPublications(aor);
      return {
        items: set.publications.filter((each) => each.expiresAt > now).map((each) => viewOf(each, now)),
      };
    },
  });

  app.delete('/v1/aors/:aor/publications/:etag', {
    schema: {
      tags: ['publications'],
      summary: 'Remove a publication',
      description: 'Watchers are told. The publisher is answered 412 when it comes back, and publishes anew.',
      params: EtagParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      let set = await publications.readPublications(aor);
      let recorded = false;
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const found = set.publications.find((each) => each.etag === request.params.etag);
        if (found === undefined) throw new ProblemError('not-found');
        if (!recorded)
          await recordAct(context, request, 'publication.delete', shown(aor), shown(found.package));
        recorded = true;
        const outcome = await publications.commitPublications({
          resource: aor,
          expectedVersion: set.version,
          publications: set.publications.filter((each) => each !== found),
          changed: true,
          packages: [found.package],
          trace: context.tracing.current(),
        });
        if (outcome.kind === 'committed') return reply.code(204).send(null);
        set = outcome.current;
      }
      throw new ProblemError('conflict', 'the publications changed while one was removed; try again');
    },
  });
}
