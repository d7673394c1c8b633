import { BoundedMap } from '@rollcall/kernel';
import type { Timers } from '@rollcall/kernel';
import { DomainFeed, effectivePolicy } from '@rollcall/location';
import type { Domain, DomainSource, Policy, PolicySettings } from '@rollcall/location';
import type { DomainNames } from '@rollcall/registration';
import type { RegistrarLog } from './ports.ts';

/** Policies of users that are kept: they come as text with their requests, and mostly the same ones. */
const KEPT_POLICIES = 4096;

/** The domains that are ours, by every name that they have, with the policy of each; read again when one changes. */
export class DomainTable implements DomainNames {
  #canonical = new Map<string, string>();
  #policies = new Map<string, Policy>();
  #settings = new Map<string, Domain>();
  readonly #ofUsers = new BoundedMap<string, Policy>(KEPT_POLICIES);
  #aliases = new Map<string, string>();
  readonly #feed: DomainFeed;

  constructor(
    source: DomainSource,
    timers: Timers,
    private readonly usual: Policy,
    private readonly log: RegistrarLog,
  ) {
    this.#feed = new DomainFeed(
      source,
      timers,
      (domains) => {
        this.#replace(domains);
      },
      (error) => {
        log.debug({ error: String(error) }, 'the domains could not be read, trying again');
      },
    );
  }

  /** False until the list has been read once: until then nobody can be told that a domain is not ours. */
  get ready(): boolean {
    return this.#feed.ready;
  }

  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases;
  }

  canonical(host: string): string | undefined {
    return this.#canonical.get(host) ?? this.#canonical.get(host.toLowerCase());
  }

  /** The policy of a domain by its canonical name. */
  policy(domain: string): Policy {
    return this.#policies.get(domain) ?? this.usual;
  }

  /** The policy of a user of a domain who has settings of their own. */
  userPolicy(domain: string, settings: PolicySettings): Policy {
    return effectivePolicy(this.usual, this.#settings.get(domain), settings);
  }

  /** The same for settings as JSON, as the edge hands them on; the domain's own when they cannot be read. */
  policyFrom(domain: string, text: string): Policy {
    const key = `${domain} ${text}`;
    const known = this.#ofUsers.peek(key);
    if (known !== undefined) return known;
    const settings = readSettings(text);
    if (settings === undefined) {
      this.log.warn({ domain, text }, "a user's policy cannot be read, the domain's holds");
      return this.policy(domain);
    }
    const policy = this.userPolicy(domain, settings);
    this.#ofUsers.set(key, policy);
    return policy;
  }

  start(): void {
    this.#feed.start();
  }

  stop(): void {
    this.#feed.stop();
  }

  #replace(domains: readonly Domain[]): void {
    const canonical = new Map<string, string>();
    const policies = new Map<string, Policy>();
    const settings = new Map<string, Domain>();
    const aliases = new Map<string, string>();
    for (const domain of domains) {
      for (const alias of domain.aliases ?? []) {
        aliases.set(alias.toLowerCase(), domain.name);
        canonical.set(alias.toLowerCase(), domain.name);
      }
      canonical.set(domain.name.toLowerCase(), domain.name);
      policies.set(domain.name, effectivePolicy(this.usual, domain));
      settings.set(domain.name, domain);
    }
    this.#canonical = canonical;
    this.#policies = policies;
    this.#settings = settings;
    this.#ofUsers.clear();
    this.#aliases = aliases;
  }
}

function readSettings(text: string): PolicySettings | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
