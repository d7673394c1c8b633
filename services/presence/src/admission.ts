import { BoundedMap } from '@rollcall/kernel';
import { refusal } from '@rollcall/events';
import type { EventPackage, Refusal } from '@rollcall/events';
import { aorDomain } from '@rollcall/location';
import type { Aor, Domain, UserDirectory } from '@rollcall/location';

/** The parts of `UserDirectory` that admission asks. */
export type AdmissionDirectory = Pick<UserDirectory, 'find' | 'onChange'> & {
  readonly domains: Pick<UserDirectory['domains'], 'list' | 'onChange'>;
  readonly grants: Pick<UserDirectory['grants'], 'get'>;
};

const KEPT_USERS = 100_000;

/**
 * Which resources exist and who may subscribe to them or publish for them. Users and domains are kept in memory and
 * forgotten when they change; grants are asked for each time, since only third parties need one.
 */
export class Admission {
  readonly #users = new BoundedMap<Aor, boolean>(KEPT_USERS);
  #domains: Promise<DomainNames> | undefined;
  #names: DomainNames | undefined;
  /** Counts invalidations: an answer that was asked for before one is not kept. */
  #epoch = 0;

  constructor(private readonly directory: AdmissionDirectory) {
    directory.onChange((aor) => {
      this.#epoch += 1;
      if (aor === undefined) this.#users.clear();
      else this.#users.delete(aor);
    });
    directory.domains.onChange(() => {
      this.#domains = undefined;
      this.#names = undefined;
    });
  }

  get keptUsers(): { readonly size: number; readonly limit: number } {
    return { size: this.#users.size, limit: this.#users.limit };
  }

  /** Other names of our domains, for making AoRs canonical; asked once and kept. Throws `StoreUnavailable`. */
  aliases(): ReadonlyMap<string, string> | Promise<ReadonlyMap<string, string>> {
    return this.#names?.aliases ?? this.#readDomains().then((names) => names.aliases);
  }

  /** Undefined when `watcher` may subscribe to the resource (RFC 6665 §4.2.1.3). Throws `StoreUnavailable`. */
  async subscriber(watcher: Aor, resource: Aor, wanted: EventPackage): Promise<Refusal | undefined> {
    if (!(await this.#exists(resource))) return refusal('no-such-resource');
    return wanted.audience === 'anybody' ? undefined : this.#ownerOrGranted(watcher, resource);
  }

  /** Undefined when `publisher` may publish for the resource (RFC 3903 §14.1). Throws `StoreUnavailable`. */
  async publisher(publisher: Aor, resource: Aor): Promise<Refusal | undefined> {
    if (!(await this.#exists(resource))) return refusal('no-such-resource');
    return this.#ownerOrGranted(publisher, resource);
  }

  async #ownerOrGranted(identity: Aor, resource: Aor): Promise<Refusal | undefined> {
    if (identity === resource) return undefined;
    const granted = await this.directory.grants.get(resource);
    return granted.includes(identity) ? undefined : refusal('not-allowed');
  }

  async #exists(resource: Aor): Promise<boolean> {
    const names = this.#names ?? (await this.#readDomains());
    const domain = aorDomain(resource);
    if (domain === undefined || !names.known.has(domain)) return false;
    const kept = this.#users.get(resource);
    if (kept !== undefined) return kept;
    const epoch = this.#epoch;
    const found = (await this.directory.find(resource)) !== undefined;
    if (epoch === this.#epoch) this.#users.set(resource, found);
    return found;
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
  readonly known: ReadonlySet<string>;
  readonly aliases: ReadonlyMap<string, string>;
}

function namesOf(domains: readonly Domain[]): DomainNames {
  const aliases = new Map<string, string>();
  for (const { name, aliases: others } of domains) for (const alias of others ?? []) aliases.set(alias, name);
  return { known: new Set(domains.map(({ name }) => name)), aliases };
}
