import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '@rollcall/kernel';
import { checkRequest, checkResponse, parseMessage, type ParseProblem } from '@rollcall/sip';
import type {
  ClientTransaction,
  ClientTransactionUser,
  Endpoint,
  Flow,
  FrontUser,
  SipFront,
  TransportName,
} from '@rollcall/sip-transaction';
import { hostPort, plainAddress } from './addresses.ts';
import { type FrontCounters, zeroCounters } from './counters.ts';
import type { StreamEnd } from './framed-socket.ts';
import { DEFAULT_LIMITS, type NetLimits } from './limits.ts';
import { isTooLarge, refusalOf } from './refusal.ts';
import { TransactionRunner } from './runner.ts';
import { type NetLog, type RunnerContext, silentLog } from './runner-context.ts';
import { StreamFlow, type StreamFlowOwner } from './stream-flow.ts';
import { TimerWheel } from './timer-wheel.ts';
import { UdpListener } from './udp-listener.ts';

export interface ListenerOptions {
  readonly transport: 'udp' | 'tcp';
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly advertised?: Endpoint;
}

export interface SipFrontOptions {
  readonly listeners: readonly ListenerOptions[];
  readonly limits?: Partial<NetLimits>;
  readonly clock: Clock;
  readonly log?: NetLog;
}

export interface FrontSizes {
  readonly connections: number;
  readonly pending: number;
  readonly completed: number;
  readonly invites: number;
  readonly clients: number;
  readonly timers: number;
}

/** The native front with what metrics read off it. */
export interface NativeFront extends SipFront {
  readonly counters: Readonly<FrontCounters>;
  sizes(): FrontSizes;
  /** Closes the listeners for new connections; flows and transactions go on (drain). */
  stopAccepting(): void;
}

/** Precision of transaction timers; a tenth of T1. */
const TICK_MS = 50;
/** Non-INVITE housekeeping happens in every so many-th tick. */
const HOUSEKEEPING_TICKS = 5;

/** The native engine: UDP and TCP listeners, flow table, transaction runner. Nothing happens before `start`. */
export function createSipFront(options: SipFrontOptions): NativeFront {
  return new Front(options);
}

interface TcpListener {
  readonly transport: 'tcp';
  readonly options: ListenerOptions;
  readonly server: Server;
  local: Endpoint;
  advertised: Endpoint;
}

