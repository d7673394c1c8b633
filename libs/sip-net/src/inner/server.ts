import { createServer, type Socket } from 'node:net';
import { type ParseProblem, parseMessage, respond, type SipRequest } from '@rollcall/sip';
import { hostPort, plainAddress } from '../addresses.ts';
import { FramedSocket, type FramedSocketUser } from '../framed-socket.ts';
import { type NetLog, silentLog } from '../runner-context.ts';
import { NO_TAP, type TappedFlow, type TapSlot } from '../tap.ts';
import { TimerWheel } from '../timer-wheel.ts';
import { newToken } from '../tokens.ts';
import { answerHello, INNER_FORMATS, type InnerFormats } from './hello.ts';

export interface InnerServerLimits {
  /** Connections at one time; more are closed at once. */
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  /** Bytes that may wait for a peer that does not read. */
  readonly maxSendQueueBytes: number;
}

export interface InnerServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** A request from inside. `reply` takes a whole response and may be called at any later time; `peer` is host:port. */
  readonly onRequest: (request: SipRequest, reply: (message: string) => void, peer: string) => void;
  readonly limits?: Partial<InnerServerLimits>;
  readonly log?: NetLog;
  /** Formats of inner SIP that this side speaks; those of this version unless said otherwise. */
  readonly formats?: InnerFormats;
  /** Who looks on at the messages, if anybody. */
  readonly tap?: TapSlot;
}

export interface InnerServer {
  readonly port: number;
  /** Connections open now. */
  connections(): number;
  /** Stops accepting; those who are connected are served on. */
  stopAccepting(): void;
  /** Stops accepting and closes all connections after what is queued on them. */
  close(): Promise<void>;
}

/** RFC 3261 timer F: no honest peer needs longer to finish a message. */
const UNFINISHED_MS = 32_000;
const TICK_MS = 250;

const DEFAULTS: InnerServerLimits = {
  maxConnections: 1024,
  maxHeaderBytes: 65_536,
  maxBodyBytes: 262_144,
  maxSendQueueBytes: 64 * 1024 * 1024,
};

/**
 * SIP over TCP for peers inside: no transactions, since nothing is retransmitted and nobody forks here. Rejects when it
 * cannot listen.
 */
export async function createInnerServer(options: InnerServerOptions): Promise<InnerServer> {
  const limits = { ...DEFAULTS, ...options.limits };
  const socketLimits = { ...limits, firstByteMs: 0, unfinishedMessageMs: UNFINISHED_MS };
  const log = options.log ?? silentLog;
  const wheel = new TimerWheel(Date.now(), TICK_MS);
  const peers = new Set<Peer>();
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (peers.size >= limits.maxConnections) {
      socket.destroy();
      return;
    }
    const formats = options.formats ?? INNER_FORMATS;
    const peer: Peer = new Peer(socket, options.onRequest, log, options.tap ?? NO_TAP, formats, () =>
      peers.delete(peer),
    );
    peer.framed = new FramedSocket(socket, socketLimits, wheel, Date.now, peer);
    peers.add(peer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => {
    log.warn({ err: error }, 'inner listener error');
  });
  const interval = setInterval(() => {
    wheel.turn(Date.now());
  }, TICK_MS);
  const address = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : options.port,
    connections: () => peers.size,
    stopAccepting: () => {
      server.close();
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      for (const peer of [...peers]) peer.framed?.close();
      await closed;
      clearInterval(interval);
    },
  };
}

class Peer implements FramedSocketUser {
  framed: FramedSocket | undefined;
  readonly #name: string;
  readonly #flow: TappedFlow;
  /** Nothing has come yet: only what a connection begins with can be a hello. */
  #fresh = true;
  /** One for the connection, not one for each request: the answer goes back on the connection, its Via says to whom. */
  readonly #reply = (message: string): void => {
    this.tap.tap?.sent(message, this.#flow);
    this.framed?.write(message);
  };

  constructor(
    socket: Socket,
    private readonly onRequest: InnerServerOptions['onRequest'],
    private readonly log: NetLog,
    private readonly tap: TapSlot,
    private readonly formats: InnerFormats,
    private readonly onGone: () => void,
  ) {
    const remote = { address: plainAddress(socket.remoteAddress ?? '?'), port: socket.remotePort ?? 0 };
    const local = { address: plainAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 };
    this.#name = hostPort(remote.address, remote.port);
    this.#flow = { id: this.#name, transport: 'tcp', local, remote };
  }

  onMessage(raw: string): void {
    if (this.#fresh) {
      this.#fresh = false;
      if (this.#greet(raw)) return;
    }
    this.tap.tap?.received(raw, this.#flow);
    const parsed = parseMessage(raw);
    if (!parsed.ok) {
      this.#refuse(parsed.error);
      return;
    }
    if (parsed.value.kind === 'request') this.#handle(parsed.value);
  }

  onPing(): void {
    // Answered by the framed socket.
  }

  onFramingProblem(problem: ParseProblem): void {
    this.#refuse(problem);
  }

  onEnd(): void {
    this.onGone();
  }

  #refuse(problem: ParseProblem): void {
    this.log.warn(
      { code: problem.code, at: problem.at, peer: this.#name },
      'malformed message on an inner connection',
    );
    if (problem.request?.has('via') === true) {
      this.#reply(respond(problem.request, problem.status, { toTag: newToken() }));
    }
  }

  #greet(raw: string): boolean {
    const parsed = raw.startsWith('OPTIONS ') ? parseMessage(raw) : undefined;
    if (parsed?.ok !== true || parsed.value.kind !== 'request') return false;
    const answer = answerHello(parsed.value, this.formats, newToken());
    if (answer === undefined) return false;
    if (!answer.shared) {
      this.log.warn({ peer: this.#name }, 'an inner peer speaks no format that this version knows');
    }
    this.framed?.write(answer.message);
    return true;
  }

  /** The last net under the service's own error handling. */
  #handle(request: SipRequest): void {
    try {
      this.onRequest(request, this.#reply, this.#name);
    } catch (error) {
      this.log.error({ err: error, method: request.method }, 'inner request handler threw');
      this.#reply(respond(request, 500, { toTag: newToken() }));
    }
  }
}
