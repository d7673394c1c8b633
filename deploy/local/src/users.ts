import { ha1Set } from '@rollcall/digest';
import type { Aor, User, UserDirectory } from '@rollcall/location';
import { connectStore } from '@rollcall/store-redis';

/** An account as a person types it into a phone. */
export interface Account {
  readonly user: string;
  readonly password: string;
}

export const DEMO_DOMAIN = 'example.test';
export const DEMO_ACCOUNTS: readonly Account[] = [
  { user: 'alice', password: 'alice-secret' },
  { user: 'bob', password: 'bob-secret' },
];

const BATCH = 1000;
/** u00001 sorts well up to here; larger sets are a digit wider. */
const FIVE_DIGITS = 99_999;

/** Accounts u00001 … with passwords pass-u00001 … for benches and outside test tools. */
export function* numberedAccounts(count: number): Generator<Account> {
  const width = count > FIVE_DIGITS ? 6 : 5;
  for (let n = 1; n <= count; n++) {
    const user = `u${String(n).padStart(width, '0')}`;
    yield { user, password: `pass-${user}` };
  }
}

/** Stores the domain, with other names that mean it, and its users; only hashes of the passwords leave this process. */
export async function createUsers(
  redisUrl: string,
  domain: string,
  accounts: Iterable<Account>,
  aliases: readonly string[] = [],
): Promise<number> {
  const store = await connectStore({ url: redisUrl });
  try {
    return await storeUsers(store.users, domain, accounts, aliases);
  } finally {
    await store.close();
  }
}

/** `createUsers` in a store that is there. */
export async function storeUsers(
  directory: UserDirectory,
  domain: string,
  accounts: Iterable<Account>,
  aliases: readonly string[] = [],
): Promise<number> {
  await directory.domains.put({ name: domain, aliases });
  return putAll(directory, domain, accounts);
}

async function putAll(
  directory: UserDirectory,
  domain: string,
  accounts: Iterable<Account>,
): Promise<number> {
  let batch: User[] = [];
  let count = 0;
  for (const { user, password } of accounts) {
    batch.push({
      // Names made here are unreserved characters, so this is the canonical form already.
      aor: `sip:${user}@${domain}` as Aor,
      authUser: user,
      realm: domain,
      ha1: ha1Set(user, domain, password),
      enabled: true,
    });
    count++;
    if (batch.length === BATCH) {
      await directory.putMany(batch);
      batch = [];
    }
  }
  if (batch.length > 0) await directory.putMany(batch);
  return count;
}
