import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ProblemId } from '@rollcall/http';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { ApiScope } from '@rollcall/location';
import type { Identity } from './identity.ts';
import type { Tokens } from './tokens.ts';

/** What a route wants of the token. */
interface Access {
  readonly scope: ApiScope;
  /** Only a token that sees every domain will do. */
  readonly everyDomain: boolean;
}

interface RouteConfig {
  readonly access?: Access;
}

/** Each scope includes those below it. */
const RANK: Readonly<Record<ApiScope, number>> = { read: 0, trace: 1, write: 2 };

const ALWAYS: readonly ProblemId[] = ['unauthorized', 'store-unavailable'];

/** The `config` of a route that wants a token: which problems it may answer, and what the token must be good for. */
export function secured(
  scope: ApiScope,
  problems: readonly ProblemId[] = [],
  more: { everyDomain?: boolean } = {},
): object {
  const everyDomain = more.everyDomain ?? false;
  const forbidden: readonly ProblemId[] = scope !== 'read' || everyDomain ? ['forbidden'] : [];
  return {
    api: { problems: [...ALWAYS, ...forbidden, ...problems] },
    access: { scope, everyDomain } satisfies Access,
  };
}

/** The `config` of a route that anybody may read. */
export const open = (problems: readonly ProblemId[] = []): object => ({ api: { problems } });

const IDENTITY = 'identity';
/** Who is asking; only in handlers of secured routes. */
export const identityOf = (request: FastifyRequest): Identity => request.getDecorator<Identity>(IDENTITY);

// RFC 6750 §2.1: `Authorization: Bearer b64token`; the scheme without case (RFC 9110 §11.1).
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;
const unauthorized = (error?: string): ProblemError =>
  new ProblemError('unauthorized', undefined, {
    headers: {
      'www-authenticate': `Bearer realm="rollcall"${error === undefined ? '' : `, error="${error}"`}`,
    },
  });

async function check(request: FastifyRequest, tokens: Tokens): Promise<void> {
  const { access } = request.routeOptions.config as RouteConfig;
  if (access === undefined) return;
  const header = request.headers.authorization;
  if (header === undefined) throw unauthorized();
  const token = BEARER.exec(header)?.[1];
  const identity = token === undefined ? undefined : await tokens.identify(token);
  if (identity === undefined) throw unauthorized('invalid_token');
  const tooNarrow = access.everyDomain && identity.domains !== undefined;
  if (tooNarrow || RANK[identity.scope] < RANK[access.scope]) {
    const challenge = `Bearer realm="rollcall", error="insufficient_scope", scope="${access.scope}"`;
    throw new ProblemError(
      'forbidden',
      tooNarrow ? 'the token is bound to some domains' : `the token may only ${identity.scope}`,
      {
        headers: { 'www-authenticate': challenge },
      },
    );
  }
  request.setDecorator(IDENTITY, identity);
}

/** Asks every secured route for a token before its body is read. */
export function guard(app: ApiApp, tokens: Tokens): void {
  app.decorateRequest(IDENTITY, null);
  app.addHook('onRequest', async (request: FastifyRequest, _reply: FastifyReply) => {
    await check(request, tokens);
  });
}
