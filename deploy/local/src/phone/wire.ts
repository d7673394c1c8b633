import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { StreamFramer } from '@rollcall/sip';
import { WebSocket, type RawData } from 'ws';
import type { SipTransport } from '../plan.ts';

/** What TLS trusts and shows, PEM. */
export interface WireTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Asked for by SNI and checked; the server's host when unset. */
  readonly servername?: string;
}

/** A phone's socket: whole messages in, octets out. */
export interface Wire {
  readonly transport: SipTransport;
  readonly local: { readonly address: string; readonly port: number };
  /** Sends octets as they are, one datagram or one write. */
  send(octets: string): void;
  /** True once a stream was closed by the other side. */
  readonly closed: boolean;
  close(): void;
}

export interface WireOptions {
  readonly transport: SipTransport;
  readonly server: { readonly host: string; readonly port: number };
  readonly local?: { readonly address?: string; readonly port?: number };
  readonly tls?: WireTls;
  /** WS and WSS: the Origin of the page that a browser would show (RFC 6454). */
  readonly origin?: string;
  readonly onMessage: (raw: string) => void;
  /** CRLF alone on a stream: the answer to a keep-alive (RFC 5626 §4.4.1). */
  readonly onKeepAlive?: () => void;
}

const STREAM_LIMITS = { maxHeaderBytes: 256 * 1024, maxBodyBytes: 4 * 1024 * 1024 };

/** Opens a socket towards one server. Rejects when a stream cannot be connected. */
export function openWire(options: WireOptions): Promise<Wire> {
  switch (options.transport) {
    case 'udp':
      return openUdp(options);
    case 'tcp':
    case 'tls':
      return openStream(options);
    case 'ws':
    case 'wss':
      return openWebSocket(options);
  }
}

export const isWebSocket = ({ transport }: Wire): boolean => transport === 'ws' || transport === 'wss';

/** RFC 7118: one WebSocket message for each SIP message. */
function openWebSocket(options: WireOptions): Promise<Wire> {
  const { transport, server, local, tls, origin, onMessage, onKeepAlive } = options;
  const host = server.host.includes(':') ? `[${server.host}]` : server.host;
  const ws = new WebSocket(`${transport}://${host}:${server.port}/`, 'sip', {
    ...tls,
    perMessageDeflate: false,
    ...(local?.address === undefined ? {} : { localAddress: local.address }),
    ...(origin === undefined ? {} : { origin }),
  });
  let closed = false;
  let socket: Socket | undefined;
  ws.on('upgrade', (response) => (socket = response.socket));
  ws.on('message', (data: RawData) => {
    const text = (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString('latin1');
    if (text === '\r\n') onKeepAlive?.();
    else onMessage(text);
  });
  ws.on('close', () => (closed = true));
  return new Promise((resolve, reject) => {
    ws.on('error', reject);
    ws.on('open', () =>
      resolve({
        transport,
        local: { address: socket?.localAddress ?? '', port: socket?.localPort ?? 0 },
        send: (octets) => ws.send(Buffer.from(octets, 'latin1'), { binary: false }),
        get closed() {
          return closed;
        },
        close: () => ws.terminate(),
      }),
    );
  });
}

function openUdp({ server, local, onMessage }: WireOptions): Promise<Wire> {
  const six = server.host.includes(':');
  const socket = createSocket(six ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data) => onMessage(data.toString('latin1')));
    socket.bind({ address: local?.address ?? (six ? '::1' : '127.0.0.1'), port: local?.port ?? 0 }, () => {
      let closed = false;
      resolve({
        transport: 'udp',
        local: socket.address(),
        send: (octets) => !closed && socket.send(Buffer.from(octets, 'latin1'), server.port, server.host),
        get closed() {
          return closed;
        },
        close: () => {
          if (!closed) socket.close();
          closed = true;
        },
      });
    });
  });
}

function openStream(options: WireOptions): Promise<Wire> {
  const { transport, server, local, tls, onMessage, onKeepAlive } = options;
  const target = {
    ...{ host: server.host, port: server.port, noDelay: true },
    ...(local?.address === undefined ? {} : { localAddress: local.address }),
    ...(local?.port === undefined ? {} : { localPort: local.port }),
  };
  const socket: Socket = transport === 'tls' ? connectTls({ ...target, ...tls }) : connect(target);
  const framer = new StreamFramer(STREAM_LIMITS);
  let closed = false;
  socket.on('data', (data) => {
    for (const event of framer.push(data.toString('latin1'))) {
      if (event.kind === 'message') onMessage(event.raw);
      else if (event.kind === 'keepalive') onKeepAlive?.();
    }
    if (data.toString('latin1') === '\r\n') onKeepAlive?.();
  });
  socket.on('close', () => (closed = true));
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on(transport === 'tls' ? 'secureConnect' : 'connect', () =>
      resolve({
        transport,
        local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
        send: (octets) => socket.write(octets, 'latin1'),
        get closed() {
          return closed;
        },
        close: () => socket.destroy(),
      }),
    );
  });
}
