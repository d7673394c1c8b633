import {
  defineConfig,
  integer,
  MAX_PORT,
  opsSettings,
  redisSettings,
  rehearsalSettings,
  secretSettings,
  string,
} from '@rollcall/config';
import type { ConfigOf } from '@rollcall/config';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** RFC 6665 §4.2.1.1: only intervals below one hour may be refused as too brief. */
const LONGEST_MINIMUM = HOUR;

/** The settings of presence. */
export const presenceConfig = defineConfig({
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
    default: 5090,
    help: 'Port for SIP from the edges; 0 takes any free port, which the ready line then names.',
  },
  minSubscription: {
    env: 'ROLLCALL_SUBSCRIPTION_MIN',
    type: integer({ min: 1, max: LONGEST_MINIMUM }),
    default: 60,
    help: 'Seconds; a shorter subscription or publication is refused with 423 (RFC 6665 §4.2.1.1).',
  },
  maxSubscription: {
    env: 'ROLLCALL_SUBSCRIPTION_MAX',
    type: integer({ min: LONGEST_MINIMUM, max: 30 * DAY }),
    default: 2 * HOUR,
    help: 'Seconds granted at most to a subscription or publication.',
  },
  profileUrl: {
    env: 'ROLLCALL_PROFILE_URL',
    type: string({
      pattern: /^(?:[a-z][a-z0-9+.-]*:\/\/[!#-;=?-~]+)?$/,
      what: 'a URL, with {user}, {mac} and {domain}',
    }),
    default: '',
    help: 'Where devices find their profiles, for SUBSCRIBE to ua-profile (RFC 6080); {user}, {mac} and {domain} stand for those of the device. Empty: there is no such package.',
  },
});

/** The configuration of presence. */
export type PresenceConfig = ConfigOf<typeof presenceConfig>;