class Front implements NativeFront, StreamFlowOwner {
  readonly counters: FrontCounters = zeroCounters();
  readonly #options: SipFrontOptions;
  readonly #limits: NetLimits;
  readonly #log: NetLog;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  readonly #udp: UdpListener[] = [];
  readonly #tcp: TcpListener[] = [];
  readonly #flows = new Map<string, StreamFlow>();
  readonly #byRemote = new Map<string, StreamFlow>();
  readonly #perAddress = new Map<string, number>();
  #connectionNumber = 0;
  #runner: TransactionRunner | undefined;
  #user: FrontUser | undefined;
  #interval: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SipFrontOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#log = options.log ?? silentLog;
    this.#now = () => options.clock.now();
    this.#wheel = new TimerWheel(this.#now(), TICK_MS);
  }

  get listeners(): SipFront['listeners'] {
    return [...this.#udp, ...this.#tcp].map(({ transport, local, advertised }) => ({
      transport,
      local,
      advertised,
    }));
  }

  sizes(): FrontSizes {
    const transactions = this.#runner?.sizes ?? { pending: 0, completed: 0, invites: 0, clients: 0 };
    return { connections: this.#flows.size, timers: this.#wheel.size, ...transactions };
  }

  async start(user: FrontUser): Promise<void> {
    this.#user = user;
    const context: RunnerContext = {
      clock: this.#options.clock,
      wheel: this.#wheel,
      counters: this.counters,
      limits: this.#limits,
      log: this.#log,
      user,
    };
    this.#runner = new TransactionRunner(context, (flow, port) => this.#siblingFlow(flow, port));
    try {
      for (const listener of this.#options.listeners) await this.#listen(listener);
    } catch (error) {
      await this.stop();
      throw error;
    }
    let ticks = 0;
    this.#interval = setInterval(() => {
      const now = this.#now();
      this.#wheel.turn(now);
      ticks += 1;
      if (ticks % HOUSEKEEPING_TICKS === 0) this.#runner?.tick(now);
    }, TICK_MS);
  }

  flow(id: string): Flow | undefined {
    if (!id.startsWith('u')) return this.#flows.get(id);
    const index = Number(id.slice(1, id.indexOf('-')));
    return this.#udp.find((listener) => listener.index === index)?.flowOf(id);
  }

  connect(transport: TransportName, remote: Endpoint): Flow | undefined {
    if (transport === 'udp') {
      const family = isIPv6(remote.address);
      return this.#udp.find((listener) => isIPv6(listener.local.address) === family)?.flowTo(remote);
    }
    if (transport !== 'tcp' || this.#stopped) return undefined;
    const existing = this.#byRemote.get(hostPort(remote.address, remote.port));
    if (existing !== undefined) return existing;
    if (!this.#admits(remote.address)) return undefined;
    this.counters.connectionsOpened += 1;
    const listener = this.#tcp[0];
    const local = listener?.local ?? { address: '0.0.0.0', port: 0 };
    const socket = connect({ host: remote.address, port: remote.port });
    return this.#addStream(socket, remote, local, listener?.advertised ?? local);
  }

  request(
    flow: Flow,
    method: string,
    branch: string,
    message: string,
    user: ClientTransactionUser,
  ): ClientTransaction {
    if (this.#runner === undefined) throw new Error('the front has not been started');
    return this.#runner.startClient(flow, method, branch, message, user);
  }

  stopAccepting(): void {
    for (const { server } of this.#tcp) server.close();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#runner?.stop();
    const closing = this.#tcp.map(
      ({ server }) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const flow of [...this.#flows.values()]) flow.close();
    await Promise.all([...this.#udp.map((listener) => listener.stop()), ...closing]);
    clearInterval(this.#interval);
  }

  onMessage(raw: string, flow: StreamFlow): void {
    this.#receive(raw, flow);
  }

  onPing(): void {
    this.counters.keepAlives += 1;
  }

  onFramingProblem(problem: ParseProblem, head: string, flow: StreamFlow): void {
    this.#refuse(problem, flow, head);
  }

  onEnd(flow: StreamFlow, reason: StreamEnd): void {
    this.#flows.delete(flow.id);
    const remote = hostPort(flow.remote.address, flow.remote.port);
    if (this.#byRemote.get(remote) === flow) this.#byRemote.delete(remote);
    const left = (this.#perAddress.get(flow.remote.address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(flow.remote.address, left);
    else this.#perAddress.delete(flow.remote.address);
    if (reason === 'idle') this.counters.closedIdle += 1;
    else if (reason === 'stalled') this.counters.closedStalled += 1;
    else if (reason === 'framing') this.counters.closedFraming += 1;
    else if (reason === 'slow reader') this.counters.closedSlow += 1;
    this.#user?.onFlowClosed?.(flow);
  }

  async #listen(options: ListenerOptions): Promise<void> {
    if (options.transport === 'tcp') {
      await this.#listenTcp(options);
      return;
    }
    const listener = new UdpListener({
      index: this.#udp.length,
      host: options.host,
      port: options.port,
      advertised: options.advertised,
      counters: this.counters,
      onDatagram: (raw, flow) => {
        this.#receive(raw, flow);
      },
    });
    await listener.start();
    this.#udp.push(listener);
  }

  async #listenTcp(options: ListenerOptions): Promise<void> {
    const local = { address: options.host, port: options.port };
    const server = createServer({ noDelay: true, keepAlive: true });
    const listener: TcpListener = {
      transport: 'tcp',
      options,
      server,
      local,
      advertised: options.advertised ?? local,
    };
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => {
      this.#log.warn({ err: error }, 'listener error');
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') local.port = address.port;
    server.on('connection', (socket) => {
      this.#accept(socket, listener);
    });
    this.#tcp.push(listener);
  }

  #accept(socket: Socket, listener: TcpListener): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (address === '' || this.#stopped || !this.#admits(address)) {
      socket.destroy();
      return;
    }
    this.counters.connectionsAccepted += 1;
    const remote = { address, port: socket.remotePort ?? 0 };
    this.#addStream(socket, remote, listener.local, listener.advertised).awaitFirstByte();
  }

  #admits(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#flows.size < maxConnections && (this.#perAddress.get(address) ?? 0) < maxConnectionsPerAddress)
      return true;
    this.counters.connectionsRefused += 1;
    return false;
  }

  #addStream(socket: Socket, remote: Endpoint, local: Endpoint, advertised: Endpoint): StreamFlow {
    this.#connectionNumber += 1;
    const id = `t${this.#connectionNumber.toString(36)}`;
    const flow = new StreamFlow(
      id,
      'tcp',
      socket,
      remote,
      local,
      advertised,
      this.#limits,
      this.#wheel,
      this.#now,
      this,
    );
    this.#flows.set(id, flow);
    this.#byRemote.set(hostPort(flow.remote.address, flow.remote.port), flow);
    this.#perAddress.set(flow.remote.address, (this.#perAddress.get(flow.remote.address) ?? 0) + 1);
    return flow;
  }

  #siblingFlow(flow: Flow, port: number): Flow {
    const listener = this.#udp.find(({ local }) => local === flow.local);
    return listener?.flowTo({ address: flow.remote.address, port }) ?? flow;
  }

  /** One whole message, as far as the transport can tell. */
  #receive(raw: string, flow: Flow): void {
    try {
      this.#read(raw, flow);
    } catch (error) {
      // A bug of ours must cost one message, not the process.
      this.counters.userErrors += 1;
      this.#log.error({ err: error, flow: flow.id }, 'message handling threw');
    }
  }

  #read(raw: string, flow: Flow): void {
    const parsed = parseMessage(raw);
    if (!parsed.ok) {
      this.#refuse(parsed.error, flow);
      return;
    }
    const message = parsed.value;
    if (message.kind === 'response') {
      if (checkResponse(message) === undefined) this.#runner?.receiveResponse(message, flow);
      else this.counters.malformedDropped += 1;
      return;
    }
    const problem = checkRequest(message, { stream: flow.reliable });
    if (problem === undefined) this.#runner?.receiveRequest(message, flow);
    else this.#refuse({ ...problem, request: message }, flow);
  }

  /** Refuses a malformed request; without state, and to its source (RFC 3261 §8.2.7). */
  #refuse(problem: ParseProblem, flow: Flow, head?: string): void {
    if (isTooLarge(problem)) this.counters.tooLarge += 1;
    const refusal = refusalOf(problem, flow, head);
    this.#log.debug(
      { code: problem.code, at: problem.at, flow: flow.id, answered: refusal !== undefined },
      'malformed message',
    );
    if (refusal === undefined) {
      this.counters.malformedDropped += 1;
      return;
    }
    this.counters.malformedRefused += 1;
    flow.send(refusal);
    if (head === undefined && flow.reliable && isTooLarge(problem)) {
      this.counters.closedFraming += 1;
      flow.close('message too large');
    }
  }
}
