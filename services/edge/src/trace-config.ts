import { endpoint, integer, number, optional, secret } from '@rollcall/config';

const MEBIBYTE = 1_048_576;

/** What of its traffic the edge keeps to be looked at. */
export const traceSettings = {
  traceSample: {
    env: 'ROLLCALL_TRACE_SAMPLE',
    type: number({ min: 0, max: 100 }),
    default: 100,
    help: 'Per cent of the exchanges (Call-IDs) whose messages are kept in memory for a while, so that they can be looked at; fewer under load, see ROLLCALL_TRACE_RATE. Exchanges of a traced AoR are always kept.',
  },
  traceRate: {
    env: 'ROLLCALL_TRACE_RATE',
    type: integer({ min: 1, max: 10_000_000 }),
    default: 200,
    help: 'Messages a second that are kept at most, by taking fewer exchanges.',
  },
  traceEntries: {
    env: 'ROLLCALL_TRACE_ENTRIES',
    type: integer({ min: 100, max: 10_000_000 }),
    default: 20_000,
    help: 'Messages that are kept; the oldest go first.',
  },
  traceBytes: {
    env: 'ROLLCALL_TRACE_BYTES',
    type: integer({ min: 65_536, max: 2_147_483_647 }),
    default: 16 * MEBIBYTE,
    help: 'Octets of the messages that are kept.',
  },
  hepCollector: {
    env: 'ROLLCALL_HEP_COLLECTOR',
    type: optional(endpoint()),
    help: 'A capture server that gets every message that is kept, as HEP3 over UDP, credentials masked: host:port.',
  },
  hepAgent: {
    env: 'ROLLCALL_HEP_AGENT',
    type: integer({ min: 0, max: 4_294_967_295 }),
    default: 2001,
    help: 'By which number the capture server knows this edge.',
  },
  hepKey: {
    env: 'ROLLCALL_HEP_KEY',
    type: optional(secret()),
    help: 'What the capture server wants to see of its senders.',
  },
} as const;
