import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { Aor, User } from '@rollcall/location';
import type { Proof } from './guess-guard.ts';
import { ownCopy } from './own-copy.ts';

/** The part of `UserReader` that the edge reads. Both throw when the store is away. */
export interface UserSource {
  findByCredentials(realm: string, authUser: string): Promise<User | undefined>;
  onChange(listener: (aor: Aor | undefined) => void): () => void;
}

/** A user, or that there is none, as kept in memory. */
export interface Account {
  /** Undefined for an unknown or a disabled user: both are refused alike. */
  readonly user: User | undefined;
  /** Header line that asserts the identity (RFC 3325 §9.1); empty without a user. */
  readonly identity: string;
  /** Header line that tells the registrar of the user's own policy; empty for nearly all. */
  readonly policy: string;
  readonly until: number;
  /** What the guard knows of this user, so that it need not look for it with each request. */
  readonly proof: Proof;
}

export type Lookup = Account | 'unavailable' | 'overload';

export interface UserCacheOptions {
  /** Most users kept. */
  readonly limit: number;
  /** Most names kept that no user has. */
  readonly unknownLimit: number;
  /** The net under a lost notice of change. */
  readonly ttlMs: number;
  readonly unknownTtlMs: number;
  /** Most names that are looked up at one time, and most requests that wait for one of them. */
  readonly pendingLimit: number;
}

export const USER_CACHE_DEFAULTS: UserCacheOptions = {
  limit: 100_000,
  unknownLimit: 10_000,
  ttlMs: 600_000,
  unknownTtlMs: 30_000,
  pendingLimit: 4_096,
};

/** RFC 3261 §25.1 has no NUL in a realm or a user name that a store would have; it joins them without confusion. */
const JOINT = '\0';

/**
 * Users by realm and digest user name. Answers at once for names it knows; others are looked up, once for all who wait.
 * Entries go when the user changes, when the link to the store was lost, and after their time.
 */
export class UserCache {
  readonly #known: BoundedMap<string, Account>;
  readonly #unknown: BoundedMap<string, Account>;
  /** Where the account of an AoR is kept, so that a change finds it. */
  readonly #keyOf = new Map<Aor, string>();
  readonly #pending = new Map<string, ((lookup: Lookup) => void)[]>();
  #generation = 0;
  readonly #unsubscribe: () => void;

  constructor(
    private readonly source: UserSource,
    private readonly clock: Clock,
    private readonly options: UserCacheOptions = USER_CACHE_DEFAULTS,
  ) {
    this.#known = new BoundedMap(options.limit, (_, account) => {
      if (account.user !== undefined) this.#keyOf.delete(account.user.aor);
    });
    this.#unknown = new BoundedMap(options.unknownLimit);
    this.#unsubscribe = source.onChange((aor) => {
      this.#forget(aor);
    });
  }

  get size(): number {
    return this.#known.size + this.#unknown.size;
  }

  stop(): void {
    this.#unsubscribe();
  }

  /** What is known of a name at once. */
  get(realm: string, username: string): Account | undefined {
    const key = realm + JOINT + username;
    const account = this.#known.peek(key) ?? this.#unknown.peek(key);
    return account === undefined || account.until <= this.clock.now() ? undefined : account;
  }

  /** Asks the store; `done` is called later, never at once. */
  load(realm: string, username: string, done: (lookup: Lookup) => void): void {
    const key = ownCopy(realm + JOINT + username);
    const waiting = this.#pending.get(key);
    if (waiting !== undefined) {
      if (waiting.length >= this.options.pendingLimit)
        queueMicrotask(() => {
          done('overload');
        });
      else waiting.push(done);
      return;
    }
    if (this.#pending.size >= this.options.pendingLimit) {
      queueMicrotask(() => {
        done('overload');
      });
      return;
    }
    this.#pending.set(key, [done]);
    const generation = this.#generation;
    this.source.findByCredentials(realm, ownCopy(username)).then(
      (user) => {
        this.#settle(key, this.#keep(key, user, generation));
      },
      () => {
        this.#settle(key, 'unavailable');
      },
    );
  }

  #settle(key: string, lookup: Lookup): void {
    const waiting = this.#pending.get(key) ?? [];
    this.#pending.delete(key);
    for (const done of waiting) done(lookup);
  }

  #keep(key: string, found: User | undefined, generation: number): Account {
    const user = found?.enabled === true ? found : undefined;
    const account: Account = {
      user,
      identity: user === undefined ? '' : `P-Asserted-Identity: <${user.aor}>\r\n`,
      policy: user?.policy === undefined ? '' : `X-Rollcall-Policy: ${JSON.stringify(user.policy)}\r\n`,
      proof: { address: '', until: 0 },
      until: this.clock.now() + (user === undefined ? this.options.unknownTtlMs : this.options.ttlMs),
    };
    // A change that came while the store was asked may be newer than its answer.
    if (generation !== this.#generation) return account;
    if (user === undefined) {
      this.#known.delete(key);
      this.#unknown.set(key, account);
    } else {
      this.#unknown.delete(key);
      this.#known.set(key, account);
      this.#keyOf.set(user.aor, key);
    }
    return account;
  }

  #forget(aor: Aor | undefined): void {
    this.#generation += 1;
    // A name without a user may have got one.
    this.#unknown.clear();
    if (aor === undefined) {
      this.#known.clear();
      this.#keyOf.clear();
      return;
    }
    const key = this.#keyOf.get(aor);
    if (key === undefined) return;
    this.#keyOf.delete(aor);
    this.#known.delete(key);
  }
}
