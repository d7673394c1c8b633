import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { EpochMs } from '@rollcall/kernel';
import { ended, parseSubscriptionId } from '@rollcall/events';
import type { Subscription, SubscriptionId } from '@rollcall/events';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { aorDomain } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import { mustSee, sees } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { recordAct, visibleAor } from '../context.ts';
import { AorText, fromCursor, NextCursor, Nothing, PageQuery, Timestamp, toCursor } from '../schemas.ts';
import { isoTime, octets, remaining, shown } from '../text.ts';
import { resourceListRoutes } from './resource-lists.ts';
import { watcherRuleRoutes } from './watcher-rules.ts';

const SubscriptionView = Type.Object(
  {
    id: Type.String(),
    resource: Type.String(),
    event: Type.String({ description: 'Event package' }),
    eventId: Type.Optional(Type.String({ description: 'The id parameter of Event (RFC 6665 §8.2.1)' })),
    watcher: Type.String({ description: 'Who was authenticated as the subscriber' }),
    access: Type.String({
      description: 'active; pending: waits to be confirmed; polite: is told that nobody is there',
    }),
    list: Type.Optional(
      Type.String({ description: 'stored, or adhoc: it is to a resource list (RFC 4662, RFC 5367)' }),
    ),
    contact: Type.String({ description: 'Where NOTIFYs are sent' }),
    callId: Type.String(),
    accept: Type.String({ description: 'Media type of the bodies' }),
    createdAt: Timestamp,
    expiresAt: Timestamp,
    expires: Type.Integer({ description: 'Seconds left' }),
    minInterval: Type.Optional(
      Type.Number({ description: 'Seconds between two NOTIFYs at least (RFC 6446 max-rate)' }),
    ),
    notify: Type.Object(
      {
        cseq: Type.Integer({ description: 'CSeq of the last NOTIFY; 0 before the first' }),
        sentAt: Type.Optional(Timestamp),
        status: Type.Optional(
          Type.Integer({
            description:
              'Answer to the last NOTIFY that has one; 408 when none came, 503 when it could not be sent. While one is in flight, that of the one before',
          }),
        ),
        delivery: Type.String({ description: 'Where its delivery stands' }),
        failures: Type.Integer({ description: 'NOTIFYs that failed since the last that was answered 2xx' }),
        until: Type.Optional(Timestamp),
      },
      { description: 'The last NOTIFY and what became of it' },
    ),
  },
  { title: 'Subscription' },
);

function viewOf(subscription: Subscription, now: EpochMs): Static<typeof SubscriptionView> {
  const { delivery, until, eventId, minInterval, notifiedAt, answered, list } = subscription;
  return {
    id: subscription.id,
    resource: shown(subscription.resource),
    event: shown(subscription.package),
    ...(eventId === '' ? {} : { eventId: shown(eventId) }),
    watcher: shown(subscription.watcher),
    access: subscription.access,
    ...(list === undefined ? {} : { list }),
    contact: shown(subscription.remoteTarget),
    callId: shown(subscription.callId),
    accept: shown(subscription.accept),
    createdAt: isoTime(subscription.createdAt),
    expiresAt: isoTime(subscription.expiresAt),
    expires: remaining(subscription.expiresAt, now),
    ...(minInterval === 0 ? {} : { minInterval: minInterval / 1000 }),
    notify: {
      cseq: subscription.localCseq,
      ...(notifiedAt === 0 ? {} : { sentAt: isoTime(notifiedAt) }),
      ...(answered === 0 ? {} : { status: answered }),
      delivery,
      failures: subscription.failures,
      ...(delivery === 'inFlight' || delivery === 'waiting' ? { until: isoTime(until) } : {}),
    },
  };
}

interface Page {
  readonly items: readonly Subscription[];
  /** Where the next page begins; undefined when this is the last. */
  readonly next: string | undefined;
}

type Reader = AdminContext['ports']['subscriptions'];

async function pageOfResource(
  reader: Reader,
  aor: Aor,
  after: string | undefined,
  limit: number,
): Promise<Page> {
  const ids = await reader.watchers(aor, after as SubscriptionId | undefined, limit);
  return { items: await known(reader, ids), next: ids.length < limit ? undefined : ids.at(-1) };
}

/** A cursor with this in front is among the watchers of the watcher's own resource. */
const OWN = '=';

