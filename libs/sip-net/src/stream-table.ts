import { connect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { ParseProblem } from '@rollcall/sip';
import type { ConnectOptions, Endpoint, Flow, SipFront } from '@rollcall/sip-transaction';
import { hostPort } from './addresses.ts';
import { advertisedFor } from './advertised.ts';
import type { StreamEnd } from './channel.ts';
import { FramedSocket } from './framed-socket.ts';
import { checkSipServer } from './peer-identity.ts';
import { FLOW_LETTERS, StreamFlow, type StreamFlowOwner } from './stream-flow.ts';
import {
  type Arrived,
  type ListenerContext,
  StreamListener,
  type StreamTransport,
} from './stream-listener.ts';
import type { TapSlot } from './tap.ts';

/** What the front does with what comes over streams. */
export interface StreamUser {
  onMessage(raw: string, flow: Flow): void;
  onFramingProblem(problem: ParseProblem, head: string, flow: Flow): void;
  onFlowClosed(flow: Flow): void;
}

export interface StreamListenOptions {
  readonly transport: StreamTransport;
  readonly host: string;
  readonly port: number;
  readonly advertised?: Endpoint | undefined;
  readonly advertisedIPv4?: Endpoint | undefined;
}

type FlowCounts = Record<StreamTransport, number>;

/** The stream listeners and the table of their flows, in bounds for all and for each address. */
export class StreamTable implements StreamFlowOwner {
  readonly #context: ListenerContext;
  readonly #user: StreamUser;
  readonly #listeners: StreamListener[] = [];
  readonly #flows = new Map<string, StreamFlow>();
  /** Flows that `connect` gives out again (RFC 3261 §18.1.1). */
  readonly #shared = new Map<string, StreamFlow>();
  readonly #counts: FlowCounts = { tcp: 0, tls: 0, ws: 0, wss: 0 };
  #connectionNumber = 0;
  #stopped = false;

  constructor(context: ListenerContext, user: StreamUser) {
    this.#context = context;
    this.#user = user;
  }

  get size(): number {
    return this.#flows.size;
  }

  get tap(): TapSlot {
    return this.#context.tap;
  }

  /** Flows by transport. */
  get counts(): Readonly<FlowCounts> {
    return this.#counts;
  }

  get listeners(): SipFront['listeners'] {
    return this.#listeners.flatMap(({ transport, local, advertised: { any, ipv4 } }) =>
      [any, ...(ipv4 === undefined ? [] : [ipv4])].map((advertised) => ({ transport, local, advertised })),
    );
  }

  flow(id: string): Flow | undefined {
    return this.#flows.get(id);
  }

  /** Every stream that is open now. */
  all(): readonly Flow[] {
    return [...this.#flows.values()];
  }

  /** Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
  async listen(options: StreamListenOptions): Promise<void> {
    const { transport, host, port, advertised, advertisedIPv4 } = options;
    const told = { ...(advertised === undefined ? undefined : { any: advertised }), ipv4: advertisedIPv4 };
    const listener = new StreamListener(transport, host, port, told, this.#context, (arrived) => {
      this.#arrived(arrived);
    });
    await listener.start();
    this.#listeners.push(listener);
  }

  reloadTls(): void {
    for (const listener of this.#listeners) listener.reloadTls();
  }

  /**
   * The connection to an address: an existing one (RFC 3261 §18.1.1), or a new one. Undefined when a limit refuses it, and
   * for WebSockets, which only clients open (RFC 7118 §4.1).
   */
  connect(transport: StreamTransport, remote: Endpoint, options: ConnectOptions): Flow | undefined {
    if (transport === 'ws' || transport === 'wss') return undefined;
    const serverName = options.serverName ?? remote.address;
    const key = shareKey(transport, remote, serverName);
    const existing = this.#shared.get(key);
    if (existing !== undefined) return existing;
    const { admission, counters } = this.#context;
    if (this.#stopped || !admission.enter()) return undefined;
    if (!admission.name(remote.address)) {
      admission.leave(undefined);
      return undefined;
    }
    counters.connectionsOpened += 1;
    const socket = transport === 'tls' ? this.#connectTls(remote, serverName) : connect(target(remote));
    socket.setKeepAlive(true, this.#context.limits.tcpKeepAliveMs);
    const flow = this.#addOutbound(transport, socket, remote, key);
    socket.setTimeout(this.#context.limits.connectMs, () => {
      flow.end('not connected');
    });
    socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0);
    });
    return flow;
  }

  /** Asks silent flows for a sign of life and ends those that give none. To be called every few seconds. */
  sweep(now: number): void {
    const { pingMs, pongMs, idleMs } = this.#context.limits;
    for (const flow of this.#flows.values()) {
      const { receivedAt, pingedAt } = flow;
      if (pingedAt > 0 && receivedAt < pingedAt) {
        if (now - pingedAt >= pongMs) flow.end('keep-alive missed');
        continue;
      }
      flow.pingedAt = 0;
      const silentMs = now - receivedAt;
      if (silentMs >= (flow.keepAliveMs ?? idleMs)) flow.end('keep-alive missed');
      else if (silentMs >= pingMs && flow.ping()) flow.pingedAt = now;
    }
  }

  stopAccepting(): void {
    for (const listener of this.#listeners) listener.stopAccepting();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const closing = this.#listeners.map((listener) => listener.stop());
    for (const flow of [...this.#flows.values()]) flow.close();
    await Promise.all(closing);
  }

  onMessage(raw: string, flow: StreamFlow): void {
    this.#user.onMessage(raw, flow);
  }

  onPing(): void {
    this.#context.counters.keepAlives += 1;
  }

  onFramingProblem(problem: ParseProblem, head: string, flow: StreamFlow): void {
    this.#user.onFramingProblem(problem, head, flow);
  }

  onEnd(flow: StreamFlow, reason: StreamEnd): void {
    this.#flows.delete(flow.id);
    if (flow.shareKey !== undefined && this.#shared.get(flow.shareKey) === flow)
      this.#shared.delete(flow.shareKey);
    this.#counts[flow.transport as StreamTransport] -= 1;
    this.#context.admission.leave(flow.remote.address);
    this.#countEnd(reason);
    this.#user.onFlowClosed(flow);
  }

  #countEnd(reason: StreamEnd): void {
    const { counters } = this.#context;
    if (reason === 'idle') counters.closedIdle += 1;
    else if (reason === 'stalled') counters.closedStalled += 1;
    else if (reason === 'framing') counters.closedFraming += 1;
    else if (reason === 'slow reader') counters.closedSlow += 1;
    else if (reason === 'keep-alive missed') counters.closedSilent += 1;
    else if (reason === 'not connected') counters.closedUnconnected += 1;
  }

  #arrived({ transport, remote, local, advertised, certificateNames, carry }: Arrived): void {
    this.#context.counters.connectionsAccepted += 1;
    // A connection that a client has opened is used for requests to its very address too; over TLS its name is not known.
    const key = transport === 'tcp' ? shareKey('tcp', remote, remote.address) : undefined;
    const names = { id: this.#nextId(transport), transport, remote, local, advertised, certificateNames };
    const flow = new StreamFlow(names, key, this, carry);
    this.#add(flow);
    flow.awaitFirstByte();
    if (this.#stopped) flow.close();
  }

  #addOutbound(transport: StreamTransport, socket: Socket, remote: Endpoint, key: string): StreamFlow {
    const { limits, wheel, now } = this.#context;
    const family = isIP(remote.address);
    const reaches = ({ local }: StreamListener): boolean =>
      isIP(local.address) === family || local.address === '::';
    const listener =
      this.#listeners.find((one) => one.transport === transport && reaches(one)) ??
      this.#listeners.find((one) => one.transport === transport) ??
      this.#listeners[0];
    const local = listener?.local ?? { address: '0.0.0.0', port: 0 };
    const advertised = listener === undefined ? local : advertisedFor(listener.advertised, remote.address);
    const names = { id: this.#nextId(transport), transport, remote, local, advertised };
    const flow = new StreamFlow(
      names,
      key,
      this,
      (user) => new FramedSocket(socket, limits, wheel, now, user),
    );
    this.#add(flow);
    return flow;
  }

  #connectTls(remote: Endpoint, serverName: string): Socket {
    const { tls } = this.#context;
    const { cert, key } = tls?.defaults ?? {};
    return tlsConnect({
      ...target(remote),
      // RFC 6066 §3: no address is a server name.
      ...(isIP(serverName) === 0 ? { servername: serverName } : undefined),
      ...(cert === undefined || key === undefined ? undefined : { cert, key }),
      ...(tls?.serverAuthorities === undefined ? undefined : { ca: tls.serverAuthorities }),
      checkServerIdentity: (_name, certificate) => checkSipServer(serverName, certificate),
    });
  }

  #nextId(transport: StreamTransport): string {
    this.#connectionNumber += 1;
    return FLOW_LETTERS[transport] + this.#connectionNumber.toString(36);
  }

  #add(flow: StreamFlow): void {
    this.#flows.set(flow.id, flow);
    if (flow.shareKey !== undefined) this.#shared.set(flow.shareKey, flow);
    this.#counts[flow.transport as StreamTransport] += 1;
  }
}

const target = (remote: Endpoint): { host: string; port: number; noDelay: true } => ({
  host: remote.address,
  port: remote.port,
  noDelay: true,
});

const shareKey = (transport: StreamTransport, remote: Endpoint, serverName: string): string =>
  `${transport} ${hostPort(remote.address, remote.port)} ${serverName}`;
