import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { assertedIdentities, grantedIdentity, refuse } from '@rollcall/registration';
import type { DomainNames, Refusal, RegisterIntent } from '@rollcall/registration';
import type { SipRequest } from '@rollcall/sip';
import type { RegistrarUsers } from './ports.ts';

/** Says who may register an AoR: its owner, or a third party with a grant (RFC 3261 §10.2, §10.3 steps 3 to 5). */
export class Authorizer {
  constructor(
    private readonly users: RegistrarUsers,
    private readonly domains: DomainNames,
  ) {}

  /**
   * The value is the third party that acts, or undefined for the owner. An AoR that does not exist is 404 for whoever has
   * a valid identity. Throws `StoreUnavailable`.
   */
  async authorize(request: SipRequest, intent: RegisterIntent): Promise<Result<Aor | undefined, Refusal>> {
    const identities = assertedIdentities(request, intent.domain, this.domains);
    if (identities.length === 0) return err(refuse('no-identity', 'no identity is asserted'));
    if (identities.includes(intent.aor)) return ok(undefined);
    const user = await this.users.find(intent.aor);
    if (user === undefined) return err(refuse('unknown-aor', `${intent.aor} does not exist`));
    const actor = grantedIdentity(identities, await this.users.grants.get(intent.aor));
    if (actor !== undefined) return ok(actor);
    return err(refuse('not-allowed', `${identities.join(', ')} has no grant for ${intent.aor}`));
  }
}
