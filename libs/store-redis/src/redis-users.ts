import { AliasTaken } from '@rollcall/location';
import type {
  Aor,
  Domains,
  Grants,
  Page,
  PolicySettings,
  StoredHa1,
  User,
  UserDirectory,
} from '@rollcall/location';
import { listOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { USER_SHARDS, userShardOf } from './keys.ts';
import { fromOctets, printJson, readJson, toOctets } from './octets.ts';
import { RedisAliases } from './redis-aliases.ts';
import { RedisDomains } from './redis-domains.ts';
import { RedisGrants } from './redis-grants.ts';
import { defineScript } from './script.ts';
import { USER_SLOTS, userKeys, userSlot } from './user-keys.ts';

const putScript = defineScript(new URL('../scripts/put-user.lua', import.meta.url), 3);
const removeScript = defineScript(new URL('../scripts/remove-user.lua', import.meta.url), 2);

/** Users written in one go, and from how many on one message tells of all. */
const BULK = 500;
const ALL = '*';

/** Users in Redis: a hash for each, a sorted listing for each domain and shard, a message at each change. */
export class RedisUsers implements UserDirectory {
  readonly domains: Domains;
  readonly grants: Grants;
  readonly #aliases: RedisAliases;

  constructor(private readonly client: StoreClient) {
    this.domains = new RedisDomains(client);
    this.grants = new RedisGrants(client);
    this.#aliases = new RedisAliases(client, async (aor, alias) =>
      hasAlias(await this.#findPlain(aor), alias),
    );
  }

  async find(aor: Aor): Promise<User | undefined> {
    const user = await this.#findPlain(aor);
    if (user !== undefined) return user;
    const meant = await this.#aliases.meant(aor);
    const named = meant === undefined ? undefined : await this.#findPlain(meant);
    return hasAlias(named, aor) ? named : undefined;
  }

  async findByCredentials(realm: string, authUser: string): Promise<User | undefined> {
    const plain = plainAor(realm, authUser);
    const id = credentialsId(realm, authUser);
    const [user, other] = await Promise.all([
      this.#findPlain(plain),
      this.client.command(userSlot(id), ['GET', userKeys.credentials(id)]),
    ]);
    const answersTo = (found: User | undefined): boolean =>
      found?.authUser === authUser && found.realm === realm;
    if (answersTo(user) || !Buffer.isBuffer(other)) return answersTo(user) ? user : undefined;
    // The way from credentials to a user may be left over: only the user says how it authenticates.
    const named = await this.#findPlain(textOf(other) as Aor);
    return answersTo(named) ? named : undefined;
  }

  onChange(listener: (aor: Aor | undefined) => void): () => void {
    return this.client.subscribe(
      userKeys.usersChannel,
      (message) => {
        listener(message === ALL ? undefined : (message as Aor));
      },
      () => {
        listener(undefined);
      },
    );
  }

  async put(user: User): Promise<void> {
    await this.#put(user, namesItself(user) ? user.aor : ALL);
  }

  async putMany(users: readonly User[]): Promise<void> {
    for (let at = 0; at < users.length; at += BULK) {
      await Promise.all(users.slice(at, at + BULK).map((user) => this.#put(user, '')));
    }
    await this.client.command(0, ['PUBLISH', userKeys.usersChannel, ALL]);
  }

  async remove(aor: Aor): Promise<boolean> {
    const user = await this.#findPlain(aor);
    const values = [userKeys.user(aor), userKeys.index(userShardOf(aor), domainOf(aor)), aor];
    if (user === undefined || namesItself(user)) values.push(aor);
    else {
      const id = credentialsId(user.realm, user.authUser);
      await this.client.write(userSlot(id), ['DEL', userKeys.credentials(id)]);
      values.push(ALL);
    }
    const removed = textOf(await this.client.run(removeScript, userSlot(aor), values)) === 'removed';
    if (user?.aliases !== undefined) await this.#aliases.release(aor, user.aliases);
    return removed;
  }

  async list(domain: string, cursor: string | undefined, limit: number): Promise<Page<User>> {
    const from = cursor === undefined ? '-' : `(${cursor}`;
    const shards = await Promise.all(
      Array.from({ length: USER_SHARDS }, (_, shard) =>
        this.client.command(USER_SLOTS[shard] ?? 0, [
          ...['ZRANGE', userKeys.index(shard, domain), from, '+', 'BYLEX', 'LIMIT', '0'],
          String(limit + 1),
        ]),
      ),
    );
    const aors = shards.flatMap((reply) => listOf(reply).map((aor) => textOf(aor))).sort(byOctets);
    const page = aors.slice(0, limit);
    const found = await Promise.all(page.map((aor) => this.#findPlain(aor as Aor)));
    const items = found.filter((user) => user !== undefined);
    const last = page.at(-1);
    return aors.length > limit && last !== undefined ? { items, cursor: last } : { items };
  }

  async #findPlain(aor: Aor): Promise<User | undefined> {
    return readUser(aor, await this.client.command(userSlot(aor), ['HGETALL', userKeys.user(aor)]));
  }

  /** Aliases are claimed before the user says that they have them, and given up after: what is left over leads nowhere. */
  async #put(user: User, tell: string): Promise<void> {
    const { aor, aliases = [] } = user;
    const claimed = await this.#aliases.claim(aor, aliases);
    if (!namesItself(user)) {
      const id = credentialsId(user.realm, user.authUser);
      await this.client.command(userSlot(id), ['SET', userKeys.credentials(id), user.aor]);
    }
    const before = await this.#store(user, tell);
    if (before === undefined) {
      await this.#aliases.release(aor, claimed);
      throw new AliasTaken(aor);
    }
    await this.#aliases.keep(aliases);
    if (claimed.length > 0) await this.#aliases.tell(claimed);
    const given = before.filter((alias) => !aliases.includes(alias));
    if (given.length > 0) await this.#aliases.release(aor, given);
  }

  /** The aliases that the user had before; undefined when their AoR is an alias of another user. */
  async #store(user: User, tell: string): Promise<readonly Aor[] | undefined> {
    const { aor } = user;
    const keys = [userKeys.user(aor), userKeys.index(userShardOf(aor), domainOf(aor)), userKeys.alias(aor)];
    const values = [...keys, aor, tell, ...printUser(user)];
    for (;;) {
      const [outcome, text] = listOf(await this.client.run(putScript, userSlot(aor), values)).map(textOf);
      if (outcome === 'stored') return readAliases(text ?? '');
      if (!(await this.#aliases.dropLeftOver(aor, (text ?? '') as Aor))) return undefined;
    }
  }
}

const hasAlias = (user: User | undefined, alias: Aor): boolean => user?.aliases?.includes(alias) === true;

const byOctets = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** `example.test` of `sip:alice@example.test`; a `tel:` AoR belongs to no domain. */
function domainOf(aor: Aor): string {
  return aor.slice(aor.indexOf('@') + 1 || aor.length);
}

const plainAor = (realm: string, authUser: string): Aor => `sip:${authUser}@${realm}` as Aor;
const credentialsId = (realm: string, authUser: string): string => `${realm}/${authUser}`;
const namesItself = (user: User): boolean => plainAor(user.realm, user.authUser) === user.aor;

const HA1_FIELDS = [
  ['SHA-512-256', 's5'],
  ['SHA-256', 's2'],
  ['MD5', 'm5'],
] as const;

function printUser(user: User): string[] {
  const fields = ['a', user.authUser, 'r', user.realm, 'e', user.enabled ? '1' : '0'];
  for (const [algorithm, field] of HA1_FIELDS) {
    const ha1 = user.ha1[algorithm];
    if (ha1 !== undefined) fields.push(field, ha1);
  }
  if (user.displayName !== undefined) fields.push('n', toOctets(user.displayName));
  // An AoR has neither blanks nor line feeds: it escapes them.
  if (user.aliases !== undefined && user.aliases.length > 0) fields.push('l', user.aliases.join('\n'));
  if (user.policy !== undefined) fields.push('p', printJson(user.policy));
  return fields;
}

function readUser(aor: Aor, reply: Reply): User | undefined {
  const flat = listOf(reply);
  if (flat.length === 0) return undefined;
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(textOf(flat[i]), textOf(flat[i + 1]));
  const ha1: StoredHa1 = {};
  for (const [algorithm, field] of HA1_FIELDS) {
    const value = fields.get(field);
    if (value !== undefined) ha1[algorithm] = value;
  }
  const displayName = fields.get('n');
  const aliases = readAliases(fields.get('l') ?? '');
  const policy = readPolicy(fields.get('p'));
  return {
    aor,
    authUser: fields.get('a') ?? '',
    realm: fields.get('r') ?? '',
    ha1,
    enabled: fields.get('e') === '1',
    ...(displayName === undefined ? {} : { displayName: fromOctets(displayName) }),
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(policy === undefined ? {} : { policy }),
  };
}

const readAliases = (text: string): readonly Aor[] => (text === '' ? [] : (text.split('\n') as Aor[]));

function readPolicy(text: string | undefined): PolicySettings | undefined {
  const value = text === undefined ? undefined : readJson(text);
  return typeof value === 'object' && value !== null ? value : undefined;
}
