import { hkdfSync } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Listener } from '@rollcall/config';
import type { ListenerOptions, NetLimits, SipFrontOptions, TlsSettings } from '@rollcall/sip-net';
import type { Endpoint, TransportName } from '@rollcall/sip-transaction';
import type { EdgeConfig } from './config.ts';
import { Networks } from './trusted-peers.ts';

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Name, HMAC key and AES key of OpenSSL's tickets, 16 octets each. */
const TICKET_KEYS_BYTES = 48;

/** What the configuration says of transports, as the front takes it. */
export function transportOptions(config: EdgeConfig): Omit<SipFrontOptions, 'clock' | 'log'> {
  const listeners = listenersOf(config);
  const tls = tlsSettings(config);
  return {
    listeners: listeners.flatMap(([transport, some]) => some.map((one) => listenerOptions(transport, one))),
    limits: limitsOf(config),
    datagramBatches: config.datagramBatches,
    webSocket: { origins: config.wsOrigins },
    proxies: new Networks(config.proxyProtocolFrom),
    ...(tls === undefined ? undefined : { tls }),
  };
}

/** What contradicts itself in the transport settings. */
export function transportContradiction(config: EdgeConfig): string | undefined {
  const { sipTls, sipWss, tlsCertificates, tlsClientCertificates, tlsClientCa } = config;
  if (tlsCertificates.length === 0 && sipTls.length + sipWss.length > 0)
    return `${sipTls.length > 0 ? 'ROLLCALL_SIP_TLS' : 'ROLLCALL_SIP_WSS'} wants ROLLCALL_TLS_CERTIFICATES`;
  if (tlsClientCertificates !== 'off' && tlsClientCa === undefined)
    return `ROLLCALL_TLS_CLIENT_CERTIFICATES=${tlsClientCertificates} wants ROLLCALL_TLS_CLIENT_CA`;
  if (listenersOf(config).every(([, some]) => some.length === 0))
    return 'every ROLLCALL_SIP_… listener is off';
  return undefined;
}

/** The first PEM file that there is not, or that is not for us to read. */
export function unreadableFile({
  tlsCertificates,
  tlsClientCa,
  tlsServerCa,
}: EdgeConfig): string | undefined {
  const files = [
    ...tlsCertificates
      .flatMap(({ certificate, key }) => [certificate, key])
      .map((file) => ['ROLLCALL_TLS_CERTIFICATES', file] as const),
    ['ROLLCALL_TLS_CLIENT_CA', tlsClientCa] as const,
    ['ROLLCALL_TLS_SERVER_CA', tlsServerCa] as const,
  ];
  for (const [name, file] of files) {
    try {
      if (file !== undefined) accessSync(file, constants.R_OK);
    } catch {
      return `${name}: ${JSON.stringify(file)} cannot be read`;
    }
  }
  return undefined;
}

function listenersOf(config: EdgeConfig): readonly (readonly [TransportName, readonly Listener[]])[] {
  return [
    ['udp', config.sipUdp],
    ['tcp', config.sipTcp],
    ['tls', config.sipTls],
    ['ws', config.sipWs],
    ['wss', config.sipWss],
  ];
}

export function limitsOf(config: EdgeConfig): Partial<NetLimits> {
  return {
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    maxBodyBytes: config.maxBody,
    handshakeMs: config.handshakeTimeoutS * SECOND_MS,
    firstByteMs: config.firstByteTimeoutS * SECOND_MS,
    unfinishedMessageMs: config.messageTimeoutS * SECOND_MS,
    idleMs: config.idleTimeoutS * SECOND_MS,
  };
}

function tlsSettings(config: EdgeConfig): TlsSettings | undefined {
  const { tlsCertificates, tlsClientCertificates, tlsClientCa, tlsServerCa, tlsMinVersion, secret } = config;
  if (tlsCertificates.length === 0 && tlsServerCa === undefined) return undefined;
  return {
    certificates: tlsCertificates,
    clientCertificates: tlsClientCertificates,
    clientAuthorities: tlsClientCa,
    serverAuthorities: tlsServerCa,
    minVersion: tlsMinVersion,
    ticketKeys: (now) => ticketKeys(secret, now),
  };
}

/**
 * Keys of TLS session tickets, another each day: all edges have the same, so that a phone that was on one resumes its
 * session on the next, and a ticket is worth nothing when two days have passed.
 */
export function ticketKeys(secret: string, now: number): Buffer {
  const label = `rollcall tls tickets ${String(Math.floor(now / DAY_MS))}`;
  return Buffer.from(hkdfSync('sha256', secret, '', label, TICKET_KEYS_BYTES));
}

/** A wildcard cannot be told to anybody: what is told then is the first address of this host that others reach. */
function listenerOptions(transport: TransportName, listener: Listener): ListenerOptions {
  const { host, port } = listener;
  const told = (address: string): Endpoint | undefined => (address === host ? undefined : { address, port });
  const advertised = listener.advertised ?? told(reachable(host));
  const advertisedIPv4 =
    listener.advertisedIPv4 ??
    (host === '::' && listener.advertised === undefined ? told(reachable('0.0.0.0')) : undefined);
  return {
    ...{ transport, host, port },
    ...(advertised === undefined ? undefined : { advertised }),
    ...(advertisedIPv4 === undefined ? undefined : { advertisedIPv4 }),
  };
}

/** The address itself, or for a wildcard the first of this host that others reach. */
export function reachable(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const family = host === '::' ? 'IPv6' : 'IPv4';
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = addresses.filter(({ address }) => !address.toLowerCase().startsWith('fe80:'));
  const outer = usable.find((address) => address.family === family && !address.internal);
  return outer?.address ?? (host === '::' ? '::1' : '127.0.0.1');
}
