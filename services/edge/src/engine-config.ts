import { choice, endpoint, optional, secret } from '@rollcall/config';

/** What carries SIP to and from phones. */
export const engineSettings = {
  engine: {
    env: 'ROLLCALL_ENGINE',
    type: choice(['native', 'drachtio']),
    default: 'native',
    help: 'What carries SIP to and from phones: sockets of our own, or a drachtio-server beside the edge, whose listeners then count instead of ROLLCALL_SIP_… (docs/drachtio.md).',
  },
  drachtio: {
    env: 'ROLLCALL_DRACHTIO',
    type: endpoint(),
    default: { host: '127.0.0.1', port: 9022 },
    help: 'The admin port of the drachtio-server. It asks nobody who he is: it must be on loopback, or a network that is only ours.',
  },
  drachtioSecret: {
    env: 'ROLLCALL_DRACHTIO_SECRET',
    type: optional(secret()),
    help: 'The secret of the drachtio-server; wanted by the engine drachtio.',
  },
} as const;
