import type { EpochMs } from '@rollcall/kernel';
import type { Page } from './directory.ts';

/** What an API token may do: `trace` is `read` and to look at the packets of phones, `write` is all of it. */
export type ApiScope = 'read' | 'trace' | 'write';

/** A bearer token of the REST interface as it is kept: its secret only as a hash. */
export interface ApiToken {
  /** Lower-case hex; the part of the token that may be shown. */
  readonly id: string;
  /** What the token is for, in its maker's words. */
  readonly name: string;
  readonly scope: ApiScope;
  /** The only domains that the token sees, in lower case; absent: all. */
  readonly domains?: readonly string[];
  readonly createdAt: EpochMs;
  /** SHA-256 of the secret in lower-case hex. */
  readonly secretHash: string;
}

/** Most tokens of an installation: they are made for programs, not for users. */
export const MAX_API_TOKENS = 1_000;

/** The API tokens. What is written is in force for everybody with the next call. Every call throws `StoreUnavailable` when the store is away. */
export interface ApiTokens {
  find(id: string): Promise<ApiToken | undefined>;
  /** False, and nothing is kept, when there are `MAX_API_TOKENS` already or one with this id. */
  add(token: ApiToken): Promise<boolean>;
  /** True when there was one. */
  remove(id: string): Promise<boolean>;
  /** By id, after `cursor` (undefined: from the first). */
  list(cursor: string | undefined, limit: number): Promise<Page<ApiToken>>;
}
