import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { EpochMs } from '@rollcall/kernel';
import type { Subscription, SubscriptionId } from '@rollcall/events';
import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { visibleAor } from '../context.ts';
import { AorText, fromCursor, NextCursor, PageQuery, Timestamp, toCursor } from '../schemas.ts';
import { isoTime, octets, remaining, shown } from '../text.ts';

const SubscriptionView = Type.Object(
  {
    id: Type.String(),
    resource: Type.String(),
    event: Type.String({ description: 'Event package' }),
    eventId: Type.Optional(Type.String({ description: 'The id parameter of Event (RFC 6665 §8.2.1)' })),
    watcher: Type.String({ description: 'Who was authenticated as the subscriber' }),
    contact: Type.String({ description: 'Where NOTIFYs are sent' }),
    callId: Type.String(),
    accept: Type.String({ description: 'Media type of the bodies' }),
    expiresAt: Timestamp,
    expires: Type.Integer({ description: 'Seconds left' }),
    notify: Type.Object(
      {
        cseq: Type.Integer({ description: 'CSeq of the last NOTIFY; 0 before the first' }),
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
  const { delivery, until, eventId } = subscription;
  return {
    id: subscription.id,
    resource: shown(subscription.resource),
    event: shown(subscription.package),
    ...(eventId === '' ? {} : { eventId: shown(eventId) }),
    watcher: shown(subscription.watcher),
    contact: shown(subscription.remoteTarget),
    callId: shown(subscription.callId),
    accept: shown(subscription.accept),
    expiresAt: isoTime(subscription.expiresAt),
    expires: remaining(subscription.expiresAt, now),
    notify: {
      cseq: subscription.localCseq,
      delivery,
      failures: subscription.failures,
      ...(delivery === 'inFlight' || delivery === 'waiting' ? { until: isoTime(until) } : {}),
    },
  };
}

/** Who watches a resource. */
export function subscriptionRoutes(app: ApiApp, context: AdminContext): void {
  const { subscriptions, clock } = context.ports;

  app.get('/v1/subscriptions', {
    schema: {
      tags: ['subscriptions'],
      summary: 'List the subscriptions to a resource, with the last NOTIFY of each',
      querystring: Type.Object(
        { ...PageQuery.properties, resource: AorText },
        { additionalProperties: false },
      ),
      response: { 200: Type.Object({ items: Type.Array(SubscriptionView), cursor: NextCursor }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const { resource, cursor, limit } = request.query;
      const aor = await visibleAor(context, request, resource);
      const position = fromCursor(cursor);
      const after = position === undefined ? undefined : (octets(position) as SubscriptionId);
      const ids = await subscriptions.watchers(aor, after, limit);
      const stored = await subscriptions.readMany(ids);
      const now = clock.now();
      const items = stored.flatMap((one) => (one === undefined ? [] : [viewOf(one.subscription, now)]));
      return { items, ...toCursor(ids.length < limit ? undefined : ids.at(-1)) };
    },
  });
}
