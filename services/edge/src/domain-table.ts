import type { Timers } from '@rollcall/kernel';
import { DomainFeed, StoreUnavailable } from '@rollcall/location';
import type { DigestAlgorithm, Domain, DomainSource, FromPolicy } from '@rollcall/location';
import type { EdgeLog } from './ports.ts';

/** A domain as the edge sees it. */
export interface ServedDomain {
  readonly name: string;
  readonly realm: string;
  /** Seconds below which its registrar refuses, when it has a rule of its own. */
  readonly minExpires?: number;
  readonly from?: FromPolicy;
  /** False: grants do not count. */
  readonly thirdParty?: boolean;
}

/** The domains that we are responsible for, by every name that they have; read again when one changes. */
export class DomainTable {
  #byHost = new Map<string, ServedDomain>();
  #aliases = new Map<string, string>();
  #algorithms = new Map<string, readonly DigestAlgorithm[]>();
  readonly #feed: DomainFeed;

  constructor(source: DomainSource, timers: Timers, log: EdgeLog) {
    this.#feed = new DomainFeed(
      source,
      timers,
      (domains) => {
        this.#replace(domains);
      },
      (error) => {
        // That the store is away is told once for all.
        if (error instanceof StoreUnavailable) return;
        log.error({ error: String(error) }, 'the list of domains could not be used');
      },
    );
  }

  /** False until the list has been read once; whoever asks earlier must answer 503. */
  get ready(): boolean {
    return this.#feed.ready;
  }

  /** Other names of our domains, in lower case, with the domain that each means. */
  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases;
  }

  /** The only digest algorithms that the domain of a realm offers and takes; undefined when it leaves that to the edge. */
  algorithmsOf(realm: string): readonly DigestAlgorithm[] | undefined {
    return this.#algorithms.get(realm);
  }

  start(): void {
    this.#feed.start();
  }

  stop(): void {
    this.#feed.stop();
  }

  /** The domain that a host of a URI names, compared without case (RFC 3261 §19.1.4). */
  get(host: string): ServedDomain | undefined {
    return this.#byHost.get(host) ?? this.#byHost.get(host.toLowerCase());
  }

  #replace(domains: readonly Domain[]): void {
    const byHost = new Map<string, ServedDomain>();
    const aliases = new Map<string, string>();
    const algorithms = new Map<string, readonly DigestAlgorithm[]>();
    for (const domain of domains) {
      const served: ServedDomain = {
        name: domain.name,
        realm: domain.realm ?? domain.name,
        ...(domain.minExpires === undefined ? undefined : { minExpires: domain.minExpires }),
        ...(domain.from === undefined ? undefined : { from: domain.from }),
        ...(domain.thirdParty === undefined ? undefined : { thirdParty: domain.thirdParty }),
      };
      for (const alias of domain.aliases ?? []) {
        byHost.set(alias.toLowerCase(), served);
        aliases.set(alias.toLowerCase(), domain.name);
      }
      byHost.set(domain.name.toLowerCase(), served);
      if (domain.algorithms !== undefined) algorithms.set(served.realm, domain.algorithms);
    }
    this.#byHost = byHost;
    this.#aliases = aliases;
    this.#algorithms = algorithms;
  }
}
