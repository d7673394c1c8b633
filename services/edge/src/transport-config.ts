import {
  boolean,
  certificate,
  choice,
  endpoint,
  integer,
  list,
  listeners,
  network,
  optional,
  string,
} from '@rollcall/config';

/** The longest time setting, seconds. */
const DAY_S = 86_400;
const MEGABYTE = 1_048_576;
const MAX_CONNECTIONS = 1_000_000;

const path = () => string({ pattern: /^[^\0]+$/, what: 'a file' });

/** How phones and other servers reach the edge, and in what bounds. */
export const transportSettings = {
  sipUdp: {
    env: 'ROLLCALL_SIP_UDP',
    type: listeners(),
    default: [{ host: '0.0.0.0', port: 5060 }],
    help: 'Where phones reach the edge over UDP, and behind "/" the address that they are told.',
  },
  datagramBatches: {
    env: 'ROLLCALL_DATAGRAM_BATCHES',
    type: boolean(),
    default: true,
    help: 'Read many datagrams with one system call, where the machine (Linux, 64 bits) and the optional package koffi let us; one by one otherwise.',
  },
  sipTcp: {
    env: 'ROLLCALL_SIP_TCP',
    type: listeners(),
    default: [{ host: '0.0.0.0', port: 5060 }],
    help: 'The same over TCP.',
  },
  sipTls: {
    env: 'ROLLCALL_SIP_TLS',
    type: listeners(),
    default: [],
    help: 'The same over TLS, usually on port 5061.',
  },
  sipWs: {
    env: 'ROLLCALL_SIP_WS',
    type: listeners(),
    default: [],
    help: 'The same over WebSocket (RFC 7118) without TLS, as behind a balancer that ends TLS.',
  },
  sipWss: {
    env: 'ROLLCALL_SIP_WSS',
    type: listeners(),
    default: [],
    help: 'The same over WebSocket with TLS, for browsers.',
  },
  tlsCertificates: {
    env: 'ROLLCALL_TLS_CERTIFICATES',
    type: list(certificate()),
    default: [],
    help: 'Certificates of the TLS and WSS listeners, chosen by the host name that a client asks for; the first for all others. Read again when the files change, and at SIGHUP.',
  },
  tlsMinVersion: {
    env: 'ROLLCALL_TLS_MIN_VERSION',
    type: choice(['TLSv1.2', 'TLSv1.3']),
    default: 'TLSv1.2',
    help: 'The oldest TLS that is spoken.',
  },
  tlsClientCertificates: {
    env: 'ROLLCALL_TLS_CLIENT_CERTIFICATES',
    type: choice(['off', 'ask', 'require']),
    default: 'off',
    help: 'Whether clients are asked for a certificate, and refused without one that ROLLCALL_TLS_CLIENT_CA has signed (mutual TLS).',
  },
  tlsClientCa: {
    env: 'ROLLCALL_TLS_CLIENT_CA',
    type: optional(path()),
    help: 'PEM file of the authorities that sign client certificates.',
  },
  tlsServerCa: {
    env: 'ROLLCALL_TLS_SERVER_CA',
    type: optional(path()),
    help: 'PEM file of the authorities that servers outside are checked against; those of the system when unset.',
  },
  wsOrigins: {
    env: 'ROLLCALL_WS_ORIGINS',
    type: optional(list()),
    help: 'Origins that browsers may come from, such as https://phone.example.com; any when unset.',
  },
  proxyProtocolFrom: {
    env: 'ROLLCALL_PROXY_PROTOCOL_FROM',
    type: list(network()),
    default: [],
    help: 'Balancers that begin every TCP, TLS or WebSocket connection with a PROXY protocol header (version 1 or 2).',
  },
  dnsServers: {
    env: 'ROLLCALL_DNS_SERVERS',
    type: optional(list(endpoint())),
    help: 'DNS servers that next hops outside are looked up with (RFC 3263); those of the system when unset.',
  },
  maxConnections: {
    env: 'ROLLCALL_MAX_CONNECTIONS',
    type: integer({ min: 1, max: MAX_CONNECTIONS }),
    default: 50_000,
    help: 'Stream connections in all, those in a handshake included. More are closed at once.',
  },
  maxConnectionsPerAddress: {
    env: 'ROLLCALL_MAX_CONNECTIONS_PER_ADDRESS',
    type: integer({ min: 1, max: MAX_CONNECTIONS }),
    default: 2_000,
    help: 'Stream connections from one address: all phones behind one NAT.',
  },
  maxBody: {
    env: 'ROLLCALL_MAX_BODY',
    type: integer({ min: 1_024, max: MEGABYTE }),
    default: 65_536,
    help: 'Bytes of the body of one message; more is 413, and the end of a stream.',
  },
  handshakeTimeoutS: {
    env: 'ROLLCALL_HANDSHAKE_TIMEOUT',
    type: integer({ min: 1, max: 300 }),
    default: 10,
    help: 'Seconds that PROXY header, TLS handshake and WebSocket upgrade of a new connection may take, all together.',
  },
  firstByteTimeoutS: {
    env: 'ROLLCALL_FIRST_BYTE_TIMEOUT',
    type: integer({ min: 1, max: 3_600 }),
    default: 10,
    help: 'Seconds after which a new connection is closed on which nothing has come.',
  },
  messageTimeoutS: {
    env: 'ROLLCALL_MESSAGE_TIMEOUT',
    type: integer({ min: 1, max: 3_600 }),
    default: 32,
    help: 'Seconds that a message may take from its first byte to its last on a stream.',
  },
  idleTimeoutS: {
    env: 'ROLLCALL_IDLE_TIMEOUT',
    type: integer({ min: 10, max: 7 * DAY_S }),
    default: 7_200,
    help: 'Seconds after which a stream is closed on which nothing has come, no keep-alive either; longer than registrations last.',
  },
} as const;
