import { aorDomain, canonicalAor } from '@rollcall/location';
import type { Aor, User, UserDirectory } from '@rollcall/location';
import type { SipRequest, Uri } from '@rollcall/sip';
import type { DomainTable } from './domain-table.ts';
import type { RefusalName } from './refusals.ts';

/** What is asked where From is not the sender's own address. Both throw when the store is away. */
export interface SenderSource {
  find(aor: Aor): Promise<User | undefined>;
  readonly grants: Pick<UserDirectory['grants'], 'get'>;
}

/** Grants asked for at one time (invariant 9). */
export const MAX_ASKED = 4_096;
/** RFC 3261 §8.1.1.3, RFC 3323 §4.1.1.3: who stays unnamed writes this host. */
const UNNAMED = 'anonymous.invalid';

/**
 * Where the user's policy or their domain's says `from: own`: From names the authenticated user, one of their aliases, or an
 * address that they have a grant for; REGISTER is the registrar's.
 */
export class SenderCheck {
  #asked = 0;

  constructor(
    private readonly source: SenderSource,
    private readonly domains: DomainTable,
  ) {}

  /** Lookups that are under way. */
  get asked(): number {
    return this.#asked;
  }

  /** Calls with undefined when the request may be sent, else with how it is refused; mostly at once. */
  check(request: SipRequest, user: User, done: (refusal: RefusalName | undefined) => void): void {
    if (request.method === 'REGISTER' || this.#allowsAny(user)) {
      done(undefined);
      return;
    }
    const from = request.from();
    if (!from.ok) {
      done('foreignFrom');
      return;
    }
    const { uri, uriText } = from.value;
    const named = uriText === user.aor || isUnnamed(uri) ? user.aor : this.#named(uri, user);
    if (named === undefined) done('foreignFrom');
    else if (isOwn(named, uri, user)) done(undefined);
    else this.#ask(named, user, done);
  }

  #allowsAny({ policy, aor }: User): boolean {
    const rule = policy?.from ?? this.domains.get(aorDomain(aor) ?? '')?.from;
    return rule !== 'own';
  }

  /** A telephone number is at home in the user's domain. */
  #named(uri: Uri, { aor }: User): Aor | undefined {
    const telDomain = aorDomain(aor);
    const named = canonicalAor(uri, {
      domainAliases: this.domains.aliases,
      ...(telDomain === undefined ? undefined : { telDomain }),
    });
    return named.ok ? named.value : undefined;
  }

  #ask(named: Aor, user: User, done: (refusal: RefusalName | undefined) => void): void {
    const domain = aorDomain(named);
    if (domain === undefined || this.domains.get(domain) === undefined) {
      done('foreignFrom');
      return;
    }
    if (this.#asked >= MAX_ASKED) {
      done('overload');
      return;
    }
    this.#asked += 1;
    this.#isGranted(named, user.aor).then(
      (granted) => {
        this.#asked -= 1;
        done(granted ? undefined : 'foreignFrom');
      },
      () => {
        this.#asked -= 1;
        done('storeAway');
      },
    );
  }

  async #isGranted(named: Aor, identity: Aor): Promise<boolean> {
    const owner = await this.source.find(named);
    if (owner === undefined) return false;
    const ruled = owner.policy?.thirdParty ?? this.domains.get(aorDomain(owner.aor) ?? '')?.thirdParty;
    if (ruled === false) return false;
    return (await this.source.grants.get(owner.aor)).includes(identity);
  }
}

const isUnnamed = (uri: Uri): boolean => uri.kind === 'sip' && uri.host.toLowerCase() === UNNAMED;

/** Aliases stand as they were given: that of a number may be a `tel:` one. */
function isOwn(named: Aor, uri: Uri, { aor, aliases }: User): boolean {
  if (named === aor) return true;
  if (aliases === undefined) return false;
  if (aliases.includes(named)) return true;
  const bare = uri.kind === 'tel' ? canonicalAor(uri) : undefined;
  return bare?.ok === true && aliases.includes(bare.value);
}
