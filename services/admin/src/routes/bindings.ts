import { Type } from 'typebox';
import type { Static } from 'typebox';
import { assertNever } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import { aorDomain } from '@rollcall/location';
import type { Aor, Binding, LocationSnapshot, Reachability } from '@rollcall/location';
import type { FastifyRequest } from 'fastify';
import { identityOf, secured } from '../auth/access.ts';
import { actorOf, mustSee } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { recordAct, visibleAor } from '../context.ts';
import { deactivate } from '../deactivate.ts';
import { acceptsVersion, etagOf, hasVersion } from '../etag.ts';
import { AorText, Nothing, Timestamp } from '../schemas.ts';
import { isoTime, octets, remaining, shown } from '../text.ts';

const BindingView = Type.Object(
  {
    id: Type.String({ description: 'Stable over refreshes' }),
    contact: Type.String({ description: 'Contact URI as registered' }),
    params: Type.String({
      description: 'Parameters of the Contact header as registered, without expires and q',
    }),
    q: Type.Optional(Type.Number({ description: 'Preference, 0 to 1 (RFC 3261 §20.10)' })),
    instance: Type.Optional(Type.String({ description: '+sip.instance (RFC 5626 §4.1)' })),
    regId: Type.Optional(Type.Integer({ description: 'reg-id (RFC 5626 §4.2)' })),
    callId: Type.String(),
    cseq: Type.Integer(),
    path: Type.Array(Type.String(), { description: 'Path values, top first (RFC 3327)' }),
    userAgent: Type.Optional(Type.String()),
    source: Type.Optional(Type.String({ description: 'Where the REGISTER came from, as the edge saw it' })),
    reachability: Type.Optional(
      Type.Object(
        {
          reachable: Type.Boolean({ description: 'Whether the device answered the last ping' }),
          rttMs: Type.Optional(Type.Integer({ description: 'Round trip of the ping, milliseconds' })),
          at: Timestamp,
        },
        { description: 'What the edge last found out by asking the device; absent where nobody asks' },
      ),
    ),
    registeredAt: Timestamp,
    refreshedAt: Timestamp,
    expiresAt: Timestamp,
    expires: Type.Integer({ description: 'Seconds left' }),
  },
  { title: 'Binding' },
);

const BindingsView = Type.Object(
  {
    aor: Type.String(),
    version: Type.Integer({ description: 'Of the whole record; 0 when there is none. Also in ETag.' }),
    bindings: Type.Array(BindingView),
  },
  { title: 'Bindings' },
);

const AorParams = Type.Object({ aor: AorText });
const IfMatch = Type.Object({
  'if-match': Type.Optional(Type.String({ description: 'ETag of the version that is meant' })),
});
const IfNoneMatch = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'ETag that the client has' })),
});

/** q is stored times 1000 so that it stays an integer. */
const Q_UNIT = 1_000;

function viewOf(binding: Binding, now: EpochMs): Static<typeof BindingView> {
  return {
    id: binding.id,
    contact: shown(binding.contact),
    params: shown(binding.params),
    ...(binding.q === undefined ? {} : { q: binding.q / Q_UNIT }),
    ...(binding.instance === undefined ? {} : { instance: shown(binding.instance) }),
    ...(binding.regId === undefined ? {} : { regId: binding.regId }),
    callId: shown(binding.callId),
    cseq: binding.cseq,
    path: binding.path.map(shown),
    ...(binding.userAgent === undefined ? {} : { userAgent: shown(binding.userAgent) }),
    ...(binding.source === undefined ? {} : { source: shown(binding.source) }),
    ...(binding.reachability === undefined ? {} : { reachability: reachabilityOf(binding.reachability) }),
    registeredAt: isoTime(binding.registeredAt),
    refreshedAt: isoTime(binding.refreshedAt),
    expiresAt: isoTime(binding.expiresAt),
    expires: remaining(binding.expiresAt, now),
  };
}

function reachabilityOf({
  reachable,
  rttMs,
  at,
}: Reachability): NonNullable<Static<typeof BindingView>['reachability']> {
  return { reachable, ...(rttMs === undefined ? {} : { rttMs }), at: isoTime(at) };
}

