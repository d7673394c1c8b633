import { BoundedMap } from '@rollcall/kernel';
import { refusal } from '@rollcall/events';
import type { EventPackage, Refusal, RuleAction } from '@rollcall/events';
import { aorDomain } from '@rollcall/location';
import type { Aor, Domain, UserDirectory } from '@rollcall/location';

/** The parts of `UserDirectory` that admission asks. */
export type AdmissionDirectory = Pick<UserDirectory, 'find' | 'onChange'> & {
  readonly domains: Pick<UserDirectory['domains'], 'list' | 'onChange'>;
  readonly grants: Pick<UserDirectory['grants'], 'get'>;
};

/** A resource that there is. */
export interface Found {
  /** Its primary address-of-record, under which everything of it is stored. */
  readonly aor: Aor;
  /** What holds for watchers who no rule of the user names. */
  readonly watchers: RuleAction;
}

const KEPT_USERS = 100_000;
/** Where neither the user nor the domain says otherwise: whoever has proved who they are may watch. */
const DEFAULT_WATCHERS: RuleAction = 'allow';

/** Undefined as a value of the cache: there is no such user. */
type Kept = { readonly found: { readonly aor: Aor; readonly watchers: RuleAction | undefined } | undefined };

/**
 * Which resources exist and who may subscribe to them or publish for them. Users and domains are kept in memory and
 * forgotten when they change; grants are asked for each time, since only third parties need one.
 */
export class Admission {
  readonly #users = new BoundedMap<Aor, Kept>(KEPT_USERS);
  #domains: Promise<DomainNames> | undefined;
  #names: DomainNames | undefined;
  /** Counts invalidations: an answer that was asked for before one is not kept. */
  #epoch = 0;
  #onUser: (aor: Aor) => void = () => undefined;

  constructor(private readonly directory: AdmissionDirectory) {
    directory.onChange((aor) => {
      this.#epoch += 1;
      if (aor === undefined) this.#users.clear();
      else if (this.#users.delete(aor)) this.#onUser(aor);
    });
    directory.domains.onChange(() => {
      this.#domains = undefined;
      this.#names = undefined;
    });
  }

  /** Calls when a user that has been asked for here changes or goes: their policy may be another. */
  onUser(listener: (aor: Aor) => void): void {
    this.#onUser = listener;
  }

  get keptUsers(): { readonly size: number; readonly limit: number } {
    return { size: this.#users.size, limit: this.#users.limit };
  }

  /** Other names of our domains, for making AoRs canonical; asked once and kept. Throws `StoreUnavailable`. */
  aliases(): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>> {
    return this.#names?.aliases ?? this.#readDomains().then((names) => names.aliases);
  }

  /** The user of an address, or of an alias. A kept answer comes back without a turn in between. Throws `StoreUnavailable`. */
  find(resource: Aor): Found | undefined | Promise<Found | undefined> {
    // Not made young: with so many the order would cost more than asking for one of them anew.
    const kept = this.#names === undefined ? undefined : this.#users.peek(resource);
    if (kept === undefined || this.#names === undefined) return this.#ask(resource);
    return foundIn(kept, this.#names, resource);
  }

  /** The domain is ours, whoever may be at home in it. Throws `StoreUnavailable`. */
  async isOurs(resource: Aor): Promise<boolean> {
    const names = this.#names ?? (await this.#readDomains());
    return names.known.has(aorDomain(resource) ?? '');
  }

  /** Undefined when `watcher` may ask for the package at all; what they then see, rules say (RFC 6665 §4.2.1.3). */
  async audience(watcher: Aor, resource: Aor, wanted: EventPackage): Promise<Refusal | undefined> {
    return wanted.audience === 'anybody' ? undefined : this.ownerOrGranted(watcher, resource);
  }

  /** Undefined for the owner of a resource and those with a grant for it. Throws `StoreUnavailable`. */
  async ownerOrGranted(identity: string, resource: Aor): Promise<Refusal | undefined> {
    if (identity === resource) return undefined;
    const granted = await this.directory.grants.get(resource);
    return granted.includes(identity as Aor) ? undefined : refusal('not-allowed');
  }

  async #ask(resource: Aor): Promise<Found | undefined> {
    const names = this.#names ?? (await this.#readDomains());
    const domain = aorDomain(resource);
    if (domain === undefined || !names.known.has(domain)) return undefined;
    const kept = this.#users.peek(resource);
    if (kept !== undefined) return foundIn(kept, names, resource);
    const epoch = this.#epoch;
    const user = await this.directory.find(resource);
    const fresh: Kept = {
      found: user === undefined ? undefined : { aor: user.aor, watchers: user.policy?.watchers },
    };
    // An alias is not kept: a change is told under the primary name alone.
    const ownName = user === undefined || user.aor === resource;
    if (ownName && epoch === this.#epoch) this.#users.set(resource, fresh);
    return foundIn(fresh, names, resource);
  }

  async #readDomains(): Promise<DomainNames> {
    const asked = (this.#domains ??= this.directory.domains.list().then(namesOf));
    try {
      const names = await asked;
      if (this.#domains === asked) this.#names = names;
      return names;
    } catch (error) {
      if (this.#domains === asked) this.#domains = undefined;
      throw error;
    }
  }
}

interface DomainNames {
  /** Our domains, with what they say of watchers. */
  readonly known: ReadonlyMap<string, RuleAction>;
  readonly aliases: ReadonlyMap<string, string>;
}

function foundIn({ found }: Kept, { known }: DomainNames, resource: Aor): Found | undefined {
  const ofDomain = known.get(aorDomain(resource) ?? '');
  if (found === undefined || ofDomain === undefined) return undefined;
  return { aor: found.aor, watchers: found.watchers ?? ofDomain };
}

function namesOf(domains: readonly Domain[]): DomainNames {
  const aliases = new Map<string, string>();
  for (const { name, aliases: others } of domains) for (const alias of others ?? []) aliases.set(alias, name);
  const known = new Map(domains.map(({ name, watchers }) => [name, watchers ?? DEFAULT_WATCHERS]));
  return { known, aliases };
}
