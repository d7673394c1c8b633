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
import { ClientTransactions } from './client-transactions.ts';
import { type FrontCounters, zeroCounters } from './counters.ts';
import { DEFAULT_LIMITS, type NetLimits } from './limits.ts';
import { isTooLarge, refuse } from './refusal.ts';
import { type NetLog, type RunnerContext, silentLog } from './runner-context.ts';
import { ServerTransactions } from './server-transactions.ts';
import { StreamTable, type StreamUser } from './stream-table.ts';
import { TimerWheel } from './timer-wheel.ts';
import { UdpListener } from './udp-listener.ts';
import type { SiblingFlow } from './via-source.ts';

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
  /** Every stream flow that is open now. */
  streams(): readonly Flow[];
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

class Front implements NativeFront, StreamUser {
  readonly counters: FrontCounters = zeroCounters();
  readonly #options: SipFrontOptions;
  readonly #limits: NetLimits;
  readonly #log: NetLog;
  readonly #wheel: TimerWheel;
  readonly #udp: UdpListener[] = [];
  readonly #streams: StreamTable;
  readonly #sibling: SiblingFlow = (flow, port) => {
    const listener = this.#udp.find(({ local }) => local === flow.local);
    return listener?.flowTo({ address: flow.remote.address, port }) ?? flow;
  };
  #servers: ServerTransactions | undefined;
  #clients: ClientTransactions | undefined;
  #user: FrontUser | undefined;
  #interval: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SipFrontOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const log = options.log ?? silentLog;
    this.#log = log;
    const now = (): number => options.clock.now();
    this.#wheel = new TimerWheel(now(), TICK_MS);
    this.#streams = new StreamTable({
      limits: this.#limits,
      counters: this.counters,
      wheel: this.#wheel,
      now,
      user: this,
      onListenerError: (error) => {
        log.warn({ err: error }, 'listener error');
      },
    });
  }

  get listeners(): SipFront['listeners'] {
    const udp = this.#udp.map(({ transport, local, advertised }) => ({ transport, local, advertised }));
    return [...udp, ...this.#streams.listeners];
  }

  sizes(): FrontSizes {
    const servers = this.#servers?.sizes ?? { pending: 0, completed: 0, invites: 0 };
    const clients = this.#clients?.size ?? 0;
    return { connections: this.#streams.size, timers: this.#wheel.size, clients, ...servers };
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
      for (const listener of this.#options.listeners) await this.#listen(listener);
    } catch (error) {
      await this.stop();
      throw error;
    }
    let ticks = 0;
    this.#interval = setInterval(() => {
      const now = clock.now();
      this.#wheel.turn(now);
      ticks += 1;
      if (ticks % HOUSEKEEPING_TICKS === 0) this.#servers?.tick(now);
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

  connect(transport: TransportName, remote: Endpoint): Flow | undefined {
    if (transport === 'tcp') return this.#streams.connect(remote);
    if (transport !== 'udp') return undefined;
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

  async #listen({ transport, host, port, advertised }: ListenerOptions): Promise<void> {
    if (transport === 'tcp') {
      await this.#streams.listen(host, port, advertised);
      return;
    }
    const listener = new UdpListener({
      index: this.#udp.length,
      host,
      port,
      advertised,
      counters: this.counters,
      onDatagram: (raw, flow) => {
        this.#receive(raw, flow);
      },
    });
    await listener.start();
    this.#udp.push(listener);
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
      if (checkResponse(message) === undefined) this.#clients?.receive(message, flow);
      else this.counters.malformedDropped += 1;
      return;
    }
    const problem = checkRequest(message, { stream: flow.reliable });
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
