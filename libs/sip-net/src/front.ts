import type { Clock } from '@rollcall/kernel';
import { checkRequest, checkResponse, parseMessage, type ParseProblem } from '@rollcall/sip';
import type {
  ClientTransaction,
  ClientTransactionUser,
  ConnectOptions,
  Endpoint,
  Flow,
  FrontUser,
  SipFront,
  TransportName,
} from '@rollcall/sip-transaction';
import { Admission } from './admission.ts';
import { ClientTransactions } from './client-transactions.ts';
import { type FrontCounters, zeroCounters } from './counters.ts';
import { DEFAULT_LIMITS, type NetLimits } from './limits.ts';
import { isTooLarge, refuse } from './refusal.ts';
import { type NetLog, type RunnerContext, silentLog } from './runner-context.ts';
import { ServerTransactions } from './server-transactions.ts';
import type { AddressSet, ListenerContext } from './stream-listener.ts';
import { StreamTable, type StreamUser } from './stream-table.ts';
import { NO_TAP, type TapSlot } from './tap.ts';
import { TimerWheel } from './timer-wheel.ts';
import { TlsContexts, type TlsSettings } from './tls-contexts.ts';
import { UdpListener } from './udp-listener.ts';
import type { SiblingFlow } from './via-source.ts';
import type { WebSocketSettings } from './websocket-upgrade.ts';

export interface ListenerOptions {
  readonly transport: TransportName;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** What the outside is told instead of host and port. */
  readonly advertised?: Endpoint;
  /** What IPv4 peers are told of a listener that serves both families (on `::`). */
  readonly advertisedIPv4?: Endpoint;
}

export interface SipFrontOptions {
  readonly listeners: readonly ListenerOptions[];
  readonly limits?: Partial<NetLimits>;
  readonly clock: Clock;
  readonly log?: NetLog;
  /** Wanted by `tls` and `wss` listeners; also what TLS connections of ours show and trust. */
  readonly tls?: TlsSettings;
  readonly webSocket?: WebSocketSettings;
  /** Balancers that begin every stream connection with a PROXY header. */
  readonly proxies?: AddressSet;
  /** Who looks on at the messages, if anybody. */
  readonly tap?: TapSlot;
  /** Datagrams are read and sent many at a time where the system lets us; true unless said otherwise. */
  readonly datagramBatches?: boolean;
}

export interface FrontSizes {
  readonly connections: number;
  readonly pending: number;
  readonly completed: number;
  readonly invites: number;
  readonly clients: number;
  /** Client transactions in Completed over UDP. */
  readonly answered: number;
  readonly timers: number;
  /** Stream connections that are no flows yet: PROXY header, TLS handshake, upgrade. */
  readonly arriving: number;
}

/** The native front with what metrics read off it. */
export interface NativeFront extends SipFront {
  readonly counters: Readonly<FrontCounters>;
  sizes(): FrontSizes;
  /** Stream flows by transport. */
  flowCounts(): Readonly<Record<Exclude<TransportName, 'udp'>, number>>;
  /** How the certificates fare; undefined without any. */
  tlsState(): { readonly reloads: number; readonly failures: number; readonly expiresAt: number } | undefined;
  /** Reads the certificate files again at once; a front does so by itself every few seconds. */
  reloadCertificates(): Promise<void>;
  /** Every stream flow that is open now. */
  streams(): readonly Flow[];
  /** How long a datagram waits in its socket now, ms; of several sockets the longest, and at most T1. */
  datagramsWait(): number;
  /** Closes the listeners for new connections; flows and transactions go on (drain). */
  stopAccepting(): void;
}

/** Transports on which only Content-Length tells where a message ends (RFC 3261 §18.3, RFC 7118 §5). */
const BYTE_STREAMS: ReadonlySet<TransportName> = new Set<TransportName>(['tcp', 'tls']);
const STREAM = { stream: true };
const MESSAGES = { stream: false };
/** Precision of transaction timers; a tenth of T1. */
const TICK_MS = 50;
/** Non-INVITE housekeeping happens in every so many-th tick. */
const HOUSEKEEPING_TICKS = 5;
/** So often silent streams are looked for, ms. */
const SWEEP_MS = 5_000;
/** So often the certificate files are looked at: a mounted Kubernetes Secret changes without a signal. */
const CERTIFICATES_MS = 10_000;