/** What a watcher watches: their own resource, whose subscriptions have no entry of their own under the watcher, then the others. */
async function pageOfWatcher(
  reader: Reader,
  aor: Aor,
  after: string | undefined,
  limit: number,
): Promise<Page> {
  let items: readonly Subscription[] = [];
  let behind = after;
  if (after === undefined || after.startsWith(OWN)) {
    const page = await pageOfResource(reader, aor, after?.slice(OWN.length), limit);
    items = page.items.filter(({ watcher }) => watcher === aor);
    if (page.next !== undefined) return { items, next: `${OWN}${page.next}` };
    behind = undefined;
  }
  const room = limit - items.length;
  const ids = await reader.watchesOf(aor, behind as SubscriptionId | undefined, room);
  return {
    items: [...items, ...(await known(reader, ids))],
    next: ids.length < room ? undefined : ids.at(-1),
  };
}

async function known(reader: Reader, ids: readonly SubscriptionId[]): Promise<Subscription[]> {
  return (await reader.readMany(ids)).flatMap((one) => (one === undefined ? [] : [one.subscription]));
}

/** Who watches a resource, and what a watcher watches. */
export function subscriptionRoutes(app: ApiApp, context: AdminContext): void {
  const { subscriptions, clock } = context.ports;
  watcherRuleRoutes(app, context);
  resourceListRoutes(app, context);

  app.get('/v1/subscriptions', {
    schema: {
      tags: ['subscriptions'],
      summary: 'List the subscriptions to a resource, or those of a watcher, with the last NOTIFY of each',
      description:
        'One of `resource` and `watcher` is wanted. Those of a watcher to their own resource come first.',
      querystring: Type.Object(
        { ...PageQuery.properties, resource: Type.Optional(AorText), watcher: Type.Optional(AorText) },
        { additionalProperties: false },
      ),
      response: { 200: Type.Object({ items: Type.Array(SubscriptionView), cursor: NextCursor }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const { resource, watcher, cursor, limit } = request.query;
      const text = resource ?? watcher;
      if (text === undefined || (resource !== undefined && watcher !== undefined))
        throw new ProblemError('invalid-request', 'one of resource and watcher is wanted');
      const aor = await visibleAor(context, request, text);
      const position = fromCursor(cursor);
      const after = position === undefined ? undefined : octets(position);
      const page =
        resource === undefined
          ? await pageOfWatcher(subscriptions, aor, after, limit)
          : await pageOfResource(subscriptions, aor, after, limit);
      const now = clock.now();
      const identity = identityOf(request);
      const items = page.items.flatMap((one) => {
        // A tenant is shown what concerns its own domains; an entry of a list is watched under the list's name.
        const home = aorDomain(one.resource) ?? '';
        return resource !== undefined || sees(identity, home) ? [viewOf(one, now)] : [];
      });
      return { items, ...toCursor(page.next) };
    },
  });

  app.delete('/v1/subscriptions/:id', {
    schema: {
      tags: ['subscriptions'],
      summary: 'End a subscription',
      description: 'The subscriber gets a last NOTIFY with the reason within a second (RFC 6665 §4.1.3).',
      params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
      querystring: Type.Object(
        {
          reason: Type.Union(
            [
              Type.Literal('deactivated'),
              Type.Literal('probation'),
              Type.Literal('rejected'),
              Type.Literal('giveup'),
              Type.Literal('noresource'),
            ],
            { default: 'deactivated', description: 'deactivated: subscribe again at once' },
          ),
          retryAfter: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 86_400, description: 'Seconds; with probation and giveup' }),
          ),
        },
        { additionalProperties: false },
      ),
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict']),
    handler: async (request, reply) => {
      const id = parseSubscriptionId(request.params.id, MAX_SHARDS);
      const first = id === undefined ? undefined : await subscriptions.read(id);
      if (id === undefined || first === undefined) throw new ProblemError('not-found');
      mustSee(identityOf(request), aorDomain(first.subscription.resource));
      const { reason, retryAfter = 0 } = request.query;
      await recordAct(
        context,
        request,
        'subscription.delete',
        shown(first.subscription.resource),
        `${id} ${reason}`,
      );
      let known: typeof first | undefined = first;
      for (let tries = 0; tries < MAX_TRIES && known !== undefined; tries += 1) {
        const next = ended(known.subscription, reason, retryAfter, clock.now());
        const resource: Aor = next.resource;
        const outcome = await subscriptions.commit({ id, resource, expectedVersion: known.version, next });
        if (outcome.kind === 'committed') return reply.code(204).send(null);
        known = outcome.current;
      }
      // Gone meanwhile is what was wanted.
      if (known === undefined) return reply.code(204).send(null);
      throw new ProblemError('conflict', 'the subscription changes all the time');
    },
  });
}

const MAX_TRIES = 5;
/** Ids name a shard; which there are, the store knows. */
const MAX_SHARDS = 10_000;
