import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ParseProblem } from '@rollcall/sip';
import type { Endpoint, Flow } from '@rollcall/sip-transaction';
import { hostPort, plainAddress } from './addresses.ts';
import type { FrontCounters } from './counters.ts';
import type { StreamEnd } from './framed-socket.ts';
import type { NetLimits } from './limits.ts';
import { StreamFlow, type StreamFlowOwner } from './stream-flow.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What the front does with what comes over streams. */
export interface StreamUser {
  onMessage(raw: string, flow: Flow): void;
  onFramingProblem(problem: ParseProblem, head: string, flow: Flow): void;
  onFlowClosed(flow: Flow): void;
}

export interface StreamTableOptions {
  readonly limits: NetLimits;
  readonly counters: FrontCounters;
  readonly wheel: TimerWheel;
  readonly now: () => number;
  readonly user: StreamUser;
  readonly onListenerError: (error: Error) => void;
}

interface TcpListener {
  readonly transport: 'tcp';
  readonly server: Server;
  readonly local: { readonly address: string; port: number };
  readonly advertised: Endpoint;
}

/** The stream listeners and the table of their flows, in bounds for all and for each address. */
export class StreamTable implements StreamFlowOwner {
  readonly #options: StreamTableOptions;
  readonly #listeners: TcpListener[] = [];
  readonly #flows = new Map<string, StreamFlow>();
  readonly #byRemote = new Map<string, StreamFlow>();
  readonly #perAddress = new Map<string, number>();
  #connectionNumber = 0;
  #stopped = false;

  constructor(options: StreamTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flows.size;
  }

  get listeners(): readonly { transport: 'tcp'; local: Endpoint; advertised: Endpoint }[] {
    return this.#listeners.map(({ transport, local, advertised }) => ({ transport, local, advertised }));
  }

  flow(id: string): Flow | undefined {
    return this.#flows.get(id);
  }

  /** Every stream that is open now. */
  all(): readonly Flow[] {
    return [...this.#flows.values()];
  }

  /** Listens on TCP. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
  async listen(host: string, port: number, advertised: Endpoint | undefined): Promise<void> {
    const local = { address: host, port };
    const server = createServer({ noDelay: true, keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', this.#options.onListenerError);
    const address = server.address();
    if (address !== null && typeof address === 'object') local.port = address.port;
    const listener: TcpListener = { transport: 'tcp', server, local, advertised: advertised ?? local };
    server.on('connection', (socket) => {
      this.#accept(socket, listener);
    });
    this.#listeners.push(listener);
  }

  /** The connection to an address: an existing one (RFC 3261 §18.1.1), or a new one. Undefined when a limit refuses it. */
  connect(remote: Endpoint): Flow | undefined {
    const existing = this.#byRemote.get(hostPort(remote.address, remote.port));
    if (existing !== undefined) return existing;
    if (this.#stopped || !this.#admits(remote.address)) return undefined;
    this.#options.counters.connectionsOpened += 1;
    const listener = this.#listeners[0];
    const local = listener?.local ?? { address: '0.0.0.0', port: 0 };
    const socket = connect({ host: remote.address, port: remote.port });
    return this.#add(socket, remote, local, listener?.advertised ?? local);
  }

  stopAccepting(): void {
    for (const { server } of this.#listeners) server.close();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const closing = this.#listeners.map(
      ({ server }) =>
        new Promise<void>((resolve) => {
          server.close(() => {
            resolve();
          });
        }),
    );
    for (const flow of [...this.#flows.values()]) flow.close();
    await Promise.all(closing);
  }

  onMessage(raw: string, flow: StreamFlow): void {
    this.#options.user.onMessage(raw, flow);
  }

  onPing(): void {
    this.#options.counters.keepAlives += 1;
  }

  onFramingProblem(problem: ParseProblem, head: string, flow: StreamFlow): void {
    this.#options.user.onFramingProblem(problem, head, flow);
  }

  onEnd(flow: StreamFlow, reason: StreamEnd): void {
    const { counters } = this.#options;
    this.#flows.delete(flow.id);
    const remote = hostPort(flow.remote.address, flow.remote.port);
    if (this.#byRemote.get(remote) === flow) this.#byRemote.delete(remote);
    const left = (this.#perAddress.get(flow.remote.address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(flow.remote.address, left);
    else this.#perAddress.delete(flow.remote.address);
    if (reason === 'idle') counters.closedIdle += 1;
    else if (reason === 'stalled') counters.closedStalled += 1;
    else if (reason === 'framing') counters.closedFraming += 1;
    else if (reason === 'slow reader') counters.closedSlow += 1;
    this.#options.user.onFlowClosed(flow);
  }

  #accept(socket: Socket, listener: TcpListener): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (address === '' || this.#stopped || !this.#admits(address)) {
      socket.destroy();
      return;
    }
    this.#options.counters.connectionsAccepted += 1;
    const remote = { address, port: socket.remotePort ?? 0 };
    this.#add(socket, remote, listener.local, listener.advertised).awaitFirstByte();
  }

  #admits(address: string): boolean {
    const { limits, counters } = this.#options;
    const fromThere = this.#perAddress.get(address) ?? 0;
    if (this.#flows.size < limits.maxConnections && fromThere < limits.maxConnectionsPerAddress) return true;
    counters.connectionsRefused += 1;
    return false;
  }

  #add(socket: Socket, remote: Endpoint, local: Endpoint, advertised: Endpoint): StreamFlow {
    this.#connectionNumber += 1;
    const { limits, wheel, now } = this.#options;
    const names = {
      id: `t${this.#connectionNumber.toString(36)}`,
      transport: 'tcp',
      remote,
      local,
      advertised,
    } as const;
    const flow = new StreamFlow(names, socket, limits, wheel, now, this);
    this.#flows.set(flow.id, flow);
    this.#byRemote.set(hostPort(remote.address, remote.port), flow);
    this.#perAddress.set(remote.address, (this.#perAddress.get(remote.address) ?? 0) + 1);
    return flow;
  }
}
