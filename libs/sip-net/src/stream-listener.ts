import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import type { Endpoint, TransportName } from '@rollcall/sip-transaction';
import type { WebSocket } from 'ws';
import { plainAddress } from './addresses.ts';
import type { Admission } from './admission.ts';
import { type Advertised, advertisedFor } from './advertised.ts';
import type { Channel, ChannelUser } from './channel.ts';
import type { FrontCounters } from './counters.ts';
import { FramedSocket } from './framed-socket.ts';
import type { NetLimits } from './limits.ts';
import { certificateNamesOf } from './peer-identity.ts';
import { readProxyHeader } from './proxy-header.ts';
import type { TimerWheel, WheelTimer, WheelUser } from './timer-wheel.ts';
import type { TapSlot } from './tap.ts';
import type { TlsContexts } from './tls-contexts.ts';
import { WebSocketChannel } from './websocket-channel.ts';
import { WebSocketUpgrade, type WebSocketSettings } from './websocket-upgrade.ts';

/**
 * Connections that may wait to be accepted: when an edge dies all its devices come at once, and whoever finds no room tries again after 1, 3, 7, 15 s
 * only. The system caps it (`net.core.somaxconn`).
 */
const BACKLOG = 4_096;

/** Addresses of some kind, such as those of balancers. */
export interface AddressSet {
  has(address: string): boolean;
}

/** What all stream listeners of a front share. */
export interface ListenerContext {
  readonly limits: NetLimits;
  readonly counters: FrontCounters;
  readonly wheel: TimerWheel;
  readonly now: () => number;
  readonly admission: Admission;
  /** Balancers, which always begin with a PROXY header. */
  readonly proxies: AddressSet | undefined;
  readonly tls: TlsContexts | undefined;
  readonly webSocket: WebSocketSettings;
  readonly tap: TapSlot;
  readonly onError: (error: Error) => void;
}

/** A connection that is ready to carry SIP. Whoever takes it gives its address back to the admission at its end. */
export interface Arrived {
  readonly transport: StreamTransport;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly advertised: Endpoint;
  readonly certificateNames: readonly string[] | undefined;
  readonly carry: (user: ChannelUser) => Channel;
}

export type StreamTransport = Exclude<TransportName, 'udp'>;

/** A connection on its way to be a flow: PROXY header, TLS, WebSocket upgrade, whichever its listener wants. */
class Arrival implements WheelUser {
  remote: Endpoint;
  /** The address that it is counted under; undefined while it is only known to be from a balancer. */
  counted: string | undefined;
  certificateNames: readonly string[] | undefined;
  guard: WheelTimer | undefined;
  /** What no two connections of one listener share at a time; stays known when the connection is gone. */
  readonly name: string;

  constructor(
    readonly raw: Socket,
    private readonly counters: FrontCounters,
    private readonly onGone: (arrival: Arrival) => void,
  ) {
    this.name = nameOf(raw);
    raw.once('close', this.onClose);
    this.remote = { address: plainAddress(raw.remoteAddress ?? ''), port: raw.remotePort ?? 0 };
  }

  readonly onClose = (): void => {
    this.onGone(this);
  };

  onTimer(): void {
    this.guard = undefined;
    this.counters.handshakesTimedOut += 1;
    this.raw.destroy();
  }
}

/** One stream listener: accepts, within bounds of number and time, until there is a connection that carries SIP. */
export class StreamListener {
  readonly transport: StreamTransport;
  readonly local: { readonly address: string; port: number };
  advertised: Advertised;
  readonly #context: ListenerContext;
  readonly #onArrived: (arrived: Arrived) => void;
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  readonly #upgrade: WebSocketUpgrade | undefined;
  readonly #inHandshake = new Map<string, Arrival>();
  readonly #upgrading = new WeakMap<Duplex, Arrival>();