/** The bindings of an AoR: read, and taken away. */
export function bindingRoutes(app: ApiApp, context: AdminContext): void {
  const { location, clock, users } = context.ports;

  /**
   * What the store holds for an AoR of a path. As for calls: where nobody is registered under a name that is an alias, it means its
   * user, under whose AoR the bindings stand. 404 when the token does not see the domain of either.
   */
  async function find(
    request: FastifyRequest,
    text: string,
  ): Promise<{ readonly aor: Aor; readonly snapshot: LocationSnapshot }> {
    const aor = await visibleAor(context, request, text);
    const snapshot = await location.read(aor);
    const now = clock.now();
    if (snapshot.bindings.some(({ expiresAt }) => expiresAt > now)) return { aor, snapshot };
    const user = await users.find(aor);
    if (user === undefined || user.aor === aor) return { aor, snapshot };
    mustSee(identityOf(request), aorDomain(user.aor));
    return { aor: user.aor, snapshot: await location.read(user.aor) };
  }

  app.get('/v1/aors/:aor/bindings', {
    schema: {
      tags: ['bindings'],
      summary: 'Read the bindings of an address-of-record',
      description:
        'What the store holds at this moment: a binding is here as soon as its REGISTER has its 200. An alias is answered for its user.',
      params: AorParams,
      headers: IfNoneMatch,
      response: { 200: BindingsView, 304: Nothing },
    },
    config: secured('read', ['not-found']),
    handler: async (request, reply) => {
      const { aor, snapshot } = await find(request, request.params.aor);
      const { version, bindings } = snapshot;
      const now = clock.now();
      void reply.header('etag', etagOf(version));
      if (hasVersion(request.headers['if-none-match'], version)) return reply.code(304).send(null);
      // Past its second and not yet swept: gone for everybody who asks (RFC 3261 §10.3).
      const live = bindings.filter((binding) => binding.expiresAt > now);
      return { aor: shown(aor), version, bindings: live.map((binding) => viewOf(binding, now)) };
    },
  });

  /** Deletes what is selected; 0 when nothing was. */
  async function remove(
    request: FastifyRequest,
    text: string,
    select: (binding: Binding) => boolean,
  ): Promise<number> {
    const { aor } = await find(request, text);
    const result = await deactivate(location, {
      aor,
      as: 'deactivated',
      select,
      accepts: acceptsVersion(request.headers['if-match']),
      announce: async (bindings) => {
        for (const { id, contact } of bindings) {
          await recordAct(context, request, 'binding.delete', shown(aor), `${id} ${shown(contact)}`);
        }
      },
      actor: actorOf(identityOf(request)),
      trace: context.tracing.current(),
    });
    switch (result.kind) {
      case 'removed':
        return result.bindings.length;
      case 'none':
        return 0;
      case 'other-version':
        throw new ProblemError('precondition-failed', `the version is ${etagOf(result.version)}`);
      case 'contended':
        throw new ProblemError('conflict', 'the bindings changed while they were deleted; try again');
      default:
        return assertNever(result);
    }
  }

  app.delete('/v1/aors/:aor/bindings', {
    schema: {
      tags: ['bindings'],
      summary: 'Delete every binding of an address-of-record',
      description: 'Watchers are told `deactivated` (RFC 3680 §3.6); phones register anew.',
      params: AorParams,
      headers: IfMatch,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict', 'precondition-failed']),
    handler: async (request, reply) => {
      await remove(request, request.params.aor, () => true);
      return reply.code(204).send(null);
    },
  });

  app.delete('/v1/aors/:aor/bindings/:id', {
    schema: {
      tags: ['bindings'],
      summary: 'Delete one binding',
      params: Type.Object({ aor: AorText, id: Type.String({ minLength: 1, maxLength: 255 }) }),
      headers: IfMatch,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict', 'precondition-failed']),
    handler: async (request, reply) => {
      const id = octets(request.params.id);
      const removed = await remove(request, request.params.aor, (binding) => binding.id === id);
      if (removed === 0) throw new ProblemError('not-found', 'there is no such binding');
      return reply.code(204).send(null);
    },
  });
}
