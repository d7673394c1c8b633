import { seconds } from '@rollcall/kernel';
import type { Domain, Domains } from '@rollcall/location';
import type { DomainNames, RegistrationPolicy } from '@rollcall/registration';
import type { RegistrarLog } from './ports.ts';

const RETRY_MS = 1000;

/** The domains that are ours, by every name that they have, with the policy of each; read again when one changes. */
export class DomainTable implements DomainNames {
  #canonical = new Map<string, string>();
  #policies = new Map<string, RegistrationPolicy>();
  #aliases = new Map<string, string>();
  #ready = false;
  #stopped = false;
  #reading = false;
  /** Counts what asked for a reading; one that ends behind it is followed by another. */
  #asked = 0;
  #unsubscribe: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: Pick<Domains, 'list' | 'onChange'>,
    private readonly usual: RegistrationPolicy,
    private readonly log: RegistrarLog,
  ) {}

  /** False until the list has been read once: until then nobody can be told that a domain is not ours. */
  get ready(): boolean {
    return this.#ready;
  }

  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases;
  }

  canonical(host: string): string | undefined {
    return this.#canonical.get(host) ?? this.#canonical.get(host.toLowerCase());
  }

  /** The policy of a domain by its canonical name. */
  policy(domain: string): RegistrationPolicy {
    return this.#policies.get(domain) ?? this.usual;
  }

  start(): void {
    this.#unsubscribe = this.source.onChange(() => {
      void this.#read();
    });
    void this.#read();
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe?.();
    clearTimeout(this.#retry);
  }

  /** Reads the list, one reading at a time; a change meanwhile is followed by another. */
  async #read(): Promise<void> {
    this.#asked += 1;
    if (this.#reading) return;
    this.#reading = true;
    for (let read = 0; read !== this.#asked && !this.#stopped;) {
      read = this.#asked;
      await this.#readOnce();
    }
    this.#reading = false;
  }

  async #readOnce(): Promise<void> {
    try {
      this.#replace(await this.source.list());
      this.#ready = true;
    } catch (error) {
      this.log.debug({ error: String(error) }, 'the domains could not be read, trying again');
      this.#retry = setTimeout(() => void this.#read(), RETRY_MS);
    }
  }

  #replace(domains: readonly Domain[]): void {
    const canonical = new Map<string, string>();
    const policies = new Map<string, RegistrationPolicy>();
    const aliases = new Map<string, string>();
    for (const domain of domains) {
      for (const alias of domain.aliases ?? []) {
        aliases.set(alias.toLowerCase(), domain.name);
        canonical.set(alias.toLowerCase(), domain.name);
      }
      canonical.set(domain.name.toLowerCase(), domain.name);
      policies.set(domain.name, domainPolicy(domain, this.usual));
    }
    this.#canonical = canonical;
    this.#policies = policies;
    this.#aliases = aliases;
  }
}

function domainPolicy(domain: Domain, usual: RegistrationPolicy): RegistrationPolicy {
  const minExpires = domain.minExpires ?? usual.minExpires;
  const maxExpires = Math.max(minExpires, domain.maxExpires ?? usual.maxExpires);
  const asked = domain.defaultExpires ?? usual.defaultExpires;
  return {
    ...usual,
    minExpires: seconds(minExpires),
    maxExpires: seconds(maxExpires),
    // Set apart from each other, the three may contradict; the default then gives way.
    defaultExpires: seconds(Math.min(maxExpires, Math.max(minExpires, asked))),
    maxBindings: domain.maxContacts ?? usual.maxBindings,
  };
}