  constructor(
    transport: StreamTransport,
    host: string,
    port: number,
    advertised: Partial<Advertised>,
    context: ListenerContext,
    onArrived: (arrived: Arrived) => void,
  ) {
    this.transport = transport;
    this.local = { address: host, port };
    this.advertised = { any: advertised.any ?? this.local, ipv4: advertised.ipv4 };
    this.#context = context;
    this.#onArrived = onArrived;
    const { limits } = context;
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.tcpKeepAliveMs,
    });
    this.#server.on('connection', (socket) => {
      this.#accept(socket);
    });
    if (transport === 'tls' || transport === 'wss') this.#tls = this.#createTls();
    if (transport === 'ws' || transport === 'wss') {
      this.#upgrade = new WebSocketUpgrade(context.webSocket, limits, context.counters, (ws, socket) => {
        this.#upgraded(ws, socket);
      });
    }
  }

  /** Listens. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
  async start(): Promise<void> {
    const { address: host, port } = this.local;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', this.#context.onError);
    const address = this.#server.address();
    if (address !== null && typeof address === 'object') this.local.port = address.port;
  }

  /** Uses the certificates that have just been read. */
  reloadTls(): void {
    const { tls } = this.#context;
    if (tls !== undefined) this.#tls?.setSecureContext(tls.defaults);
  }

  stopAccepting(): void {
    this.#server.close();
  }

  async stop(): Promise<void> {
    for (const { raw } of this.#inHandshake.values()) raw.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  #createTls(): TlsServer {
    const { tls, counters } = this.#context;
    if (tls === undefined) throw new Error(`a ${this.transport} listener without certificates`);
    const server = createTlsServer({
      ...tls.defaults,
      ...tls.clientOptions,
      SNICallback: (name, done) => {
        done(null, tls.contextFor(name));
      },
    });
    server.on('secureConnection', (socket) => {
      counters.tlsHandshakes += 1;
      if (socket.isSessionReused()) counters.tlsResumed += 1;
      this.#secured(socket);
    });
    server.on('tlsClientError', (_error, socket) => {
      counters.tlsFailed += 1;
      socket.destroy();
    });
    return server;
  }

  #accept(raw: Socket): void {
    const { admission, proxies, limits, wheel, now, counters } = this.#context;
    raw.on('error', () => undefined); // 'close' follows
    if (raw.remoteAddress === undefined || !admission.enter()) {
      raw.destroy();
      return;
    }
    const arrival = new Arrival(raw, counters, this.#closed);
    const fromBalancer = proxies?.has(arrival.remote.address) === true;
    if (fromBalancer || this.transport !== 'tcp') {
      arrival.guard = wheel.start(limits.handshakeMs, now(), arrival, 'handshake');
      this.#inHandshake.set(arrival.name, arrival);
    }
    if (fromBalancer) this.#readProxyHeader(arrival);
    else if (this.#count(arrival)) this.#secure(arrival);
  }

  /** Gives a new connection its address; false when there are too many from there. */
  #count(arrival: Arrival): boolean {
    const { address } = arrival.remote;
    if (this.#context.admission.name(address)) {
      arrival.counted = address;
      return true;
    }
    arrival.raw.destroy();
    return false;
  }

  /** The end of a connection that has not become a flow. */
  readonly #closed = (arrival: Arrival): void => {
    if (arrival.guard !== undefined) this.#context.wheel.stop(arrival.guard);
    this.#inHandshake.delete(arrival.name);
    this.#context.admission.leave(arrival.counted);
  };

  #readProxyHeader(arrival: Arrival): void {
    const { raw } = arrival;
    const { counters } = this.#context;
    let read: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
      const header = readProxyHeader(read);
      if (header.kind === 'more') return;
      if (header.kind === 'bad') {
        counters.proxyRefused += 1;
        raw.destroy();
        return;
      }
      raw.pause();
      raw.off('data', onData);
      if (header.length < read.length) raw.unshift(read.subarray(header.length));
      if (header.source !== undefined) {
        arrival.remote = { address: plainAddress(header.source.address), port: header.source.port };
      }
      if (this.#count(arrival)) this.#secure(arrival);
    };
    raw.on('data', onData);
  }

  #secure(arrival: Arrival): void {
    // Documented for both servers: connections may be handed to them by this event.
    if (this.#tls === undefined) this.#open(arrival, arrival.raw);
    else this.#tls.emit('connection', arrival.raw);
  }

  #secured(socket: TLSSocket): void {
    socket.on('error', () => undefined); // 'close' follows
    const arrival = this.#inHandshake.get(nameOf(socket));
    if (arrival === undefined) {
      socket.destroy();
      return;
    }
    if (this.#context.tls?.clientOptions.requestCert === true)
      arrival.certificateNames = certificateNamesOf(socket);
    this.#open(arrival, socket);
  }

  #open(arrival: Arrival, socket: Socket): void {
    if (this.#upgrade !== undefined) {
      this.#upgrading.set(socket, arrival);
      this.#upgrade.take(socket);
      if (socket.isPaused()) socket.resume();
      return;
    }
    const { limits, wheel, now } = this.#context;
    this.#arrive(arrival, (user) => new FramedSocket(socket, limits, wheel, now, user));
  }

  #upgraded(ws: WebSocket, duplex: Duplex): void {
    const arrival = this.#upgrading.get(duplex);
    if (arrival === undefined) {
      ws.terminate();
      return;
    }
    const { limits, wheel, now } = this.#context;
    this.#arrive(arrival, (user) => new WebSocketChannel(ws, duplex, limits, wheel, now, user));
  }

  #arrive(arrival: Arrival, carry: (user: ChannelUser) => Channel): void {
    const { raw, remote, certificateNames } = arrival;
    raw.off('close', arrival.onClose);
    if (arrival.guard !== undefined) {
      this.#context.wheel.stop(arrival.guard);
      this.#inHandshake.delete(arrival.name);
    }
    const advertised = advertisedFor(this.advertised, remote.address);
    const { transport, local } = this;
    this.#onArrived({ transport, remote, local, advertised, certificateNames, carry });
  }
}

/** What no two connections of one listener share at a time. */
const nameOf = (socket: Socket): string =>
  `${socket.remoteAddress ?? ''} ${String(socket.remotePort)} ${socket.localAddress ?? ''}`;
