import { randomBytes } from 'node:crypto';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { DeliverChanges, LocationWatcher, Webhook } from '@rollcall/location';
import { MAX_WEBHOOKS } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import type { Identity } from '../auth/identity.ts';
import { mustSee, sees } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { recordAct } from '../context.ts';
import { ChangeKindSchema } from '../events/event-schema.ts';
import { DomainName, fromCursor, NextCursor, Nothing, PageQuery, Timestamp, toCursor } from '../schemas.ts';
import { isoTime } from '../text.ts';
import { isInside, literalAddress } from '../webhooks/addresses.ts';

const ID_BYTES = 9;
const SECRET_BYTES = 32;

const WebhookBody = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 2_048,
      description: 'Where changes are posted to, http or https',
      examples: ['https://pbx.example.test/rollcall'],
    }),
    kinds: Type.Optional(
      Type.Array(ChangeKindSchema, {
        minItems: 1,
        uniqueItems: true,
        description:
          'Changes that are wanted; all when absent. `refreshed` happens only where somebody watches.',
      }),
    ),
    domain: Type.Optional(DomainName),
    enabled: Type.Optional(Type.Boolean({ description: 'True when absent' })),
  },
  { additionalProperties: false, title: 'WebhookSettings' },
);

const WebhookView = Type.Object(
  { id: Type.String(), ...WebhookBody.properties, enabled: Type.Boolean(), createdAt: Timestamp },
  { title: 'Webhook' },
);
const NewWebhook = Type.Object(
  {
    ...WebhookView.properties,
    secret: Type.String({ description: 'Key of the signatures; shown this once' }),
  },
  { title: 'NewWebhook' },
);
const DeadLetterView = Type.Object(
  {
    at: Timestamp,
    attempts: Type.Integer(),
    reason: Type.String({ description: 'What the last attempt met' }),
    body: Type.String({ description: 'What was not taken; empty where events were lost before they could be sent' }),
  },
  { title: 'DeadLetter' },
); // prettier-ignore
const Params = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{18}$' }) });

type View = Static<typeof WebhookView>;

const viewOf = ({ id, url, kinds, domain, enabled, createdAt }: Webhook): View => ({
  id,
  url,
  ...(kinds === undefined ? {} : { kinds: [...kinds] }),
  ...(domain === undefined ? {} : { domain }),
  enabled,
  createdAt: isoTime(createdAt),
});

/** A URL that can be posted to; a problem otherwise. */
function checkUrl(text: string, allowInside: boolean): void {
  const refuse = (detail: string): never => {
    throw new ProblemError('invalid-request', undefined, { errors: [{ at: 'body/url', detail }] });
  };
  const url = URL.canParse(text) ? new URL(text) : refuse('no URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') refuse('neither http nor https');
  if (url.username !== '' || url.password !== '') refuse('a user or a password in the URL');
  const literal = literalAddress(url.hostname);
  const inside = url.hostname === 'localhost' || (literal !== undefined && isInside(literal));
  if (inside && !allowInside) refuse('an address inside; ROLLCALL_WEBHOOKS_INSIDE allows it');
}

/** A token that is bound to domains must say which of them a webhook is for. */
function checkDomain(identity: Identity, domain: string | undefined): void {
  if (identity.domains === undefined) return;
  if (domain === undefined) {
    throw new ProblemError('invalid-request', undefined, {
      errors: [{ at: 'body/domain', detail: 'the token is bound to some domains: name one of them' }],
    });
  }
  mustSee(identity, domain);
}

/** Holds the lease of a webhook that is being made, and for how long at most, ms. */
const CREATOR = 'creator';
const CREATION_MS = 5_000;

/** Where the change streams have come to. Rejects when the store is away. */
function positionNow(watcher: LocationWatcher): Promise<string> {
  const known = new AbortController();
  return new Promise((resolve, reject) => {
    const deliver: DeliverChanges = (_events, position) => {
      resolve(position);
      known.abort();
    };
    watcher.watch(undefined, deliver, known.signal).catch(reject);
  });
}

