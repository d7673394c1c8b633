import { Type } from 'typebox';
import type { Static } from 'typebox';
import { EVERYBODY } from '@rollcall/events';
import type { WatcherRule, WatcherRules } from '@rollcall/events';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { domainAliases, recordAct, visibleAor } from '../context.ts';
import { AorText, Nothing } from '../schemas.ts';
import { octets, readAor, shown } from '../text.ts';

/** One record holds them all, and each SUBSCRIBE reads it. */
const MAX_RULES = 1_000;
const DOMAIN = /^@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$/;

const Rule = Type.Object(
  {
    watcher: Type.String({
      minLength: 1,
      maxLength: 2_048,
      description: 'An address-of-record, `@domain` for everybody of a domain, or `*` for everybody',
      examples: ['sip:bob@example.test', '@example.test', '*'],
    }),
    action: Type.Union(
      [Type.Literal('allow'), Type.Literal('confirm'), Type.Literal('polite-block'), Type.Literal('block')],
      {
        description:
          'confirm: pending until a rule says more; polite-block: is told that nobody is there; block: is refused',
      },
    ),
  },
  { additionalProperties: false, title: 'WatcherRule' },
);
const RulesView = Type.Object(
  { rules: Type.Array(Rule, { maxItems: MAX_RULES }) },
  { additionalProperties: false, title: 'WatcherRules' },
);

const viewOf = ({ rules }: WatcherRules): Static<typeof RulesView> => ({
  rules: rules.map(({ watcher, action }) => ({ watcher: shown(watcher), action })),
});

/** Canonical, so that rules compare with the identities of watchers; each watcher once. */
function toRules(
  { rules }: Static<typeof RulesView>,
  aliases: ReadonlyMap<string, string>,
): readonly WatcherRule[] {
  const read = rules.map(({ watcher, action }) => ({ watcher: canonical(watcher, aliases), action }));
  if (new Set(read.map(({ watcher }) => watcher)).size < read.length)
    throw new ProblemError('invalid-request', 'two rules for one watcher');
  return read;
}

function canonical(watcher: string, aliases: ReadonlyMap<string, string>): string {
  if (watcher === EVERYBODY) return watcher;
  if (!DOMAIN.test(watcher)) return readAor(watcher, aliases);
  const domain = octets(watcher.slice(1).toLowerCase());
  return `@${aliases.get(domain) ?? domain}`;
}

const AorParams = Type.Object({ aor: AorText });

/** Who may watch a user (RFC 3856 §6.6, RFC 3857). */
export function watcherRuleRoutes(app: ApiApp, context: AdminContext): void {
  const { subscriptions, users } = context.ports;

  app.get('/v1/aors/:aor/watcher-rules', {
    schema: {
      tags: ['watcher-rules'],
      summary: 'Read who may watch a user',
      description: 'Where no rule says anything, the policy of the user or their domain holds (`watchers`).',
      params: AorParams,
      response: { 200: RulesView },
    },
    config: secured('read', ['not-found']),
    handler: async (request) =>
      viewOf(await subscriptions.readRules(await visibleAor(context, request, request.params.aor))),
  });

  app.put('/v1/aors/:aor/watcher-rules', {
    schema: {
      tags: ['watcher-rules'],
      summary: 'Set who may watch a user',
      description:
        'In force at once: a pending watcher that is allowed is told the state, an active one that is blocked gets `terminated;reason=rejected`.',
      params: AorParams,
      body: RulesView,
      response: { 200: RulesView },
    },
    config: secured('write', ['not-found']),
    handler: async (request) => {
      const aor = await visibleAor(context, request, request.params.aor);
      if ((await users.find(aor)) === undefined) throw new ProblemError('not-found', 'there is no such user');
      const rules = toRules(request.body, await domainAliases(context));
      await recordAct(context, request, 'watcher-rules.put', shown(aor), `${String(rules.length)} rules`);
      await subscriptions.putRules(aor, rules, context.tracing.current());
      return viewOf({ version: 0, rules });
    },
  });

  app.delete('/v1/aors/:aor/watcher-rules', {
    schema: {
      tags: ['watcher-rules'],
      summary: 'Take all rules of a user away',
      params: AorParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const aor = await visibleAor(context, request, request.params.aor);
      await recordAct(context, request, 'watcher-rules.delete', shown(aor));
      await subscriptions.putRules(aor, [], context.tracing.current());
      return reply.code(204).send(null);
    },
  });
}