/** The native engine: UDP and TCP listeners, flow table, transaction runner. Nothing happens before `start`. */
export function createSipFront(options: SipFrontOptions): NativeFront {
  return new Front(options);
}

class Front implements NativeFront, StreamUser {
  readonly counters: FrontCounters = zeroCounters();
  readonly #options: SipFrontOptions;
  readonly #limits: NetLimits;
  readonly #log: NetLog;
  readonly #tap: TapSlot;
  readonly #wheel: TimerWheel;
  readonly #udp: UdpListener[] = [];
  readonly #streams: StreamTable;
  readonly #admission: Admission;
  readonly #tls: TlsContexts | undefined;
  readonly #sibling: SiblingFlow = (flow, port) => {
    const listener = this.#udp.find(({ local }) => local === flow.local);
    return listener?.flowTo({ address: flow.remote.address, port }) ?? flow;
  };
  #servers: ServerTransactions | undefined;
  #clients: ClientTransactions | undefined;
  #user: FrontUser | undefined;
  #interval: NodeJS.Timeout | undefined;
  #certificates: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SipFrontOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const log = options.log ?? silentLog;
    this.#log = log;
    this.#tap = options.tap ?? NO_TAP;
    const now = (): number => options.clock.now();
    this.#wheel = new TimerWheel(now(), TICK_MS);
    this.#admission = new Admission(this.#limits, this.counters);
    this.#tls = options.tls === undefined ? undefined : new TlsContexts(options.tls, now, log);
    const context: ListenerContext = {
      limits: this.#limits,
      counters: this.counters,
      wheel: this.#wheel,
      now,
      admission: this.#admission,
      proxies: options.proxies,
      tls: this.#tls,
      webSocket: options.webSocket ?? {},
      tap: this.#tap,
      onError: (error) => {
        log.warn({ err: error }, 'listener error');
      },
    };
    this.#streams = new StreamTable(context, this);
  }

  get listeners(): SipFront['listeners'] {
    const udp = this.#udp.flatMap(({ transport, local, advertised: { any, ipv4 } }) =>
      [any, ...(ipv4 === undefined ? [] : [ipv4])].map((advertised) => ({ transport, local, advertised })),
    );
    return [...udp, ...this.#streams.listeners];
  }

  sizes(): FrontSizes {
    const servers = this.#servers?.sizes ?? { pending: 0, completed: 0, invites: 0 };
    const clients = this.#clients?.sizes ?? { clients: 0, answered: 0 };
    const connections = this.#streams.size;
    const arriving = this.#admission.size - connections;
    return { connections, arriving, timers: this.#wheel.size, ...clients, ...servers };
  }

  flowCounts(): Readonly<Record<Exclude<TransportName, 'udp'>, number>> {
    return this.#streams.counts;
  }

  tlsState(): { reloads: number; failures: number; expiresAt: number } | undefined {
    const tls = this.#tls;
    if (tls === undefined) return undefined;
    return { reloads: tls.reloads, failures: tls.failures, expiresAt: tls.expiresAt };
  }

  datagramsWait(): number {
    return this.#udp.reduce((longest, listener) => Math.max(longest, listener.waits()), 0);
  }

  async reloadCertificates(): Promise<void> {
    if (this.#tls !== undefined && (await this.#tls.refresh())) this.#streams.reloadTls();
  }

  async start(user: FrontUser): Promise<void> {
    this.#user = user;
    const { clock } = this.#options;
    const context: RunnerContext = {
      clock,
      wheel: this.#wheel,
      counters: this.counters,
      limits: this.#limits,
      log: this.#log,
      user,
    };
    this.#servers = new ServerTransactions(context, this.#sibling);
    this.#clients = new ClientTransactions(context);
    try {
      await this.#tls?.load();
      for (const listener of this.#options.listeners) await this.#listen(listener);
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#tls !== undefined)
      this.#certificates = setInterval(() => void this.reloadCertificates(), CERTIFICATES_MS);
    let ticks = 0;
    let sweepAt = clock.now() + SWEEP_MS;
    this.#interval = setInterval(() => {
      const now = clock.now();
      this.#wheel.turn(now);
      ticks += 1;
      if (ticks % HOUSEKEEPING_TICKS === 0) {
        this.#servers?.tick(now);
        this.#clients?.tick(now);
      }
      if (now < sweepAt) return;
      sweepAt = now + SWEEP_MS;
      this.#streams.sweep(now);
    }, TICK_MS);
  }

  flow(id: string): Flow | undefined {
    if (!id.startsWith('u')) return this.#streams.flow(id);
    const index = Number(id.slice(1, id.indexOf('-')));
    return this.#udp.find((listener) => listener.index === index)?.flowOf(id);
  }

  streams(): readonly Flow[] {
    return this.#streams.all();
  }

  connect(transport: TransportName, remote: Endpoint, options: ConnectOptions = {}): Flow | undefined {
    if (transport !== 'udp') return this.#streams.connect(transport, remote, options);
    return this.#udp.find((listener) => listener.reaches(remote.address))?.flowTo(remote);
  }

  request(
    flow: Flow,
    method: string,
    branch: string,
    message: string,
    user: ClientTransactionUser,
  ): ClientTransaction {
    if (this.#clients === undefined) throw new Error('the front has not been started');
    return this.#clients.start(flow, method, branch, message, user);
  }

  stopAccepting(): void {
    this.#streams.stopAccepting();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#clients?.stop();
    this.#servers?.stop();
    await Promise.all([...this.#udp.map((listener) => listener.stop()), this.#streams.stop()]);
    clearInterval(this.#interval);
    clearInterval(this.#certificates);
  }

  onMessage(raw: string, flow: Flow): void {
    this.#receive(raw, flow);
  }

  onFramingProblem(problem: ParseProblem, head: string, flow: Flow): void {
    this.#refuse(problem, flow, head);
  }

  onFlowClosed(flow: Flow): void {
    this.#user?.onFlowClosed?.(flow);
  }

  async #listen({ transport, ...options }: ListenerOptions): Promise<void> {
    if (transport !== 'udp') {
      await this.#streams.listen({ transport, ...options });
      return;
    }
    const listener = new UdpListener({
      index: this.#udp.length,
      ...options,
      counters: this.counters,
      tap: this.#tap,
      batches: this.#options.datagramBatches ?? true,
      now: () => this.#options.clock.now(),
      onDatagram: (raw, flow) => {
        this.#receive(raw, flow);
      },
    });
    await listener.start();
    this.#log.debug({ ...listener.local, batches: listener.inBatches }, 'datagrams are read');
    this.#udp.push(listener);
  }

  /** One whole message, as far as the transport can tell. */
  #receive(raw: string, flow: Flow): void {
    try {
      this.#tap.tap?.received(raw, flow);
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
      if (checkResponse(message) === undefined) this.#clients?.receive(message, flow);
      else this.counters.malformedDropped += 1;
      return;
    }
    const problem = checkRequest(message, BYTE_STREAMS.has(flow.transport) ? STREAM : MESSAGES);
    if (problem === undefined) this.#servers?.receive(message, flow);
    else this.#refuse({ ...problem, request: message }, flow);
  }

  #refuse(problem: ParseProblem, flow: Flow, head?: string): void {
    if (isTooLarge(problem)) this.counters.tooLarge += 1;
    const answered = refuse(problem, flow, this.#sibling, head);
    if (answered) this.counters.malformedRefused += 1;
    else this.counters.malformedDropped += 1;
    this.#log.debug({ code: problem.code, at: problem.at, flow: flow.id, answered }, 'malformed message');
    if (answered && head === undefined && flow.reliable && isTooLarge(problem)) {
      this.counters.closedFraming += 1;
      flow.close('message too large');
    }
  }
}
