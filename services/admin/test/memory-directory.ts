import type { AuditEntry, AuditRecord, Aor, Domain, Page, User, UserDirectory } from '@rollcall/location';
import { AliasTaken, aorDomain } from '@rollcall/location';
import { epochMs } from '@rollcall/kernel';
import type { AdminPorts } from '../src/index.ts';

/** Users, domains and grants in the memory of a test. */
export class MemoryDirectory implements UserDirectory {
  readonly users = new Map<Aor, User>();
  readonly #domains = new Map<string, Domain>();
  readonly #grants = new Map<Aor, Set<Aor>>();
  readonly #listeners = new Set<(aor: Aor | undefined) => void>();

  readonly domains: UserDirectory['domains'] = {
    get: (name) => Promise.resolve(this.#domains.get(name)),
    put: (domain) => Promise.resolve(void this.#domains.set(domain.name, domain)),
    remove: (name) => Promise.resolve(this.#domains.delete(name)),
    list: () => Promise.resolve([...this.#domains.values()]),
    onChange: () => () => undefined,
  };

  readonly grants: UserDirectory['grants'] = {
    get: (aor) => Promise.resolve([...(this.#grants.get(aor) ?? [])].sort()),
    put: (aor, identity) => {
      this.#grants.set(aor, (this.#grants.get(aor) ?? new Set()).add(identity));
      return Promise.resolve();
    },
    remove: (aor, identity) => Promise.resolve(this.#grants.get(aor)?.delete(identity) ?? false),
  };

  find(aor: Aor): Promise<User | undefined> {
    return Promise.resolve(this.users.get(aor) ?? this.#holder(aor));
  }

  #holder(alias: Aor): User | undefined {
    return [...this.users.values()].find((user) => user.aliases?.includes(alias) === true);
  }

  findByCredentials(realm: string, authUser: string): Promise<User | undefined> {
    const found = [...this.users.values()].find((user) => user.realm === realm && user.authUser === authUser);
    return Promise.resolve(found);
  }

  onChange(listener: (aor: Aor | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  put(user: User): Promise<void> {
    for (const name of [user.aor, ...(user.aliases ?? [])]) {
      const other = name === user.aor ? this.#holder(name) : (this.users.get(name) ?? this.#holder(name));
      if (other !== undefined && other.aor !== user.aor) return Promise.reject(new AliasTaken(name));
    }
    this.users.set(user.aor, user);
    for (const listener of this.#listeners) listener(user.aor);
    return Promise.resolve();
  }

  async putMany(users: readonly User[]): Promise<void> {
    for (const user of users) await this.put(user);
  }

  remove(aor: Aor): Promise<boolean> {
    for (const listener of this.#listeners) listener(aor);
    return Promise.resolve(this.users.delete(aor));
  }

  list(domain: string, cursor: string | undefined, limit: number): Promise<Page<User>> {
    const all = [...this.users.values()].filter((user) => aorDomain(user.aor) === domain);
    const rest = all
      .sort((a, b) => (a.aor < b.aor ? -1 : 1))
      .filter((user) => cursor === undefined || user.aor > cursor);
    const items = rest.slice(0, limit);
    const last = items.at(-1);
    return Promise.resolve(
      rest.length > limit && last !== undefined ? { items, cursor: last.aor } : { items },
    );
  }
}

/** An audit log that a test reads. */
export function memoryAudit(): AdminPorts['audit'] & { records: AuditRecord[] } {
  const records: AuditRecord[] = [];
  return {
    records,
    append: (entry: AuditEntry) => {
      records.unshift({ ...entry, cursor: String(records.length), at: epochMs(0) });
      return Promise.resolve();
    },
    list: (_cursor, limit) => Promise.resolve({ items: records.slice(0, limit) }),
  };
}
