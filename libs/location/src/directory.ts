import type { EpochMs } from '@rollcall/kernel';
import type { Aor } from './model.ts';
import type { PolicySettings } from './policy.ts';

/** H(A1) in lower-case hex for each algorithm the user can answer with (RFC 7616 §3.4.2, RFC 8760). Passwords are never stored. */
export type StoredHa1 = Partial<Record<'SHA-512-256' | 'SHA-256' | 'MD5', string>>;

/** Who may authenticate, and as which AoR. */
export interface User {
  readonly aor: Aor;
  /** The digest `username` (RFC 7616 §3.4); mostly, not always, the user part of the AoR. */
  readonly authUser: string;
  /** The digest `realm` that the HA1 values were made for. */
  readonly realm: string;
  readonly ha1: StoredHa1;
  /** A disabled user is refused like an unknown one, and their bindings stay until they expire. */
  readonly enabled: boolean;
  /** Shown to operators only. */
  readonly displayName?: string;
  /** Other AoRs that mean this user; bindings stand under `aor` alone. */
  readonly aliases?: readonly Aor[];
  /** What overrides the policy of the domain. */
  readonly policy?: PolicySettings;
}

/** One page of a listing; `cursor` is absent on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor?: string;
}

/** What the edge needs of the users. Every call throws `StoreUnavailable` when the store is away. */
export interface UserReader {
  /** The user of an AoR or of an alias: the answer's `aor` is the one that bindings stand under. */
  find(aor: Aor): Promise<User | undefined>;
  /** The user that authenticates with this `username` in this `realm`; the same work is done whether there is one or not. */
  findByCredentials(realm: string, authUser: string): Promise<User | undefined>;
  /**
   * Tells of each AoR whose user changed anywhere and of each alias that was given or taken away, `undefined` when any may have (the link to the store was lost).
   * Returns the function that ends it.
   */
  onChange(listener: (aor: Aor | undefined) => void): () => void;
}

/** The users, their domains and their grants, as admin edits them. Every call throws `StoreUnavailable` when the store is away. */
export interface UserDirectory extends UserReader {
  /** Creates or replaces. Throws `AliasTaken`, and changes nothing, when an alias or the AoR itself means another user. */
  put(user: User): Promise<void>;
  /** Creates or replaces many; not atomic over the lot: each user is stored whole or not at all. Throws `AliasTaken`. */
  putMany(users: readonly User[]): Promise<void>;
  /** True when there was one. Bindings of the AoR stay until they expire or are deleted. */
  remove(aor: Aor): Promise<boolean>;
  /** Users of a domain by AoR in octet order, after `cursor` (undefined: from the first). */
  list(domain: string, cursor: string | undefined, limit: number): Promise<Page<User>>;
  readonly domains: Domains;
  readonly grants: Grants;
}

/** An AoR means another user already, as their own or as an alias. */
export class AliasTaken extends Error {
  override readonly name = 'AliasTaken';
  constructor(readonly alias: Aor) {
    super(`${alias} already means another user`);
  }
}

/** A domain that this service is responsible for (RFC 3261 §10.3 step 1, §16.4), with what overrides the policy of the deployment. */
export interface Domain extends PolicySettings {
  /** Lower case, without port. */
  readonly name: string;
  /** Digest realm of its users; defaults to the name. */
  readonly realm?: string;
  /** Other names that mean this domain in an AoR. */
  readonly aliases?: readonly string[];
}

export interface Domains {
  get(name: string): Promise<Domain | undefined>;
  /** Creates or replaces. */
  put(domain: Domain): Promise<void>;
  /** True when there was one; its users stay. */
  remove(name: string): Promise<boolean>;
  /** All of them, by name. Domains are few: services keep the list and read it again when `onChange` calls. */
  list(): Promise<readonly Domain[]>;
  /** Calls when any domain changed, or may have. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

/** Third-party registration (RFC 3261 §10.2): identities that may register an AoR beside its owner. */
export interface Grants {
  /** Identities allowed to register `aor`, sorted; the owner is not among them unless granted. */
  get(aor: Aor): Promise<readonly Aor[]>;
  put(aor: Aor, identity: Aor): Promise<void>;
  /** True when there was such a grant. */
  remove(aor: Aor, identity: Aor): Promise<boolean>;
}

/** An edge that lives: where it is reached inside, and since which start of its process (`epoch`) its flows exist. */
export interface EdgeLease {
  readonly id: string;
  /** Grows with every start of the edge; a flow token of another epoch names a flow that is gone. */
  readonly epoch: number;
  /** Inner SIP address, `host:port`. */
  readonly inner: string;
  /** Where its ops HTTP server is reached inside, `host:port`. */
  readonly http?: string;
}

/** A lease as it was found, and for how many milliseconds it still holds unless it is renewed. */
export interface FoundLease extends EdgeLease {
  readonly leftMs: number;
}

/** Leases of the edges. A lease that is not renewed is gone after its time to live. */
export interface EdgeLeases {
  /** Takes or renews a lease for `ttlMs`. Throws `StoreUnavailable`. */
  renew(lease: EdgeLease, ttlMs: number): Promise<void>;
  /** Gives it up, if it is still of this epoch. Throws `StoreUnavailable`. */
  release(lease: EdgeLease): Promise<void>;
  /** Undefined when no such edge lives. Throws `StoreUnavailable`. */
  find(id: string): Promise<FoundLease | undefined>;
  /** All that live, by id. Throws `StoreUnavailable`. */
  list(): Promise<readonly EdgeLease[]>;
}

/** One act of an operator or of the service itself on stored data. */
export interface AuditEntry {
  /** Who: an operator's name, an identity, `expiry`. */
  readonly actor: string;
  /** What: `user.put`, `binding.delete` … */
  readonly action: string;
  /** On what: an AoR, a domain, a binding. */
  readonly target: string;
  readonly detail?: string;
}

/** An entry as stored; `cursor` names it in the log. */
export interface AuditRecord extends AuditEntry {
  readonly cursor: string;
  readonly at: EpochMs;
}

/** The latest acts; the log is bounded, the oldest entries go first. Every call throws `StoreUnavailable` when the store is away. */
export interface AuditLog {
  append(entry: AuditEntry): Promise<void>;
  /** Newest first, older than `cursor` (undefined: from the newest). */
  list(cursor: string | undefined, limit: number): Promise<Page<AuditRecord>>;
}
