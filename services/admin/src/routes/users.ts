import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { ALGORITHMS, ha1Set } from '@rollcall/digest';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { Aor, Domain, StoredHa1, User } from '@rollcall/location';
import { identityOf, secured } from '../auth/access.ts';
import { actorOf } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { recordAct } from '../context.ts';
import { deactivate } from '../deactivate.ts';
import {
  AorText,
  DomainName,
  fromCursor,
  NextCursor,
  Nothing,
  PageQuery,
  toCursor,
  UserName,
} from '../schemas.ts';
import { octets, shown, userAor, userOf } from '../text.ts';
import { MAX_ALIASES, readAlias } from './aliases.ts';
import { PolicyBody, toPolicy } from './policy-schema.ts';
import { domainOfPath, userOfPath } from './user-of-path.ts';

const Ha1 = (digits: number) => Type.Optional(Type.String({ pattern: `^[0-9a-f]{${String(digits)}}$` }));

// A colon ends the user name inside H(A1) (RFC 7616 §3.4.2); controls and quotes have no place in the header that carries it.
const AUTH_USER = '^[^:"\\\\\\u0000-\\u001f\\u007f]+$';
const AuthUser = Type.String({ minLength: 1, maxLength: 255, pattern: AUTH_USER });

const UserBody = Type.Object(
  {
    password: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_024,
        description: 'Kept only as hashes, one for each digest algorithm; never readable',
      }),
    ),
    ha1: Type.Optional(
      Type.Object(
        { 'SHA-512-256': Ha1(64), 'SHA-256': Ha1(64), MD5: Ha1(32) },
        {
          additionalProperties: false,
          minProperties: 1,
          description: 'H(A1) values instead of a password (RFC 7616 §3.4.2)',
        },
      ),
    ),
    authUser: Type.Optional(AuthUser),
    enabled: Type.Optional(
      Type.Boolean({
        description: 'A disabled user is refused like an unknown one, and loses their bindings',
      }),
    ),
    displayName: Type.Optional(Type.String({ maxLength: 255, description: 'For operators only' })),
    aliases: Type.Optional(
      Type.Array(AorText, {
        maxItems: MAX_ALIASES,
        uniqueItems: true,
        description: 'Other addresses-of-record that mean this user',
      }),
    ),
    policy: Type.Optional(PolicyBody),
  },
  {
    additionalProperties: false,
    title: 'UserSettings',
    description:
      'A new user needs a password or ha1; without one, an existing user keeps what they have. Whatever else is left out is unset.',
  },
);

const UserView = Type.Object(
  {
    aor: Type.String(),
    user: UserName,
    domain: DomainName,
    authUser: Type.String({ description: 'Digest username' }),
    realm: Type.String(),
    enabled: Type.Boolean(),
    displayName: Type.Optional(Type.String()),
    algorithms: Type.Array(Type.String(), { description: 'Digest algorithms that the user can answer with' }),
    aliases: Type.Optional(Type.Array(Type.String())),
    policy: Type.Optional(PolicyBody),
  },
  { title: 'User' },
);

const UserParams = Type.Object({ domain: DomainName, user: UserName });

function viewOf(domain: string, user: User): Static<typeof UserView> {
  return {
    aor: shown(user.aor),
    user: shown(userOf(user.aor)),
    domain,
    authUser: shown(user.authUser),
    realm: user.realm,
    enabled: user.enabled,
    ...(user.displayName === undefined ? {} : { displayName: user.displayName }),
    algorithms: ALGORITHMS.filter((algorithm) => user.ha1[algorithm] !== undefined),
    ...(user.aliases === undefined ? {} : { aliases: user.aliases.map(shown) }),
    ...(user.policy === undefined
      ? {}
      : { policy: structuredClone(user.policy) as Static<typeof PolicyBody> }),
  };
}

function credentials(
  body: Static<typeof UserBody>,
  authUser: string,
  realm: string,
  before: User | undefined,
): StoredHa1 {
  if (body.password !== undefined && body.ha1 !== undefined) {
    throw new ProblemError('invalid-request', 'password and ha1 exclude each other');
  }
  if (body.password !== undefined) return ha1Set(authUser, realm, body.password);
  if (body.ha1 !== undefined) return body.ha1;
  if (before === undefined) throw new ProblemError('invalid-request', 'a new user needs a password or ha1');
  if (before.authUser !== octets(authUser) || before.realm !== realm) {
    throw new ProblemError('invalid-request', 'another authUser or realm needs the password anew');
  }
  return before.ha1;
}

