import type { ConfigProblem, Environment } from './define.ts';

/**
 * Every `ROLLCALL_` name that some service reads. Services share one environment (a ConfigMap, `npm start`), so a name
 * that this service does not know is fine when another one does, and a mistake otherwise.
 */
export const ROLLCALL_NAMES: ReadonlySet<string> = new Set([
  'ROLLCALL_ADMIN_HOST',
  'ROLLCALL_ADMIN_JWKS_URL',
  'ROLLCALL_ADMIN_JWT_AUDIENCE',
  'ROLLCALL_ADMIN_JWT_ISSUER',
  'ROLLCALL_ADMIN_PORT',
  'ROLLCALL_ADMIN_RATE_LIMIT',
  'ROLLCALL_ADMIN_TOKEN',
  'ROLLCALL_ADMIN_URL',
  'ROLLCALL_DATAGRAM_BATCHES',
  'ROLLCALL_DEFAULT_EXPIRES',
  'ROLLCALL_DIALOG_STATES',
  'ROLLCALL_DIGEST_ALGORITHMS',
  'ROLLCALL_DIGEST_RFC2069',
  'ROLLCALL_DIGEST_URI',
  'ROLLCALL_DNS_SERVERS',
  'ROLLCALL_DRACHTIO',
  'ROLLCALL_DRACHTIO_SECRET',
  'ROLLCALL_DRAIN_GRACE',
  'ROLLCALL_DRAIN_RATE',
  'ROLLCALL_DRAIN_WAIT',
  'ROLLCALL_DURABILITY',
  'ROLLCALL_EDGE_ID',
  'ROLLCALL_ENGINE',
  'ROLLCALL_EXPIRES_JITTER',
  'ROLLCALL_FIRST_BYTE_TIMEOUT',
  'ROLLCALL_FLOW_TIMER',
  'ROLLCALL_GRUU',
  'ROLLCALL_GUARD_ADDRESS_GUESSES',
  'ROLLCALL_GUARD_ADDRESS_SCANS',
  'ROLLCALL_GUARD_BAN',
  'ROLLCALL_GUARD_EXEMPT',
  'ROLLCALL_GUARD_NAME_GUESSES',
  'ROLLCALL_HANDSHAKE_TIMEOUT',
  'ROLLCALL_HTTP_HOST',
  'ROLLCALL_HTTP_PORT',
  'ROLLCALL_IDLE_TIMEOUT',
  'ROLLCALL_INNER_HOST',
  'ROLLCALL_INNER_PORT',
  'ROLLCALL_LOG_LEVEL',
  'ROLLCALL_MAX_BODY',
  'ROLLCALL_MAX_CONNECTIONS',
  'ROLLCALL_MAX_CONNECTIONS_PER_ADDRESS',
  'ROLLCALL_MAX_CONTACTS',
  'ROLLCALL_MAX_EXPIRES',
  'ROLLCALL_MESSAGE_TIMEOUT',
  'ROLLCALL_MIN_EXPIRES',
  'ROLLCALL_NONCE_LIFETIME',
  'ROLLCALL_NONCE_LIMIT',
  'ROLLCALL_OFFLINE_MESSAGES',
  'ROLLCALL_OFFLINE_MESSAGES_LIMIT',
  'ROLLCALL_OFFLINE_MESSAGES_TTL',
  'ROLLCALL_ON_LIMIT',
  'ROLLCALL_OUTBOUND',
  'ROLLCALL_PATH',
  'ROLLCALL_PRESENCES',
  'ROLLCALL_PROFILE_URL',
  'ROLLCALL_PROXY_PROTOCOL_FROM',
  'ROLLCALL_PUSH_SERVICES',
  'ROLLCALL_PUSH_URL',
  'ROLLCALL_PUSH_WAIT',
  'ROLLCALL_QUALIFY',
  'ROLLCALL_REDIS_CLUSTER',
  'ROLLCALL_REDIS_SENTINELS',
  'ROLLCALL_REDIS_URL',
  'ROLLCALL_REGISTRARS',
  'ROLLCALL_REGISTRAR_CACHE',
  'ROLLCALL_REHEARSAL_MS',
  'ROLLCALL_SECRET',
  'ROLLCALL_SERVICE_ROUTE',
  'ROLLCALL_SIP_TCP',
  'ROLLCALL_SIP_TLS',
  'ROLLCALL_SIP_UDP',
  'ROLLCALL_SIP_WS',
  'ROLLCALL_SIP_WSS',
  'ROLLCALL_SUBSCRIPTION_MAX',
  'ROLLCALL_SUBSCRIPTION_MIN',
  'ROLLCALL_TLS_CERTIFICATES',
  'ROLLCALL_TLS_CLIENT_CA',
  'ROLLCALL_TLS_CLIENT_CERTIFICATES',
  'ROLLCALL_TLS_MIN_VERSION',
  'ROLLCALL_TLS_SERVER_CA',
  'ROLLCALL_TRUSTED_PEERS',
  'ROLLCALL_TRUSTED_PEER_NAMES',
  'ROLLCALL_USER_CACHE',
  'ROLLCALL_WEBHOOKS_INSIDE',
  'ROLLCALL_WS_ORIGINS',
]);

const PREFIX = 'ROLLCALL_';
/** Names for tools beside the services (bench, tests, `npm start`), which read them by themselves. */
const TOOL_NAME = /^ROLLCALL_(?:(?:BENCH|TEST|LOCAL)_|REDIS_SERVER$)/;
// Kubernetes puts these into every pod for a Service named rollcall-…, unless enableServiceLinks is false.
const SERVICE_LINK =
  /^ROLLCALL_[A-Z0-9_]*(?:_SERVICE_HOST|_SERVICE_PORT(?:_[A-Z0-9_]+)?|_PORT_\d+_(?:TCP|UDP)(?:_[A-Z]+)?)$/;
const SERVICE_LINK_VALUE = /^(?:tcp|udp):\/\//;
/** A misspelling that is further away than this is not guessed at. */
const MAX_GUESS_DISTANCE = 4;

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function closest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = MAX_GUESS_DISTANCE + 1;
  for (const candidate of candidates) {
    const far = distance(name, candidate);
    if (far < bestDistance) [best, bestDistance] = [candidate, far];
  }
  return best;
}

/** The `ROLLCALL_` names of the environment that no service reads, each with a guess at what was meant. */
export function unknownNames(env: Environment, own: ReadonlySet<string>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || own.has(name) || ROLLCALL_NAMES.has(name)) continue;
    if (TOOL_NAME.test(name) || SERVICE_LINK.test(name) || SERVICE_LINK_VALUE.test(value ?? '')) continue;
    const guess = closest(name, [...own, ...ROLLCALL_NAMES]);
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
    problems.push({ key: name, detail: `is not a setting of Rollcall${hint}` });
  }
  return problems;
}
