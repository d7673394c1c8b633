import { canonicalAor } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { DomainNames } from './read-register.ts';

/** Who asks, as the edge has authenticated them: the AoRs of P-Asserted-Identity (RFC 3325 §9.1: at most a SIP and a tel URI). */
export function assertedIdentities(
  request: SipRequest,
  domain: string,
  domains: Pick<DomainNames, 'aliases'>,
): readonly Aor[] {
  const asserted = request.assertedIdentities();
  if (!asserted.ok) return [];
  const identities: Aor[] = [];
  for (const { uri } of asserted.value) {
    const aor = canonicalAor(uri, { domainAliases: domains.aliases, telDomain: domain });
    if (aor.ok) identities.push(aor.value);
  }
  return identities;
}

/** True when the edge asserts the AoR's owner and nobody else: nearly every REGISTER, told without reading the header. */
export function isAssertedOwner(request: SipRequest, aor: Aor): boolean {
  const asserted = request.header('p-asserted-identity');
  return asserted?.length === aor.length + 2 && asserted === `<${aor}>`;
}

/** The identity that may register `aor` by a grant; undefined when none may (RFC 3261 §10.3 step 4). */
export function grantedIdentity(identities: readonly Aor[], granted: readonly Aor[]): Aor | undefined {
  return identities.find((identity) => granted.includes(identity));
}
