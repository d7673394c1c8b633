import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ApiToken, ApiTokens, Page } from '@rollcall/location';
import type { Identity } from './identity.ts';
import type { JwtVerifier } from './jwt.ts';

const PREFIX = 'rct_';
const ID_BYTES = 9;
/** 256 bits: too many to guess, so a plain hash keeps it. */
const SECRET_BYTES = 32;
const ID = '[0-9a-f]{18}';
const TOKEN = new RegExp(`^${PREFIX}(${ID})_([A-Za-z0-9_-]{43})$`);
const ROOT = 'root';

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
const hashOf = (secret: string): string => sha256(secret).toString('hex');

function sameHash(stored: string, given: string): boolean {
  // Both hashed once more: equal lengths, and nothing about the stored value in the time.
  return timingSafeEqual(sha256(stored), sha256(given));
}

/** What the maker of a token says about it. */
export type TokenFacts = Omit<ApiToken, 'id' | 'secretHash'>;

/** A token that nobody knows yet; `text` is what its owner sends, told this once. */
export interface MintedToken {
  readonly token: ApiToken;
  readonly text: string;
}

/** Makes, lists, deletes and checks API tokens. Throws `StoreUnavailable`. */
export class Tokens {
  readonly #root: Buffer;

  constructor(
    rootToken: string,
    private readonly kept: ApiTokens,
    private readonly jwt?: JwtVerifier,
  ) {
    this.#root = sha256(rootToken);
  }

  /** The identity of a bearer token; undefined when it is none. The root token needs no store. */
  async identify(text: string): Promise<Identity | undefined> {
    if (timingSafeEqual(this.#root, sha256(text))) return { id: ROOT, scope: 'write', domains: undefined };
    const [, id, secret] = TOKEN.exec(text) ?? [];
    if (id === undefined || secret === undefined) return this.jwt?.identify(text);
    const token = await this.kept.find(id);
    // The same work for an id that does not exist.
    const right = sameHash(token?.secretHash ?? '', hashOf(secret));
    if (token === undefined || !right) return undefined;
    const domains = token.domains === undefined ? undefined : new Set(token.domains);
    return { id, scope: token.scope, domains };
  }

  /** A new token, good for nothing until it is added. */
  mint(facts: TokenFacts): MintedToken {
    const id = randomBytes(ID_BYTES).toString('hex');
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    return { token: { id, ...facts, secretHash: hashOf(secret) }, text: `${PREFIX}${id}_${secret}` };
  }

  /** False when there are as many as there may be. */
  add({ token }: MintedToken): Promise<boolean> {
    return this.kept.add(token);
  }

  async has(id: string): Promise<boolean> {
    return (await this.kept.find(id)) !== undefined;
  }

  list(cursor: string | undefined, limit: number): Promise<Page<ApiToken>> {
    return this.kept.list(cursor, limit);
  }

  /** True when there was one. */
  remove(id: string): Promise<boolean> {
    return this.kept.remove(id);
  }
}

/** The form of a token id in a path. */
export const TOKEN_ID_PATTERN = `^${ID}$`;
