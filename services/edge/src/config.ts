import { ALGORITHMS } from '@rollcall/digest';
import {
  boolean,
  choice,
  defineConfig,
  integer,
  list,
  MAX_PORT,
  opsSettings,
  optional,
  redisSettings,
  rehearsalSettings,
  replicas,
  secretSettings,
  string,
} from '@rollcall/config';
import type { ConfigOf } from '@rollcall/config';
import { callSettings } from './call-config.ts';
import { engineSettings } from './engine-config.ts';
import { traceSettings } from './trace-config.ts';
import { transportSettings } from './transport-config.ts';

const HOUR_S = 3_600;
const DAY_S = 86_400;

/** Every setting of the edge. */
export const edgeConfig = defineConfig({
  ...opsSettings,
  ...redisSettings,
  ...secretSettings,
  ...rehearsalSettings,
  edgeId: {
    env: 'ROLLCALL_EDGE_ID',
    type: optional(
      string({ pattern: /^[A-Za-z0-9._-]{1,63}$/, what: 'an edge id of letters, digits, ".", "_" and "-"' }),
    ),
    help: 'Names this edge in flow tokens and in its lease; no two edges may have the same. The host name when unset.',
  },
  ...engineSettings,
  ...transportSettings,
  ...callSettings,
  ...traceSettings,
  innerHost: {
    env: 'ROLLCALL_INNER_HOST',
    type: string({ pattern: /^[A-Za-z0-9.:_-]+$/, what: 'a host name or address' }),
    default: '127.0.0.1',
    help: 'Where the edge listens for other services of ours, SIP over TCP. Never an address that phones reach.',
  },
  innerPort: {
    env: 'ROLLCALL_INNER_PORT',
    type: integer({ min: 0, max: MAX_PORT }),
    default: 5070,
    help: 'Port for other services of ours; 0 takes any free port.',
  },
  registrars: {
    env: 'ROLLCALL_REGISTRARS',
    type: replicas(),
    help: 'Replicas of the registrar: host:port,host:port or dns:name:port.',
  },
  presences: {
    env: 'ROLLCALL_PRESENCES',
    type: replicas(),
    help: 'Replicas of presence: host:port,host:port or dns:name:port.',
  },
  algorithms: {
    env: 'ROLLCALL_DIGEST_ALGORITHMS',
    type: list(choice(ALGORITHMS)),
    default: [...ALGORITHMS],
    help: 'Digest algorithms that are offered, in the order of preference (RFC 8760 §2.3).',
  },
  nonceLifetimeS: {
    env: 'ROLLCALL_NONCE_LIFETIME',
    type: integer({ min: 1, max: DAY_S }),
    default: HOUR_S,
    help: 'How long a nonce may be answered, seconds; after it the client gets 401 with stale=true.',
  },
  nonceLimit: {
    env: 'ROLLCALL_NONCE_LIMIT',
    type: integer({ min: 1_000, max: 10_000_000 }),
    default: 250_000,
    help: 'Nonces whose highest nc is kept; past it the oldest become stale.',
  },
  allowRfc2069: {
    env: 'ROLLCALL_DIGEST_RFC2069',
    type: boolean(),
    default: true,
    help: 'Take answers without qop and cnonce for MD5 (Pidgin); their nonce is good for one use.',
  },
  digestUri: {
    env: 'ROLLCALL_DIGEST_URI',
    type: choice(['equivalent', 'served']),
    default: 'equivalent',
    help: 'The uri of an answer must be equivalent to the Request-URI, or only name a domain that is served (RFC 8760 §2.6 item 6), for phones behind an element that rewrites Request-URIs.',
  },
  userCache: {
    env: 'ROLLCALL_USER_CACHE',
    type: integer({ min: 100, max: 10_000_000 }),
    default: 100_000,
    help: 'Users kept in memory.',
  },
});

/** The edge's configuration. */
export type EdgeConfig = ConfigOf<typeof edgeConfig>;
