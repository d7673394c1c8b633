import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { describeProblem } from '@rollcall/http';
import type { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { Aor, DeliverChanges, LocationEvent } from '@rollcall/location';
import { aorDomain, CHANGE_KINDS } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import type { Identity } from '../auth/identity.ts';
import { mustSee, sees } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { visibleAor } from '../context.ts';
import { EventSchema } from '../events/event-schema.ts';
import { EventStream } from '../events/event-stream.ts';
import { problemOf } from '../problems.ts';
import { AorText, DomainName } from '../schemas.ts';

const ONE_KIND = `(?:${CHANGE_KINDS.join('|')})`;

const EventQuery = Type.Object(
  {
    domain: Type.Optional(DomainName),
    aor: Type.Optional(AorText),
    kind: Type.Optional(
      Type.String({
        pattern: `^${ONE_KIND}(?:,${ONE_KIND})*$`,
        description: `Only these kinds, separated by commas: ${CHANGE_KINDS.join(', ')}`,
      }),
    ),
  },
  { additionalProperties: false },
);

const EventHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({
      pattern: '^[!-~]{1,8192}$',
      description:
        'The last `id` that was received: the stream goes on behind it, nothing lost, nothing twice',
    }),
  ),
});

/** A cursor that is too old, or a store that is away, is found out within this time, while there can still be a status. */
const SETTLE_MS = 100;

interface Filter {
  readonly identity: Identity;
  readonly domain: string | undefined;
  readonly aor: Aor | undefined;
  readonly kinds: ReadonlySet<string> | undefined;
}

const wants = ({ identity, domain, aor, kinds }: Filter, event: LocationEvent): boolean =>
  (aor === undefined || event.aor === aor) &&
  (kinds === undefined || kinds.has(event.kind)) &&
  (domain === undefined || aorDomain(event.aor) === domain) &&
  sees(identity, aorDomain(event.aor));

async function readFilter(
  context: AdminContext,
  request: FastifyRequest,
  query: Static<typeof EventQuery>,
): Promise<Filter> {
  const identity = identityOf(request);
  const domain = query.domain?.toLowerCase();
  if (domain !== undefined) mustSee(identity, domain);
  const aor = query.aor === undefined ? undefined : await visibleAor(context, request, query.aor);
  return {
    identity,
    domain,
    aor,
    kinds: query.kind === undefined ? undefined : new Set(query.kind.split(',')),
  };
}

/** What became of a watch before its stream was opened, or of one that ended by itself. */
type Outcome = { readonly failed: ProblemError } | undefined;

async function stream(
  context: AdminContext,
  request: FastifyRequest,
  reply: FastifyReply,
  filter: Filter,
): Promise<void> {
  const { streams, watcher } = context;
  const place = streams.enter();
  const events = new EventStream(reply.raw);
  const leave = (): void => {
    streams.leave(place);
  };
  reply.raw.once('close', leave);
  const deliver: DeliverChanges = (batch, position) => {
    if (place.signal.aborted) return;
    if (!reply.sent) reply.hijack();
    // Asked before a batch is written, not after: whoever takes one batch has come further, however large it was.
    if (events.buffered <= streams.limits.bufferedBytes) {
      events.send(batch, position, (event) => wants(filter, event));
      return;
    }
    streams.dropped += 1;
    leave();
    events.cut();
  };
  const cursor = request.headers['last-event-id'];
  const watching = watcher.watch(typeof cursor === 'string' ? cursor : undefined, deliver, place.signal).then(
    (): Outcome => undefined,
    (error: unknown): Outcome => ({ failed: problemOf(context.log, error) }),
  );
  const early = await Promise.race([
    watching,
    delay(SETTLE_MS, undefined, { signal: place.signal }).catch(() => undefined),
  ]);
  if (early !== undefined && !events.isOpen) {
    reply.raw.off('close', leave);
    leave();
    throw early.failed;
  }
  if (!reply.sent) reply.hijack();
  if (!place.signal.aborted) events.open();
  await carryOn(context, events, watching, place.signal);
  leave();
}

/** Keeps an open stream alive until its watch ends: the client went, the service stops, or the store is away. */
async function carryOn(
  { streams }: AdminContext,
  events: EventStream,
  watching: Promise<Outcome>,
  signal: AbortSignal,
): Promise<void> {
  const beat = setInterval(() => {
    events.heartbeat();
  }, streams.limits.heartbeatMs);
  const stopped = (): void => {
    clearInterval(beat);
  };
  signal.addEventListener('abort', stopped, { once: true });
  const outcome = await watching;
  clearInterval(beat);
  if (outcome !== undefined) events.fail(describeProblem(outcome.failed.id, outcome.failed.detail));
  events.end();
}

/** Live changes of bindings as server-sent events. */
export function eventRoutes(app: ApiApp, context: AdminContext): void {
  app.get('/v1/events', {
    exposeHeadRoute: false,
    schema: {
      tags: ['events'],
      summary: 'Follow the changes of bindings',
      description:
        'Server-sent events (text/event-stream). `event` is the kind of change (RFC 3680 §3.6), `data` a JSON object, `id` the position. ' +
        'The stream begins with an `id` of its own, without data. A client that connects again with `Last-Event-ID` gets everything since, once. ' +
        'A client that reads too slowly is cut off and resumes so.',
      querystring: EventQuery,
      headers: EventHeaders,
      response: {
        200: {
          description: 'The stream',
          content: {
            'text/event-stream': { schema: EventSchema },
          },
        },
      },
    },
    config: secured('read', ['not-found', 'cursor-too-old', 'too-many-streams']),
    handler: async (request, reply) => {
      await stream(context, request, reply, await readFilter(context, request, request.query));
      return reply;
    },
  });
}
