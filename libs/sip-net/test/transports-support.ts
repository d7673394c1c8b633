import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { TransportName } from '@rollcall/sip-transaction';
import {
  type Certificate,
  makeAuthority,
  makeCertificate,
  openWire,
  type Wire,
  type WireTls,
} from '@rollcall/testkit';
import {
  createSipFront,
  type NativeFront,
  type NetLimits,
  type SipFrontOptions,
  type TlsSettings,
} from '../src/index.ts';
import { asResponse, HOST, Inbox, RecordingUser, reply, request, TurnedClock, until } from './support.ts';

export const AUTHORITY = makeAuthority({ name: 'Authority of the tests' });
export const SERVER = makeCertificate(AUTHORITY, {
  name: 'example.test',
  names: ['example.test', '127.0.0.1', '::1'],
});

export const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

/** Certificates as files in a folder of their own. */
export class CertificateFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'rollcall-net-'));

  put(name: string, certificate: Certificate): { certificate: string; key: string } {
    const files = { certificate: join(this.path, `${name}.pem`), key: join(this.path, `${name}.key`) };
    writeFileSync(files.certificate, certificate.pem);
    writeFileSync(files.key, certificate.keyPem);
    return files;
  }

  authority(name: string, certificate: Certificate): string {
    return this.put(name, certificate).certificate;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A front on the given transports; answers 200 to everything. */
export class AllBench {
  readonly clock = new TurnedClock();
  readonly user = new RecordingUser();
  readonly folder = new CertificateFolder();
  readonly closers: (() => void)[] = [];
  readonly front: NativeFront;

  constructor(
    readonly host: string,
    transports: readonly TransportName[],
    limits: Partial<NetLimits> = {},
    more: Partial<SipFrontOptions> & {
      readonly tlsMore?: (folder: CertificateFolder) => Partial<TlsSettings>;
    } = {},
  ) {
    const { tlsMore, ...rest } = more;
    const tls = { certificates: [this.folder.put('server', SERVER)], ...tlsMore?.(this.folder) };
    const listeners = transports.map((transport) => ({ transport, host, port: 0 }));
    this.front = createSipFront({ listeners, limits, clock: this.clock, tls, ...rest });
    this.user.onEach = (transaction) => {
      reply(transaction, 200);
    };
  }

  async start(): Promise<this> {
    await this.front.start(this.user);
    return this;
  }

  port(transport: TransportName): number {
    return this.front.listeners.find((one) => one.transport === transport)?.local.port ?? 0;
  }

  /** A client that is whole messages. */
  async open(
    transport: TransportName,
    more: { tls?: WireTls; origin?: string; host?: string } = {},
  ): Promise<{ wire: Wire; inbox: Inbox<string>; pongs: () => number }> {
    const inbox = new Inbox<string>();
    let pongs = 0;
    const wire = await openWire({
      transport,
      server: { host: more.host ?? this.host, port: this.port(transport) },
      tls: { ca: AUTHORITY.pem, ...more.tls },
      ...(more.origin === undefined ? {} : { origin: more.origin }),
      onMessage: (raw) => {
        inbox.put(raw);
      },
      onKeepAlive: () => (pongs += 1),
    });
    this.closers.push(() => {
      wire.close();
    });
    return { wire, inbox, pongs: () => pongs };
  }

  /** A client that is bytes, under TLS where the transport has it. */
  async raw(transport: TransportName, more: ConnectionOptions = {}): Promise<RawClient> {
    const target = { host: this.host, port: this.port(transport) };
    const secure = transport === 'tls' || transport === 'wss';
    const socket = secure ? connectTls({ ...target, ca: AUTHORITY.pem, ...more }) : connect(target);
    const client = new RawClient(socket);
    this.closers.push(() => {
      client.socket.destroy();
    });
    await client.opened(secure ? 'secureConnect' : 'connect');
    return client;
  }

  async stop(): Promise<void> {
    for (const close of this.closers) close();
    await this.front.stop();
    this.folder.remove();
  }
}

/** Bytes to and fro. */
export class RawClient {
  text = '';
  closed = false;
  error = '';

  constructor(readonly socket: Socket | TLSSocket) {
    socket.setNoDelay(true);
    socket.on('data', (data: Buffer) => (this.text += data.toString('latin1')));
    socket.on('error', (error: Error) => (this.error = error.message));
    socket.on('end', () => (this.closed = true));
    socket.on('close', () => (this.closed = true));
  }

  async opened(event: string): Promise<void> {
    let open = false;
    this.socket.once(event, () => (open = true));
    await until(() => open || this.closed, 5_000);
  }

  send(octets: string | Buffer): void {
    this.socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets);
  }

  count(part: string): number {
    return this.text.split(part).length - 1;
  }

  /** Does the upgrade of RFC 6455 §4.1; what has come up to the end of the answer is taken away and returned. */
  async upgrade(headers: Readonly<Record<string, string | undefined>> = {}): Promise<string> {
    const all: Readonly<Record<string, string | undefined>> = {
      Host: 'example.test',
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': 'sip',
      ...headers,
    };
    const lines = Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}`],
    );
    this.send(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    await until(() => this.text.includes('\r\n\r\n'), 5_000);
    const end = this.text.indexOf('\r\n\r\n') + 4;
    const answer = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return answer;
  }
}

export const TEXT = 0x1;
export const BINARY = 0x2;

/** A WebSocket frame of a client (RFC 6455 §5.2). */
export function frame(
  payload: string,
  { opcode = TEXT, fin = true, masked = true }: { opcode?: number; fin?: boolean; masked?: boolean } = {},
): Buffer {
  const data = Buffer.from(payload, 'latin1');
  const head = [(fin ? 0x80 : 0) | opcode];
  const bit = masked ? 0x80 : 0;
  if (data.length < 126) head.push(bit | data.length);
  else if (data.length < 65_536) head.push(bit | 126, data.length >> 8, data.length & 0xff);
  else head.push(bit | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (data.length >>> shift) & 0xff));
  const mask = [0x12, 0x34, 0x56, 0x78];
  const body = masked ? data.map((octet, i) => octet ^ (mask[i % 4] ?? 0)) : data;
  return Buffer.concat([Buffer.from(head), Buffer.from(masked ? mask : []), body]);
}

/** The close code that a server's frame carries (RFC 6455 §5.5.1), the first there is in what came. */
export function closeCode(text: string): number | undefined {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at + 1 < bytes.length;) {
    const [first = 0, second = 0] = bytes.subarray(at);
    const wide = second === 126 ? 2 : second === 127 ? 8 : 0;
    const length = wide === 0 ? second : bytes.readUIntBE(at + 2 + (wide === 8 ? 4 : 0), wide === 8 ? 4 : 2);
    const start = at + 2 + wide;
    if ((first & 0xf) === 8) return length >= 2 ? bytes.readUInt16BE(start) : 1005;
    at = start + length;
  }
  return undefined;
}

/** Waits in turns of the event loop, for what is asked thousands of times. */
export async function soon(condition: () => boolean, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${String(ms)} ms: ${condition.toString()}`);
    await new Promise(setImmediate);
  }
}

const VIA = { udp: 'UDP', tcp: 'TCP', tls: 'TLS', ws: 'WS', wss: 'WSS' } as const;
let serial = 0;

/** A REGISTER as it comes over this transport. */
export function register(transport: TransportName, parts: Parameters<typeof request>[0] = {}): string {
  serial += 1;
  const via = `SIP/2.0/${VIA[transport]} phone${String(serial)}.invalid;branch=z9hG4bKx${String(serial)}`;
  return request({ via: transport === 'udp' ? `${via};rport` : via, ...parts });
}

export { asResponse, HOST, until };
