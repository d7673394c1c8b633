import type { ConfigOf } from '@rollcall/config';
import {
  boolean,
  defineConfig,
  integer,
  MAX_PORT,
  opsSettings,
  optional,
  redisSettings,
  secret,
  string,
  url,
} from '@rollcall/config';

/** A token that can be guessed opens everything. */
const MIN_TOKEN_LENGTH = 16;

export const adminConfig = defineConfig({
  adminHost: {
    env: 'ROLLCALL_ADMIN_HOST',
    type: string({ pattern: /^[A-Za-z0-9.:_-]+$/, what: 'a host name or address' }),
    default: '127.0.0.1',
    help: 'Where the REST interface listens.',
  },
  adminPort: {
    env: 'ROLLCALL_ADMIN_PORT',
    type: integer({ min: 0, max: MAX_PORT }),
    default: 8080,
    help: 'Port of the REST interface; 0 takes any free port, which the ready line then names.',
  },
  adminToken: {
    env: 'ROLLCALL_ADMIN_TOKEN',
    type: secret({ minLength: MIN_TOKEN_LENGTH }),
    help: 'The bearer token that may do everything; further tokens are made with it under /v1/tokens.',
  },
  secret: {
    env: 'ROLLCALL_SECRET',
    type: optional(secret({ minLength: MIN_TOKEN_LENGTH })),
    help: 'The secret of the edges: with it admin asks them for their packets, flows and health. Without it those pages stay empty.',
  },
  webhooksInside: {
    env: 'ROLLCALL_WEBHOOKS_INSIDE',
    type: boolean(),
    default: false,
    help: 'Whether webhooks may reach loopback, private and link-local addresses.',
  },
  rateLimit: {
    env: 'ROLLCALL_ADMIN_RATE_LIMIT',
    type: integer({ min: 1, max: 1_000_000 }),
    default: 1_200,
    help: 'REST requests a minute from one address, to one replica; more are answered 429.',
  },
  jwksUrl: {
    env: 'ROLLCALL_ADMIN_JWKS_URL',
    type: optional(url(['https:', 'http:'])),
    help: 'Where the keys of JSON Web Tokens are (RFC 7517); without it only tokens of /v1/tokens are taken.',
  },
  jwtIssuer: {
    env: 'ROLLCALL_ADMIN_JWT_ISSUER',
    type: optional(string()),
    help: 'The `iss` that JSON Web Tokens must have; wanted with ROLLCALL_ADMIN_JWKS_URL.',
  },
  jwtAudience: {
    env: 'ROLLCALL_ADMIN_JWT_AUDIENCE',
    type: string(),
    default: 'rollcall',
    help: 'The `aud` that JSON Web Tokens must have.',
  },
  ...opsSettings,
  ...redisSettings,
});

export type AdminConfig = ConfigOf<typeof adminConfig>;

/** What the fields cannot say each by itself: one line about the first contradiction, or undefined. */
export function contradiction({ jwksUrl, jwtIssuer }: AdminConfig): string | undefined {
  // RFC 8725 §3.8: keys may sign for several issuers.
  return jwksUrl !== undefined && jwtIssuer === undefined
    ? 'ROLLCALL_ADMIN_JWKS_URL wants ROLLCALL_ADMIN_JWT_ISSUER'
    : undefined;
}