function toUser(domain: Domain, name: string, body: Static<typeof UserBody>, before: User | undefined): User {
  const authUser = body.authUser ?? name;
  const realm = domain.realm ?? domain.name;
  if (!new RegExp(AUTH_USER).test(authUser)) {
    throw new ProblemError(
      'invalid-request',
      'this user needs an authUser of its own: no colon, quote or control character',
    );
  }
  return {
    aor: userAor(name, domain.name),
    authUser: octets(authUser),
    realm,
    ha1: credentials(body, authUser, realm, before),
    enabled: body.enabled ?? true,
    ...(body.displayName === undefined ? {} : { displayName: body.displayName }),
    ...(body.policy === undefined ? {} : { policy: toPolicy(body.policy) }),
  };
}

/** The users of a domain. */
export function userRoutes(app: ApiApp, context: AdminContext): void {
  const { users } = context.ports;

  /** The user with their aliases, each in its one spelling. */
  async function withAliases(
    request: FastifyRequest,
    user: User,
    home: string,
    texts: readonly string[] | undefined,
  ): Promise<User> {
    if (texts === undefined || texts.length === 0) return user;
    const aliases = await Promise.all(texts.map((text) => readAlias(context, request, text, home)));
    return { ...user, aliases: [...new Set(aliases)].filter((alias) => alias !== user.aor) };
  }

  /** Who may not register is not called either. After the edges know of it, or a refresh could still come between. */
  async function release(request: FastifyRequest, aor: Aor): Promise<void> {
    const result = await deactivate(context.ports.location, {
      aor,
      as: 'rejected',
      select: () => true,
      accepts: () => true,
      announce: async (bindings) => {
        for (const { id, contact } of bindings)
          await recordAct(context, request, 'binding.delete', shown(aor), `${id} ${shown(contact)}`);
      },
      actor: actorOf(identityOf(request)),
      trace: context.tracing.current(),
    });
    if (result.kind === 'contended')
      throw new ProblemError('conflict', 'the bindings changed while they were deleted; try again');
  }

  app.get('/v1/domains/:domain/users', {
    schema: {
      tags: ['users'],
      summary: 'List the users of a domain',
      params: Type.Object({ domain: DomainName }),
      querystring: PageQuery,
      response: { 200: Type.Object({ items: Type.Array(UserView), cursor: NextCursor }) },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const domain = await domainOfPath(context, request, request.params.domain);
      const page = await users.list(domain.name, fromCursor(request.query.cursor), request.query.limit);
      return { items: page.items.map((user) => viewOf(domain.name, user)), ...toCursor(page.cursor) };
    },
  });

  app.get('/v1/domains/:domain/users/:user', {
    schema: { tags: ['users'], summary: 'Read a user', params: UserParams, response: { 200: UserView } },
    config: secured('read', ['not-found']),
    handler: async (request) => {
      const user = await userOfPath(context, request);
      return viewOf(request.params.domain.toLowerCase(), user);
    },
  });

  app.put('/v1/domains/:domain/users/:user', {
    schema: {
      tags: ['users'],
      summary: 'Create or replace a user',
      description: 'In force at once in every edge.',
      params: UserParams,
      body: UserBody,
      response: { 200: UserView, 201: UserView },
    },
    config: secured('write', ['not-found', 'conflict']),
    handler: async (request, reply) => {
      const domain = await domainOfPath(context, request, request.params.domain);
      const aor = userAor(request.params.user, domain.name);
      const before = await users.find(aor);
      if (before !== undefined && before.aor !== aor)
        throw new ProblemError('conflict', `this is an alias of ${shown(before.aor)}`);
      const plain = toUser(domain, request.params.user, request.body, before);
      const user = await withAliases(request, plain, domain.name, request.body.aliases);
      const namesake = await users.findByCredentials(user.realm, user.authUser);
      if (namesake !== undefined && namesake.aor !== user.aor) {
        throw new ProblemError('conflict', 'another user has this authUser');
      }
      await recordAct(context, request, 'user.put', shown(user.aor));
      await users.put(user);
      if (!user.enabled) await release(request, user.aor);
      return reply.code(before === undefined ? 201 : 200).send(viewOf(domain.name, user));
    },
  });

  app.delete('/v1/domains/:domain/users/:user', {
    schema: {
      tags: ['users'],
      summary: 'Delete a user',
      description:
        'Their bindings go first; watchers are told `rejected` (RFC 3680 §3.6). After a 503 or 409 the user may be left disabled: delete them again.',
      params: UserParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found', 'conflict']),
    handler: async (request, reply) => {
      const user = await userOfPath(context, request);
      const { aor } = user;
      await recordAct(context, request, 'user.delete', shown(aor));
      // The user goes last: whatever ends this in between, what is left is a user who is disabled and can be deleted again.
      if (user.enabled) await users.put({ ...user, enabled: false });
      await release(request, aor);
      if (!(await users.remove(aor))) throw new ProblemError('not-found');
      return reply.code(204).send(null);
    },
  });
}
