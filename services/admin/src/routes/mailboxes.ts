import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Mailbox, MessageCount } from '@rollcall/events';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { recordAct, visibleAor } from '../context.ts';
import { AorText, Nothing } from '../schemas.ts';
import { octets, shown } from '../text.ts';

/** RFC 3842 §5.2: counts up to 2^32−1. */
const Count = Type.Integer({ minimum: 0, maximum: 4_294_967_295 });
const CountView = Type.Object(
  { new: Count, old: Count, urgentNew: Type.Optional(Count), urgentOld: Type.Optional(Count) },
  { additionalProperties: false, title: 'MessageCount' },
);
// message-context-class of RFC 3458 §6.2 that RFC 3842 §5.2 takes up, and of RFC 3938.
const MessageContext = Type.String({ pattern: '^(?:voice|video|fax|pager|multimedia|text)-message$|^none$' });

const MailboxView = Type.Object(
  {
    account: Type.Optional(
      Type.String({
        maxLength: 512,
        pattern: '^[a-z]+:[!-~]+$',
        description: 'URI of the mailbox (RFC 3842 §5.2)',
      }),
    ),
    counts: Type.Record(MessageContext, CountView, {
      additionalProperties: false,
      description: 'By kind of message: voice-message, fax-message …',
    }),
  },
  { additionalProperties: false, title: 'Mailbox' },
);

const AorParams = Type.Object({ aor: AorText });

function viewOf(mailbox: Mailbox): Static<typeof MailboxView> {
  const counts: Static<typeof MailboxView>['counts'] = {};
  for (const [kind, { fresh, old, urgentFresh, urgentOld }] of Object.entries(mailbox.counts)) {
    counts[shown(kind)] = {
      new: fresh,
      old,
      ...(urgentFresh === undefined ? {} : { urgentNew: urgentFresh }),
      ...(urgentOld === undefined ? {} : { urgentOld }),
    };
  }
  return mailbox.account === undefined ? { counts } : { account: shown(mailbox.account), counts };
}

function toMailbox(body: Static<typeof MailboxView>): Mailbox {
  const counts: Record<string, MessageCount> = {};
  for (const [kind, count] of Object.entries(body.counts)) {
    // `new` is what RFC 3842 calls it and what no program may.
    counts[kind] = {
      fresh: count.new,
      old: count.old,
      ...(count.urgentNew === undefined ? {} : { urgentFresh: count.urgentNew }),
      ...(count.urgentOld === undefined ? {} : { urgentOld: count.urgentOld }),
    };
  }
  return body.account === undefined ? { counts } : { account: octets(body.account), counts };
}

/** Message counts of an AoR: what the message-summary package tells (RFC 3842). */
export function mailboxRoutes(app: ApiApp, context: AdminContext): void {
  const { mailboxes } = context.ports;

  app.get('/v1/aors/:aor/mailbox', {
    schema: {
      tags: ['mailboxes'],
      summary: 'Read a mailbox',
      params: AorParams,
      response: { 200: MailboxView },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const mailbox = await mailboxes.readMailbox(await visibleAor(context, request, request.params.aor));
      if (mailbox === undefined) throw new ProblemError('not-found');
      return viewOf(mailbox);
    },
  });

  app.put('/v1/aors/:aor/mailbox', {
    schema: {
      tags: ['mailboxes'],
      summary: 'Set a mailbox',
      description: 'Watchers of message-summary get a NOTIFY.',
      params: AorParams,
      body: MailboxView,
      response: { 200: MailboxView },
    },
    config: secured('write', ['not-found']),
    handler: async (request) => {
      const aor = await visibleAor(context, request, request.params.aor);
      const mailbox = toMailbox(request.body);
      await recordAct(context, request, 'mailbox.put', shown(aor));
      await mailboxes.putMailbox(aor, mailbox, context.tracing.current());
      return viewOf(mailbox);
    },
  });

  app.delete('/v1/aors/:aor/mailbox', {
    schema: {
      tags: ['mailboxes'],
      summary: 'Remove a mailbox',
      params: AorParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      await recordAct(context, request, 'mailbox.delete', shown(aor));
      await mailboxes.putMailbox(aor, undefined, context.tracing.current());
      return reply.code(204).send(null);
    },
  });
}
