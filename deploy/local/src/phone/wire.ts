import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { StreamFramer } from '@rollcall/sip';

/** A phone's socket: whole messages in, octets out. */
export interface Wire {
  readonly transport: 'udp' | 'tcp';
  readonly local: { readonly address: string; readonly port: number };
  /** Sends octets as they are, one datagram or one write. */
  send(octets: string): void;
  /** True once a stream was closed by the other side. */
  readonly closed: boolean;
  close(): void;
}

export interface WireOptions {
  readonly transport: 'udp' | 'tcp';
  readonly server: { readonly host: string; readonly port: number };
  readonly local?: { readonly address?: string; readonly port?: number };
  readonly onMessage: (raw: string) => void;
  /** CRLF alone on a stream: the answer to a keep-alive (RFC 5626 §4.4.1). */
  readonly onKeepAlive?: () => void;
}

const STREAM_LIMITS = { maxHeaderBytes: 256 * 1024, maxBodyBytes: 4 * 1024 * 1024 };

/** Opens a socket towards one server. Rejects when a stream cannot be connected. */
export function openWire(options: WireOptions): Promise<Wire> {
  return options.transport === 'udp' ? openUdp(options) : openTcp(options);
}

function openUdp({ server, local, onMessage }: WireOptions): Promise<Wire> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data) => onMessage(data.toString('latin1')));
    socket.bind({ address: local?.address ?? '127.0.0.1', port: local?.port ?? 0 }, () => {
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

function openTcp({ server, local, onMessage, onKeepAlive }: WireOptions): Promise<Wire> {
  const socket: Socket = connect({
    ...{ host: server.host, port: server.port, noDelay: true },
    ...(local?.address === undefined ? {} : { localAddress: local.address }),
    ...(local?.port === undefined ? {} : { localPort: local.port }),
  });
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
    socket.on('connect', () =>
      resolve({
        transport: 'tcp',
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