/** Webhooks: changes of bindings posted to whoever wants them (A09). */
export function webhookRoutes(app: ApiApp, context: AdminContext): void {
  const { webhooks } = context.ports;
  const find = async (identity: Identity, id: string): Promise<Webhook> => {
    const hook = await webhooks.find(id);
    if (hook === undefined || !sees(identity, hook.domain)) throw new ProblemError('not-found');
    return hook;
  };

  app.post('/v1/webhooks', {
    schema: {
      tags: ['webhooks'],
      summary: 'Make a webhook',
      description:
        'Changes from now on are posted as JSON, signed in `Rollcall-Signature: sha256=HMAC(secret, timestamp "." body)` with ' +
        '`Rollcall-Timestamp`. In order for each AoR, at least once: `Rollcall-Event-Id` is the same in every attempt. Any 2xx takes ' +
        `an event; other answers are tried again with growing pauses, and at last kept as dead letters. There may be ${String(MAX_WEBHOOKS)}.`,
      body: WebhookBody,
      response: { 201: NewWebhook },
    },
    config: secured('write', ['conflict', 'not-found']),
    handler: async (request, reply) => {
      const { url, kinds, enabled = true } = request.body;
      const domain = request.body.domain?.toLowerCase();
      checkDomain(identityOf(request), domain);
      checkUrl(url, context.webhooksInside);
      const hook: Webhook = {
        id: randomBytes(ID_BYTES).toString('hex'),
        url,
        secret: randomBytes(SECRET_BYTES).toString('base64url'),
        ...(kinds === undefined ? {} : { kinds }),
        ...(domain === undefined ? {} : { domain }),
        enabled,
        createdAt: context.ports.clock.now(),
      };
      await recordAct(context, request, 'webhook.create', hook.id, url);
      const position = await positionNow(context.watcher);
      // Whoever delivers begins at this position: nobody can before the lease is given back.
      await webhooks.hold(hook.id, CREATOR, CREATION_MS);
      if (!(await webhooks.put(hook))) {
        await webhooks.remove(hook.id);
        throw new ProblemError('conflict', `there are ${String(MAX_WEBHOOKS)} webhooks; delete one first`);
      }
      await webhooks.moveOn(hook.id, CREATOR, position);
      await webhooks.release(hook.id, CREATOR);
      return reply.code(201).send({ ...viewOf(hook), secret: hook.secret });
    },
  });

  app.get('/v1/webhooks', {
    schema: {
      tags: ['webhooks'],
      summary: 'List the webhooks, without their secrets',
      response: { 200: Type.Object({ items: Type.Array(WebhookView) }) },
    },
    config: secured('read'),
    handler: async (request) => {
      const identity = identityOf(request);
      const all = await webhooks.list();
      return { items: all.filter(({ domain }) => sees(identity, domain)).map(viewOf) };
    },
  });

  app.put('/v1/webhooks/:id', {
    schema: {
      tags: ['webhooks'],
      summary: 'Change a webhook; its secret and its position stay',
      params: Params,
      body: WebhookBody,
      response: { 200: WebhookView },
    },
    config: secured('write', ['conflict', 'not-found']),
    handler: async (request) => {
      const identity = identityOf(request);
      const { id, secret, createdAt } = await find(identity, request.params.id);
      const { url, kinds, enabled = true } = request.body;
      const domain = request.body.domain?.toLowerCase();
      checkDomain(identity, domain);
      checkUrl(url, context.webhooksInside);
      const facts = {
        ...(kinds === undefined ? {} : { kinds }),
        ...(domain === undefined ? {} : { domain }),
      };
      const hook: Webhook = { id, url, secret, ...facts, enabled, createdAt };
      await recordAct(context, request, 'webhook.put', id, url);
      if (!(await webhooks.put(hook))) throw new ProblemError('conflict');
      return viewOf(hook);
    },
  });

  app.delete('/v1/webhooks/:id', {
    schema: {
      tags: ['webhooks'],
      summary: 'Delete a webhook with its dead letters',
      params: Params,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const { id } = await find(identityOf(request), request.params.id);
      await recordAct(context, request, 'webhook.delete', id);
      if (!(await webhooks.remove(id))) throw new ProblemError('not-found');
      return reply.code(204).send(null);
    },
  });

  app.get('/v1/webhooks/:id/dead-letters', {
    schema: {
      tags: ['webhooks'],
      summary: 'What was given up, newest first',
      params: Params,
      querystring: PageQuery,
      response: { 200: Type.Object({ items: Type.Array(DeadLetterView), cursor: NextCursor }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const { id } = await find(identityOf(request), request.params.id);
      const page = await webhooks.deadLetters(id, fromCursor(request.query.cursor), request.query.limit);
      const items = page.items.map(({ at, attempts, reason, body }) => ({
        at: isoTime(at),
        attempts,
        reason,
        body,
      }));
      return { items, ...toCursor(page.cursor) };
    },
  });
}
