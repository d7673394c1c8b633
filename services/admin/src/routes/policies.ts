import { Type } from 'typebox';
import { ProblemError } from '@rollcall/http';
import type { ApiApp } from '@rollcall/http/api';
import type { PolicySettings, User } from '@rollcall/location';
import { policySettings } from '@rollcall/location';
import { secured } from '../auth/access.ts';
import type { AdminContext } from '../context.ts';
import { recordAct } from '../context.ts';
import { DomainName, Nothing, UserName } from '../schemas.ts';
import { shown } from '../text.ts';
import { PolicyBody, toPolicy } from './policy-schema.ts';
import { userOfPath } from './user-of-path.ts';

const UserParams = Type.Object({ domain: DomainName, user: UserName });

/** What a user's policy has that the domain's has not. */
export function policyRoutes(app: ApiApp, context: AdminContext): void {
  const { users } = context.ports;
  const url = '/v1/domains/:domain/users/:user/policy';

  app.get(url, {
    schema: {
      tags: ['policies'],
      summary: "Read what overrides the domain's policy for a user",
      params: UserParams,
      response: { 200: PolicyBody },
    },
    config: secured('read', ['not-found']),
    handler: async (request) => viewOf((await userOfPath(context, request)).policy ?? {}),
  });

  app.put(url, {
    schema: {
      tags: ['policies'],
      summary: "Replace what overrides the domain's policy for a user",
      description: 'In force with the next request, everywhere. What is left out is unset.',
      params: UserParams,
      body: PolicyBody,
      response: { 200: PolicyBody },
    },
    config: secured('write', ['not-found']),
    handler: async (request) => {
      const user = await userOfPath(context, request);
      const policy = toPolicy(request.body);
      await recordAct(context, request, 'policy.put', shown(user.aor));
      await users.put({ ...user, policy });
      return viewOf(policy);
    },
  });

  app.delete(url, {
    schema: {
      tags: ['policies'],
      summary: "Let the domain's policy hold for a user",
      params: UserParams,
      response: { 204: Nothing },
    },
    config: secured('write', ['not-found']),
    handler: async (request, reply) => {
      const { policy, ...user }: User = await userOfPath(context, request);
      if (policy === undefined) throw new ProblemError('not-found');
      await recordAct(context, request, 'policy.delete', shown(user.aor));
      await users.put(user);
      return reply.code(204).send(null);
    },
  });
}

/** A copy that JSON may be made of; its lists belong to nobody else. */
const viewOf = (settings: PolicySettings) => structuredClone(policySettings(settings)) as MutablePolicy;

type MutablePolicy = { -readonly [K in keyof PolicySettings]: Unlocked<PolicySettings[K]> };
type Unlocked<T> = T extends readonly (infer Item)[] ? Item[] : T;
