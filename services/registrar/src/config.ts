import {
  boolean,
  defineConfig,
  integer,
  MAX_PORT,
  opsSettings,
  redisSettings,
  string,
} from '@rollcall/config';
import type { ConfigOf } from '@rollcall/config';

/** RFC 3261 §20.19: an interval is below 2^32; a day is the longest that makes sense for one that phones refresh. */
const DAY = 86_400;
const WEEK = 7 * DAY;
const HOUR = 3600;
/** What one Contact header list may hold at most (`LIMITS.contacts` of the parser) is more than this. */
const MOST_CONTACTS = 100;

/** The settings of the registrar. */
export const registrarConfig = defineConfig({
  ...opsSettings,
  ...redisSettings,
  innerHost: {
    env: 'ROLLCALL_INNER_HOST',
    type: string({ pattern: /^[A-Za-z0-9.:_-]+$/, what: 'a host name or address' }),
    default: '127.0.0.1',
    help: 'Where SIP over TCP from the edges is listened for.',
  },
  innerPort: {
    env: 'ROLLCALL_INNER_PORT',
    type: integer({ min: 0, max: MAX_PORT }),
    default: 5080,
    help: 'Port for SIP from the edges; 0 takes any free port, which the ready line then names.',
  },
  minExpires: {
    env: 'ROLLCALL_MIN_EXPIRES',
    type: integer({ min: 1, max: DAY }),
    default: 60,
    help: 'Seconds; a shorter registration below one hour is refused with 423 (RFC 3261 §10.3 step 7). A domain may set its own.',
  },
  defaultExpires: {
    env: 'ROLLCALL_DEFAULT_EXPIRES',
    type: integer({ min: 1, max: WEEK }),
    default: HOUR,
    help: 'Seconds granted to a device that asks for nothing. A domain may set its own.',
  },
  maxExpires: {
    env: 'ROLLCALL_MAX_EXPIRES',
    type: integer({ min: 1, max: WEEK }),
    default: 2 * HOUR,
    help: 'Seconds granted at most. A domain may set its own.',
  },
  maxContacts: {
    env: 'ROLLCALL_MAX_CONTACTS',
    type: integer({ min: 1, max: MOST_CONTACTS }),
    default: 10,
    help: 'Most bindings of one address-of-record; a REGISTER that would leave more is refused with 403. A domain may set its own.',
  },
  outbound: {
    env: 'ROLLCALL_OUTBOUND',
    type: boolean(),
    default: false,
    help: 'Answer SIP Outbound registrations (RFC 5626) with Require: outbound, or with 439 where the first hop lacks it.',
  },
  strictPath: {
    env: 'ROLLCALL_STRICT_PATH',
    type: boolean(),
    default: false,
    help: 'Refuse a REGISTER with a Path whose device does not say Supported: path, with 420 (RFC 3327 §5.3).',
  },
  cachedAors: {
    env: 'ROLLCALL_REGISTRAR_CACHE',
    type: integer({ min: 1, max: 10_000_000 }),
    default: 50_000,
    help: 'Addresses-of-record whose bindings are remembered, so that a refresh takes one round trip to Redis; about 1 KB each.',
  },
});

/** The registrar's configuration. */
export type RegistrarConfig = ConfigOf<typeof registrarConfig>;

/** What the fields cannot say each by itself: one line about the first contradiction, or undefined. */
export function contradiction(config: RegistrarConfig): string | undefined {
  const { minExpires, defaultExpires, maxExpires } = config;
  if (maxExpires < minExpires) {
    return `ROLLCALL_MAX_EXPIRES: "${maxExpires.toString()}" is below ROLLCALL_MIN_EXPIRES (${minExpires.toString()})`;
  }
  if (defaultExpires < minExpires || defaultExpires > maxExpires) {
    return `ROLLCALL_DEFAULT_EXPIRES: "${defaultExpires.toString()}" is not between ROLLCALL_MIN_EXPIRES (${minExpires.toString()}) and ROLLCALL_MAX_EXPIRES (${maxExpires.toString()})`;
  }
  return undefined;
}
