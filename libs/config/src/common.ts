import type { Sentinels } from './endpoint.ts';
import { endpoint, sentinels } from './endpoint.ts';
import type { Endpoint } from './field.ts';
import { choice, integer, list, MAX_PORT, optional, secret, string, url } from './field.ts';

/** Settings that every service has; spread into `defineConfig({ ...opsSettings, ...redisSettings, … })`. */
export const opsSettings = {
  httpHost: {
    env: 'ROLLCALL_HTTP_HOST',
    type: string({ pattern: /^[A-Za-z0-9.:_-]+$/, what: 'a host name or address' }),
    default: '127.0.0.1',
    help: 'Where /healthz, /readyz and /metrics are served.',
  },
  httpPort: {
    env: 'ROLLCALL_HTTP_PORT',
    type: integer({ min: 0, max: MAX_PORT }),
    default: 9090,
    help: 'Port of /healthz, /readyz and /metrics; 0 takes any free port, which the ready line then names.',
  },
  logLevel: {
    env: 'ROLLCALL_LOG_LEVEL',
    type: choice(['debug', 'info', 'warn', 'error']),
    default: 'info',
    help: 'The least level that is logged.',
  },
} as const;

/** Where the location store is: one Redis, or Sentinels, or a Cluster. */
export const redisSettings = {
  redisUrl: {
    env: 'ROLLCALL_REDIS_URL',
    type: url(['redis:', 'rediss:']),
    default: 'redis://127.0.0.1:6379',
    help: 'The Redis to use; with Sentinels or a Cluster it gives user, password, database and TLS.',
  },
  redisSentinels: {
    env: 'ROLLCALL_REDIS_SENTINELS',
    type: optional(sentinels()),
    help: 'Sentinels as name@host:port,host:port, where name is the name of the primary that they watch.',
  },
  redisCluster: {
    env: 'ROLLCALL_REDIS_CLUSTER',
    type: optional(list(endpoint())),
    help: 'Some nodes of a Redis Cluster; the others are learnt from them.',
  },
  durability: {
    env: 'ROLLCALL_DURABILITY',
    type: choice(['none', 'everysec', 'replica']),
    default: 'none',
    help: 'What has happened to a write when it is answered with 200: none, Redis has carried it out; everysec, and it keeps an append-only file; replica, and a replica has it too (WAIT 1). docs/durability.md says what each loses.',
  },
} as const;

/** Where the store is and what it promises, in the shape that `connectStore` takes: a Cluster before Sentinels before one Redis. */
export type RedisAddress = { readonly durability?: 'none' | 'everysec' | 'replica' } & (
  | { readonly url: string }
  | { readonly sentinel: Sentinels & RedisCredentials & { readonly db: number } }
  | { readonly cluster: { readonly nodes: readonly Endpoint[] } & RedisCredentials }
);

interface RedisCredentials {
  readonly username?: string;
  readonly password?: string;
}

/** What `redisSettings` say, as one address; the URL gives user and password in all three cases. */
export function redisAddress(config: {
  readonly redisUrl: string;
  readonly redisSentinels: Sentinels | undefined;
  readonly redisCluster: readonly Endpoint[] | undefined;
  readonly durability?: 'none' | 'everysec' | 'replica';
}): RedisAddress {
  const { redisUrl, redisSentinels, redisCluster } = config;
  const durability = config.durability === undefined ? {} : { durability: config.durability };
  if (redisSentinels === undefined && redisCluster === undefined) return { url: redisUrl, ...durability };
  const { username, password, pathname } = new URL(redisUrl);
  const credentials: RedisCredentials = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
  if (redisCluster !== undefined) return { cluster: { nodes: redisCluster, ...credentials }, ...durability };
  const db = Number(pathname.slice(1));
  return {
    sentinel: { ...(redisSentinels as Sentinels), ...credentials, db: Number.isInteger(db) ? db : 0 },
    ...durability,
  };
}

/** At least as many characters as a 128-bit key has hex digits. */
const MIN_SECRET_LENGTH = 16;

/** The key that all replicas share: it signs nonces and flow tokens. */
export const secretSettings = {
  secret: {
    env: 'ROLLCALL_SECRET',
    type: secret({ minLength: MIN_SECRET_LENGTH }),
    help: 'Signs digest nonces and flow tokens; the same for every replica of every service.',
  },
} as const;
