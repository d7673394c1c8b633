import type { DigestAlgorithm, Domain } from '@rollcall/location';
import type { EdgeLog } from './ports.ts';

/** The part of `Domains` that the edge reads. */
export interface DomainSource {
  list(): Promise<readonly Domain[]>;
  onChange(listener: () => void): () => void;
}

/** A domain as the edge sees it. */
export interface ServedDomain {
  readonly name: string;
  readonly realm: string;
  /** Seconds below which its registrar refuses, when it has a rule of its own. */
  readonly minExpires?: number;
}

const RETRY_MS = 1_000;

/** The domains that we are responsible for, by every name that they have; read again when one changes. */
export class DomainTable {
  #byHost = new Map<string, ServedDomain>();
  #aliases = new Map<string, string>();
  #algorithms = new Map<string, readonly DigestAlgorithm[]>();
  #ready = false;
  #stopped = false;
  #reading = false;
  #again = false;
  #unsubscribe: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: DomainSource,
    private readonly log: EdgeLog,
  ) {}

  /** False until the list has been read once; whoever asks earlier must answer 503. */
  get ready(): boolean {
    return this.#ready;
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
    this.#unsubscribe = this.source.onChange(() => {
      this.#read();
    });
    this.#read();
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe?.();
    if (this.#retry !== undefined) clearTimeout(this.#retry);
  }

  /** The domain that a host of a URI names, compared without case (RFC 3261 §19.1.4). */
  get(host: string): ServedDomain | undefined {
    return this.#byHost.get(host) ?? this.#byHost.get(host.toLowerCase());
  }

  #read(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    this.source
      .list()
      .then(
        (domains) => {
          this.#replace(domains);
          this.#ready = true;
        },
        () => {
          if (this.#stopped) return;
          this.#retry = setTimeout(() => {
            this.#read();
          }, RETRY_MS);
        },
      )
      .catch((error: unknown) => {
        this.log.error({ error: String(error) }, 'the list of domains could not be used');
      })
      .finally(() => {
        this.#reading = false;
        if (!this.#again || this.#stopped) return;
        this.#again = false;
        this.#read();
      });
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
