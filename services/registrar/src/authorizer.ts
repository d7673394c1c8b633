import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { aorDomain } from '@rollcall/location';
import type { Aor, Policy } from '@rollcall/location';
import { assertedIdentities, grantedIdentity, refuse } from '@rollcall/registration';
import type { Refusal, RegisterIntent } from '@rollcall/registration';
import type { SipRequest } from '@rollcall/sip';
import type { DomainTable } from './domain-table.ts';
import type { RegistrarUsers } from './ports.ts';

/** What a REGISTER may do. */
export interface Permission {
  /** Where its bindings stand: the AoR of To, or the one of which that is an alias. */
  readonly aor: Aor;
  /** The identity that acts under a grant; undefined for the owner. */
  readonly thirdParty: Aor | undefined;
  /** The policy of the AoR where its user has been looked up; undefined: what is known already holds. */
  readonly policy: Policy | undefined;
}

/** Says who may register an AoR: its owner, or a third party with a grant (RFC 3261 §10.2, §10.3 steps 3 to 5). */
export class Authorizer {
  constructor(
    private readonly users: RegistrarUsers,
    private readonly domains: DomainTable,
  ) {}

  /**
   * Whoever has a valid identity is told of an AoR that does not exist (404). A user is looked up only where the asserted identity
   * is not the AoR itself. Throws `StoreUnavailable`.
   */
  async authorize(request: SipRequest, intent: RegisterIntent): Promise<Result<Permission, Refusal>> {
    const identities = assertedIdentities(request, intent.domain, this.domains);
    if (identities.length === 0) return err(refuse('no-identity', 'no identity is asserted'));
    if (identities.includes(intent.aor))
      return ok({ aor: intent.aor, thirdParty: undefined, policy: undefined });
    const user = await this.users.find(intent.aor);
    if (user === undefined) return err(refuse('unknown-aor', `${intent.aor} does not exist`));
    const { aor } = user;
    const settings = user.policy;
    const domain = aorDomain(aor) ?? intent.domain;
    const policy =
      settings === undefined ? this.domains.policy(domain) : this.domains.userPolicy(domain, settings);
    if (identities.includes(aor)) return ok({ aor, thirdParty: undefined, policy });
    const granted = policy.thirdParty ? await this.users.grants.get(aor) : [];
    const actor = grantedIdentity(identities, granted);
    if (actor !== undefined) return ok({ aor, thirdParty: actor, policy });
    return err(refuse('not-allowed', `${identities.join(', ')} has no grant for ${aor}`));
  }
}
