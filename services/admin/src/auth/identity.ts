import { ProblemError } from '@rollcall/http';
import type { ApiScope } from '@rollcall/location';

/** Who is asking, by the token. */
export interface Identity {
  /** The token's id; `root` for ROLLCALL_ADMIN_TOKEN. */
  readonly id: string;
  readonly scope: ApiScope;
  /** The domains that the token sees; undefined: all. */
  readonly domains: ReadonlySet<string> | undefined;
}

/** The name that streams and the audit log have for an identity. */
export const actorOf = (identity: Identity): string => `admin:${identity.id}`;

/** Another tenant's domain does not exist for this token: 404, not 403, so that nobody can ask which domains there are. */
export function mustSee(identity: Identity, domain: string | undefined): void {
  if (identity.domains === undefined) return;
  if (domain === undefined || !identity.domains.has(domain)) throw new ProblemError('not-found');
}

export function sees(identity: Identity, domain: string | undefined): boolean {
  return identity.domains === undefined || (domain !== undefined && identity.domains.has(domain));
}
