import type { FastifyRequest } from 'fastify';
import { ProblemError } from '@rollcall/http';
import type { Domain, User } from '@rollcall/location';
import { identityOf } from '../auth/access.ts';
import { mustSee } from '../auth/identity.ts';
import type { AdminContext } from '../context.ts';
import { userAor } from '../text.ts';

/** The domain of a path, if there is one and the token sees it; 404 otherwise. */
export async function domainOfPath(
  { ports }: AdminContext,
  request: FastifyRequest,
  text: string,
): Promise<Domain> {
  const name = text.toLowerCase();
  mustSee(identityOf(request), name);
  const domain = await ports.users.domains.get(name);
  if (domain === undefined) throw new ProblemError('not-found', 'there is no such domain');
  return domain;
}

/** The user of a path by their own AoR, not by an alias; 404 when there is none. */
export async function userOfPath(
  context: AdminContext,
  request: FastifyRequest & { readonly params: { readonly domain: string; readonly user: string } },
): Promise<User> {
  const domain = await domainOfPath(context, request, request.params.domain);
  const aor = userAor(request.params.user, domain.name);
  const user = await context.ports.users.find(aor);
  if (user?.aor !== aor) throw new ProblemError('not-found');
  return user;
}
