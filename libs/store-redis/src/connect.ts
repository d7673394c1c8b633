import { Cluster, Redis } from 'ioredis';
import type { ClusterOptions, RedisOptions } from 'ioredis';
import { movedElsewhere } from './errors.ts';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where the store is: exactly one of `url`, `sentinel` and `cluster`. */
export interface StoreAddress {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. */
  readonly url?: string;
  readonly sentinel?: {
    readonly sentinels: readonly Endpoint[];
    /** Name of the primary as the Sentinels know it. */
    readonly name: string;
    readonly username?: string;
    readonly password?: string;
    readonly sentinelPassword?: string;
    readonly db?: number;
  };
  readonly cluster?: {
    /** Some of the nodes; the rest is learned from them. */
    readonly nodes: readonly Endpoint[];
    readonly username?: string;
    readonly password?: string;
  };
}

const CONNECT_TIMEOUT_MS = 2000;
/** First and longest wait before the next attempt to connect; attempts never end. */
const RETRY_STEP_MS = 50;
const RETRY_LIMIT_MS = 1000;

export const retryDelay = (attempt: number): number => Math.min(attempt * RETRY_STEP_MS, RETRY_LIMIT_MS);

/**
 * No call waits for a connection and none is sent twice: what was in flight when the connection broke has an unknown outcome,
 * and its caller is told so.
 */
const common: RedisOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disableClientInfo: true,
  noDelay: true,
  retryStrategy: retryDelay,
  reconnectOnError: movedElsewhere,
};

/** Opens the connection for commands; it keeps trying for ever. */
export function openRedis(address: StoreAddress): Redis | Cluster {
  if (address.cluster !== undefined) return openCluster(address.cluster);
  return new Redis(standaloneOptions(address));
}

/**
 * Opens one connection for pub/sub that does not come back by itself: who holds it must know that it was lost. In a Cluster any
 * node will do, and `cluster` names those that are known now.
 */
export function openSubscriber(address: StoreAddress, cluster: Cluster | undefined): Redis {
  const once: RedisOptions = { retryStrategy: () => null, autoResubscribe: false, enableOfflineQueue: true };
  if (address.cluster === undefined) return new Redis({ ...standaloneOptions(address), ...once });
  const { nodes, username, password } = address.cluster;
  const known: Endpoint[] = (cluster?.nodes('master') ?? []).map(({ options }) => ({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 6379,
  }));
  const choice = known.length > 0 ? known : nodes;
  const node = choice[Math.floor(Math.random() * choice.length)];
  return new Redis({ ...common, ...credentials(username, password), ...node, ...once });
}

function openCluster(cluster: NonNullable<StoreAddress['cluster']>): Cluster {
  const options: ClusterOptions = {
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelay,
    // A lost node comes back by itself; a slot that moved is learned from MOVED.
    clusterNodeRetryStrategy: retryDelay,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    slotsRefreshInterval: 5000,
    redisOptions: { ...common, ...credentials(cluster.username, cluster.password) },
  };
  return new Cluster([...cluster.nodes], options);
}

function standaloneOptions({ url, sentinel }: StoreAddress): RedisOptions {
  if (sentinel !== undefined) {
    return {
      ...common,
      ...credentials(sentinel.username, sentinel.password),
      ...(sentinel.sentinelPassword === undefined ? {} : { sentinelPassword: sentinel.sentinelPassword }),
      sentinels: [...sentinel.sentinels],
      name: sentinel.name,
      db: sentinel.db ?? 0,
      sentinelRetryStrategy: retryDelay,
      failoverDetector: true,
    };
  }
  if (url === undefined) throw new TypeError('a store wants a url, sentinels or cluster nodes');
  const parsed = new URL(url);
  const tls = parsed.protocol === 'rediss:' ? { tls: {} } : {};
  const db = Number(parsed.pathname.slice(1) || '0');
  return {
    ...common,
    ...credentials(decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)),
    ...tls,
    host: parsed.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: Number(parsed.port || '6379'),
    db,
  };
}

function credentials(username: string | undefined, password: string | undefined): RedisOptions {
  return {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
  };
}
