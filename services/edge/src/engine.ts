import type { Clock } from '@rollcall/kernel';
import type { createDrachtioFront, DrachtioFront } from '@rollcall/sip-drachtio';
import type { createSipFront, FrontSizes, NativeFront, TapSlot } from '@rollcall/sip-net';
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
import type { Logger } from '@rollcall/telemetry';
import type { EdgeConfig } from './config.ts';
import { transportContradiction, transportOptions, unreadableFile } from './transports.ts';

/** A front, and whether it can serve phones. */
export interface Engine extends NativeFront {
  readonly ready: boolean;
}

export interface EngineDeps {
  /** What makes each engine. */
  readonly make: { readonly native: typeof createSipFront; readonly drachtio: typeof createDrachtioFront };
  readonly clock: Clock;
  readonly log: Omit<Logger, 'child'>;
  readonly tap: TapSlot;
  /** Told of the addresses that are listened on, whenever they become known. */
  readonly onListeners: (listeners: SipFront['listeners']) => void;
}

/** What contradicts itself in the settings of engine and transports. */
export function engineContradiction(config: EdgeConfig): string | undefined {
  if (config.engine === 'native') return transportContradiction(config);
  const { drachtioSecret } = config;
  if (drachtioSecret === undefined) return 'ROLLCALL_ENGINE=drachtio wants ROLLCALL_DRACHTIO_SECRET';
  // Its protocol has no escapes: the field would end there.
  if (/[|\r\n]/.test(drachtioSecret)) return 'ROLLCALL_DRACHTIO_SECRET: must not hold "|" or a line break';
  return undefined;
}

/** What keeps the engine from starting: settings that contradict each other, or a file that they name. */
export function engineProblem(config: EdgeConfig): string | undefined {
  return engineContradiction(config) ?? (config.engine === 'native' ? unreadableFile(config) : undefined);
}

/** The engine that is configured. */
export function createEngine(config: EdgeConfig, { make, clock, log, tap, onListeners }: EngineDeps): Engine {
  const options = transportOptions(config);
  if (config.engine === 'native') {
    const front = make.native({ ...options, clock, log, tap });
    return Object.assign(front, { ready: true });
  }
  const { host, port } = config.drachtio;
  const phones = make.drachtio({
    host,
    port,
    secret: config.drachtioSecret ?? '',
    log,
    tap,
    onListeners,
  });
  // Connections to other edges are between us: they carry Route, which the server takes from nobody.
  const edges = make.native({ ...options, listeners: [], clock, log, tap });
  return new JoinedEngine(phones, edges);
}

/** Phones by a drachtio-server, other edges by connections of our own. */
class JoinedEngine implements Engine {
  readonly #phones: DrachtioFront;
  readonly #edges: NativeFront;

  constructor(phones: DrachtioFront, edges: NativeFront) {
    this.#phones = phones;
    this.#edges = edges;
  }

  get ready(): boolean {
    return this.#phones.up;
  }

  get listeners(): SipFront['listeners'] {
    return this.#phones.listeners;
  }

  get counters(): NativeFront['counters'] {
    const { requests, malformed, tooLarge, orphans } = this.#phones.counters;
    const own = this.#edges.counters;
    return {
      ...own,
      requestsIn: own.requestsIn + requests,
      malformedRefused: own.malformedRefused + malformed,
      tooLarge: own.tooLarge + tooLarge,
      strayResponses: own.strayResponses + orphans,
    };
  }

  async start(user: FrontUser): Promise<void> {
    await this.#edges.start(user);
    await this.#phones.start(user);
  }

  flow(id: string): Flow | undefined {
    return this.#phones.flow(id) ?? this.#edges.flow(id);
  }

  /** Streams that we open lead to other edges; phones are reached by datagrams, or on a flow of theirs. */
  connect(transport: TransportName, remote: Endpoint, options?: ConnectOptions): Flow | undefined {
    return transport === 'udp'
      ? this.#phones.connect(transport, remote)
      : this.#edges.connect(transport, remote, options);
  }

  request(
    flow: Flow,
    method: string,
    branch: string,
    message: string,
    user: ClientTransactionUser,
  ): ClientTransaction {
    const front = this.#phones.owns(flow) ? this.#phones : this.#edges;
    return front.request(flow, method, branch, message, user);
  }

  sizes(): FrontSizes {
    const own = this.#edges.sizes();
    const { pending, clients, dialogs } = this.#phones.sizes();
    return {
      ...own,
      pending: own.pending + pending,
      clients: own.clients + clients,
      invites: own.invites + dialogs,
    };
  }

  flowCounts(): ReturnType<NativeFront['flowCounts']> {
    return this.#edges.flowCounts();
  }

  tlsState(): ReturnType<NativeFront['tlsState']> {
    return undefined;
  }

  reloadCertificates(): Promise<void> {
    return Promise.resolve();
  }

  streams(): readonly Flow[] {
    return this.#edges.streams();
  }

  /** Datagrams of phones are the drachtio-server's to read. */
  datagramsWait(): number {
    return 0;
  }

  stopAccepting(): void {
    this.#phones.stopAccepting();
  }

  async stop(): Promise<void> {
    await this.#phones.stop();
    await this.#edges.stop();
  }
}
