import { boolean, integer, list, network, optional, string, url } from '@rollcall/config';

const HOUR_S = 3_600;
const DAY_S = 86_400;
/** RFC 3261 timer F: a non-INVITE client gives up after it; RFC 8599 §5.6.2 wants the answer before. */
const TIMER_F_S = 32;

/** Who may call, what is done for those who are called, and how the edge ends. */
export const callSettings = {
  trustedPeers: {
    env: 'ROLLCALL_TRUSTED_PEERS',
    type: list(network()),
    default: [],
    help: 'Addresses and networks of gateways and proxies that call without credentials and whose asserted identity (RFC 3325) and Path (RFC 3327) are believed.',
  },
  trustedNames: {
    env: 'ROLLCALL_TRUSTED_PEER_NAMES',
    type: list(string()),
    default: [],
    help: 'The same by the names that a TLS client certificate proves (RFC 5922); wants ROLLCALL_TLS_CLIENT_CA.',
  },
  guardExempt: {
    env: 'ROLLCALL_GUARD_EXEMPT',
    type: list(network()),
    default: ['127.0.0.0/8', '::1'],
    help: 'Addresses that are never banned or slowed down for wrong passwords: balancers that hide everybody behind one address.',
  },
  guardNameGuesses: {
    env: 'ROLLCALL_GUARD_NAME_GUESSES',
    type: integer({ min: 1, max: 1_000_000 }),
    default: 10,
    help: 'Wrong passwords for one user in a minute; past it others than those who have proved themselves before get 503.',
  },
  guardAddressGuesses: {
    env: 'ROLLCALL_GUARD_ADDRESS_GUESSES',
    type: integer({ min: 1, max: 1_000_000 }),
    default: 30,
    help: 'Wrong passwords from one address in a minute; past it the address is banned.',
  },
  guardAddressScans: {
    env: 'ROLLCALL_GUARD_ADDRESS_SCANS',
    type: integer({ min: 1, max: 10_000_000 }),
    default: 2_000,
    help: 'Challenges to one address in a minute that nobody answers; past it the address is banned as a scanner.',
  },
  guardBanS: {
    env: 'ROLLCALL_GUARD_BAN',
    type: integer({ min: 1, max: DAY_S }),
    default: 300,
    help: 'How long an address is banned, seconds.',
  },
  pushUrl: {
    env: 'ROLLCALL_PUSH_URL',
    type: optional(url(['http:', 'https:'])),
    help: 'Where push notifications are asked for (RFC 8599): a gateway that takes a signed POST for each device. Nobody is woken when unset.',
  },
  pushWaitS: {
    env: 'ROLLCALL_PUSH_WAIT',
    type: integer({ min: 1, max: TIMER_F_S }),
    default: 15,
    help: 'How long a call or message waits for a device that was woken, seconds.',
  },
  offlineMessages: {
    env: 'ROLLCALL_OFFLINE_MESSAGES',
    type: boolean(),
    default: false,
    help: 'Keep a MESSAGE for a user who is away and send it when they register.',
  },
  offlineMessagesLimit: {
    env: 'ROLLCALL_OFFLINE_MESSAGES_LIMIT',
    type: integer({ min: 1, max: 1_000 }),
    default: 50,
    help: 'Messages that may wait for one user; past it the sender gets 480.',
  },
  offlineMessagesTtlS: {
    env: 'ROLLCALL_OFFLINE_MESSAGES_TTL',
    type: integer({ min: 1, max: 30 * DAY_S }),
    default: 7 * DAY_S,
    help: 'How long a message waits, seconds.',
  },
  qualifyS: {
    env: 'ROLLCALL_QUALIFY',
    type: integer({ min: 0, max: DAY_S }),
    default: 0,
    help: 'Between two OPTIONS that ask a device whether it is there, seconds; 0 asks nobody.',
  },
  dialogStates: {
    env: 'ROLLCALL_DIALOG_STATES',
    type: boolean(),
    default: false,
    help: 'Publish the states of the calls that are proxied to presence, for busy lamp fields (RFC 4235).',
  },
  profileUrl: {
    env: 'ROLLCALL_PROFILE_URL',
    type: string(),
    default: '',
    help: 'As for presence: unless it is empty, OPTIONS tells of ua-profile (RFC 6080).',
  },
  drainWaitS: {
    env: 'ROLLCALL_DRAIN_WAIT',
    type: integer({ min: 0, max: HOUR_S }),
    default: 0,
    help: 'How long the edge goes on serving after it was told to end, seconds: until balancers have noticed that it is not ready.',
  },
  drainGraceS: {
    env: 'ROLLCALL_DRAIN_GRACE',
    type: integer({ min: 0, max: HOUR_S }),
    default: 20,
    help: 'Within which connections are closed in random order and calls in progress come to an end, seconds.',
  },
  drainRate: {
    env: 'ROLLCALL_DRAIN_RATE',
    type: integer({ min: 1, max: 100_000 }),
    default: 500,
    help: 'Connections closed in a second while the edge drains; more only when the grace time is too short for it.',
  },
} as const;
