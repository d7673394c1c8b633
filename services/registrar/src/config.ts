import {
  boolean,
  choice,
  defineConfig,
  integer,
  list,
  MAX_PORT,
  opsSettings,
  redisSettings,
  rehearsalSettings,
  secretSettings,
  string,
} from '@rollcall/config';
import type { ConfigOf } from '@rollcall/config';
import { DEFAULT_POLICY, ON_LIMIT, OUTBOUND_MODES, PATH_MODES } from '@rollcall/location';

/** RFC 3261 §20.19: an interval is below 2^32; a day is the longest that makes sense for one that phones refresh. */
const DAY = 86_400;
const WEEK = 7 * DAY;
const HOUR = 3600;
/** What one Contact header list may hold at most (`LIMITS.contacts` of the parser) is more than this. */
const MOST_CONTACTS = 100;
/** Percent. Devices refresh at about half of what they are granted: more would make them come twice as often. */
const MOST_JITTER = 50;
/** RFC 3608 §6.3: a loose route. */
const SERVICE_ROUTE = /^<sips?:[^<>\s]+;lr(?:;[^<>\s]*)?>$/;
const PUSH_SERVICE = /^[a-z0-9.-]{1,64}$/;

/** The settings of the registrar. */
export const registrarConfig = defineConfig({
  ...opsSettings,
  ...redisSettings,
  ...secretSettings,
  ...rehearsalSettings,
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
    help: 'Most bindings of one address-of-record; ROLLCALL_ON_LIMIT says what becomes of one more. A domain may set its own.',
  },
  onLimit: {
    env: 'ROLLCALL_ON_LIMIT',
    type: choice(ON_LIMIT),
    default: DEFAULT_POLICY.onLimit,
    help: 'What becomes of a REGISTER past that limit: refused, or the bindings refreshed longest ago, those that lead nowhere, or all others make room. A domain may set its own.',
  },
  expiresJitter: {
    env: 'ROLLCALL_EXPIRES_JITTER',
    type: integer({ min: 0, max: MOST_JITTER }),
    default: DEFAULT_POLICY.expiresJitter,
    help: 'Percent by which a granted interval is shortened at most, so that devices that came together do not come back together. A domain may set its own.',
  },
  outbound: {
    env: 'ROLLCALL_OUTBOUND',
    type: choice(OUTBOUND_MODES),
    default: DEFAULT_POLICY.outbound,
    help: 'SIP Outbound (RFC 5626): "supported" answers its registrations with Require: outbound and Flow-Timer, or with 439 where the first hop lacks it; "required" refuses others with 421; "ignored" promises nothing, for edges in front that do not answer STUN on their UDP ports. A domain may set its own.',
  },
  flowTimer: {
    env: 'ROLLCALL_FLOW_TIMER',
    type: integer({ min: 10, max: HOUR }),
    default: DEFAULT_POLICY.flowTimer,
    help: 'Seconds between the keep-alives of a connection that Flow-Timer asks for (RFC 5626 §4.4); UDP flows are asked for at least every 29 s. A domain may set its own.',
  },
  path: {
    env: 'ROLLCALL_PATH',
    type: choice(PATH_MODES),
    default: DEFAULT_POLICY.path,
    help: 'Path (RFC 3327): "off" ignores it, "lazy" stores it whatever the device says, "strict" refuses it with 420 where the device does not say Supported: path. A domain may set its own.',
  },
  gruu: {
    env: 'ROLLCALL_GRUU',
    type: boolean(),
    default: DEFAULT_POLICY.gruu,
    help: 'Give GRUUs to devices that ask for them (RFC 5627). A domain may set its own.',
  },
  serviceRoute: {
    env: 'ROLLCALL_SERVICE_ROUTE',
    type: list(string({ pattern: SERVICE_ROUTE, what: 'a route like <sip:proxy.example.test;lr>' })),
    default: [],
    help: 'Service-Route values of the 200, topmost first (RFC 3608). A domain may set its own.',
  },
  push: {
    env: 'ROLLCALL_PUSH_SERVICES',
    type: list(string({ pattern: PUSH_SERVICE, what: 'a push notification service like apns' })),
    default: [],
    help: 'Push notification services that are served (RFC 8599): registrations for others get 555. When empty, pn-* parameters are kept and mean nothing. A domain may set its own.',
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
