import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { hashHa1 } from '@rollcall/digest';
import type { Aor, Page, User, UserDirectory } from '@rollcall/location';
import type { Identity, Scope } from './identity.ts';

/** An API token as listed; its secret is known only to whoever made it. */
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly scope: Scope;
  readonly domains: readonly string[] | undefined;
  readonly createdAt: string;
}

/**
 * Tokens are users of a realm of their own, kept where users are kept: the secret only as a hash, changes seen by every
 * replica. The domain cannot exist (RFC 2606 §2: `.invalid`), so no phone can register as a token.
 */
export const TOKEN_DOMAIN = 'tokens.rollcall.invalid';

const PREFIX = 'rct_';
const ID_BYTES = 9;
/** 256 bits: too many to guess, so a plain hash keeps it. */
const SECRET_BYTES = 32;
const ID = '[0-9a-f]{18}';
const TOKEN = new RegExp(`^${PREFIX}(${ID})_([A-Za-z0-9_-]{43})$`);
const ROOT = 'root';

const hashOf = (id: string, secret: string): string => hashHa1('SHA-256', id, TOKEN_DOMAIN, secret);
const aorOf = (id: string): Aor => `sip:${id}@${TOKEN_DOMAIN}` as Aor;
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

function sameHash(stored: string, given: string): boolean {
  // Both hashed once more: equal lengths, and nothing about the stored value in the time.
  return timingSafeEqual(sha256(stored), sha256(given));
}

type TokenFacts = Omit<TokenRecord, 'id'>;

// The facts of a token stand in the one field of a user that is for operators.
function toUser(id: string, hash: string, facts: TokenFacts): User {
  return {
    aor: aorOf(id),
    authUser: id,
    realm: TOKEN_DOMAIN,
    ha1: { 'SHA-256': hash },
    enabled: true,
    displayName: JSON.stringify(facts),
  };
}

function fromUser(user: User): TokenRecord | undefined {
  try {
    return { id: user.authUser, ...(JSON.parse(user.displayName ?? '') as TokenFacts) };
  } catch {
    // Not written by us: it grants nothing.
    return undefined;
  }
}

/** Makes, lists, deletes and checks API tokens. Throws `StoreUnavailable`. */
export class Tokens {
  readonly #root: Buffer;

  constructor(
    rootToken: string,
    private readonly users: Pick<UserDirectory, 'find' | 'list' | 'put' | 'remove'>,
  ) {
    this.#root = sha256(rootToken);
  }

  /** The identity of a bearer token; undefined when it is none. The root token needs no store. */
  async identify(token: string): Promise<Identity | undefined> {
    if (timingSafeEqual(this.#root, sha256(token))) return { id: ROOT, scope: 'write', domains: undefined };
    const [, id, secret] = TOKEN.exec(token) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const user = await this.users.find(aorOf(id));
    // The same work for an id that does not exist.
    const right = sameHash(user?.ha1['SHA-256'] ?? '', hashOf(id, secret));
    const record = user === undefined || !right || !user.enabled ? undefined : fromUser(user);
    if (record === undefined) return undefined;
    const domains = record.domains === undefined ? undefined : new Set(record.domains);
    return { id: record.id, scope: record.scope, domains };
  }

  /** The returned `token` is the only time that it is told. */
  async create(facts: TokenFacts): Promise<TokenRecord & { token: string }> {
    const id = randomBytes(ID_BYTES).toString('hex');
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    await this.users.put(toUser(id, hashOf(id, secret), facts));
    return { id, ...facts, token: `${PREFIX}${id}_${secret}` };
  }

  async list(cursor: string | undefined, limit: number): Promise<Page<TokenRecord>> {
    const page = await this.users.list(TOKEN_DOMAIN, cursor, limit);
    const items = page.items.flatMap((user) => fromUser(user) ?? []);
    return page.cursor === undefined ? { items } : { items, cursor: page.cursor };
  }

  /** True when there was one. */
  remove(id: string): Promise<boolean> {
    return this.users.remove(aorOf(id));
  }
}

/** The form of a token id in a path. */
export const TOKEN_ID_PATTERN = `^${ID}$`;
