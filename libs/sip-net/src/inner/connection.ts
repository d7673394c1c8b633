import { connect, type Socket } from 'node:net';
import { hostPort, plainAddress } from '../addresses.ts';
import { type AnswerReading, type InnerAnswer, readAnswer } from './answer.ts';
import { FlightTable } from '../flight-table.ts';
import { FramedSocket, type FramedSocketUser } from '../framed-socket.ts';
import type { TappedFlow, TapSlot } from '../tap.ts';
import type { NetLog } from '../runner-context.ts';
import type { TimerWheel } from '../timer-wheel.ts';
import { newToken } from '../tokens.ts';
import { type InnerFormats, NOT_SUPPORTED, writeHello } from './hello.ts';
import type { Replica } from './replicas.ts';
import { hashText } from './rendezvous.ts';

/** How a request over the inner link ended. */
export type InnerOutcome = InnerAnswer | { readonly kind: 'unavailable' } | { readonly kind: 'timeout' };

export type InnerDone = (outcome: InnerOutcome) => void;

/** A request that waits for its answer. */
export interface PendingRequest {
  /** Hash of the key that chose the replica; undefined when the peer was named and no other will do. */
  readonly key: number | undefined;
  readonly branch: string;
  readonly message: string;
  readonly done: InnerDone;
  /** When it is given up, ms. */
  readonly deadline: number;
  /** Names of the replicas that have died on it. */
  tried: readonly string[];
}

export interface ConnectionOwner {
  readonly wheel: TimerWheel;
  readonly reading: AnswerReading;
  readonly tap: TapSlot;
  readonly formats: InnerFormats;
  readonly log: NetLog;
  now(): number;
  /** The connection has died with these unanswered; `sent` is false when it never came up, so that none has been seen. */
  onLost(connection: InnerConnection, unanswered: readonly PendingRequest[], sent: boolean): void;
  /** A request is over and has left the connection. */
  onOver(request: PendingRequest, outcome: InnerOutcome): void;
}

/** Between our own services: large, since one connection carries what thousands of phones send. */
const LIMITS = {
  maxHeaderBytes: 65_536,
  maxBodyBytes: 262_144,
  firstByteMs: 0,
  unfinishedMessageMs: 10_000,
  maxSendQueueBytes: 64 * 1024 * 1024,
};
/** First and longest pause between attempts to connect, ms; it doubles in between. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_LONGEST_MS = 5_000;
/** How long a connection attempt may take, ms. */
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that owes answers and is silent for so long is pinged, and dropped after as long again, ms. */
const SILENCE_MS = 1_500;
/** RFC 5626 §4.4.1: the ping of a stream. */
const PING = '\r\n\r\n';

/** One long-lived connection to one replica: made when first needed, made again with growing pauses when lost. */
export class InnerConnection implements FramedSocketUser {
  readonly name: string;
  readonly seed: number;
  readonly #owner: ConnectionOwner;
  readonly #replica: Replica;
  readonly #pending = new FlightTable<PendingRequest>();
  #framed: FramedSocket | undefined;
  #flow: TappedFlow;
  #state: 'idle' | 'connecting' | 'up' | 'down' = 'idle';
  #backoffMs = BACKOFF_FIRST_MS;
  #retryAt = 0;
  #connectBy = 0;
  /** Branch of the hello that the connection has begun with, until it is answered. */
  #hello = '';
  #pingedAt: number | undefined;
  /** Since when it owes an answer without a break, ms. */
  #owesSince = 0;
  /** The last attempt or connection has failed: it gets no requests until it is up again. */
  #failed = false;
  #closed = false;

  constructor(replica: Replica, owner: ConnectionOwner) {
    this.#replica = replica;
    this.#owner = owner;
    this.name = hostPort(replica.host, replica.port);
    this.seed = hashText(this.name);
    this.#flow = flowOf(this.name, undefined, replica);
  }

  /** True when it is up, or being made for the first time. */
  get usable(): boolean {
    return !this.#closed && (this.#state === 'up' || !this.#failed);
  }

  get up(): boolean {
    return this.#state === 'up';
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Connects ahead of the first request. */
  open(): void {
    if (this.#state === 'idle') this.#connect();
  }

  /** Queues a request; false when the connection refuses it. */
  send(request: PendingRequest): boolean {
    if (this.#state === 'idle') this.#connect();
    if (!this.usable || this.#framed === undefined) return false;
    if (this.#pending.get(request.branch) !== undefined) return false;
    if (!this.#framed.write(request.message)) return false;
    this.#owner.tap.tap?.sent(request.message, this.#flow);
    if (this.#pending.size === 0) this.#owesSince = this.#owner.now();
    this.#pending.add(request.branch, request);
    return true;
  }

  /** Timeouts, half-open detection and reconnecting; called a few times a second. */
  tick(now: number): void {
    for (const request of this.#pending.all()) {
      if (request.deadline > now) continue;
      this.#pending.take(request.branch);
      this.#owner.onOver(request, TIMEOUT);
    }
    if (this.#state === 'connecting' && now >= this.#connectBy) this.#framed?.close('stalled');
    else if (this.#state === 'down' && now >= this.#retryAt) this.#connect();
    else if (this.#state === 'up') this.#watchSilence(now);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#framed?.destroy();
    this.#framed = undefined;
    this.#lose();
  }

  onMessage(raw: string): void {
    if (this.#hello !== '' && this.#isGreeted(raw)) return;
    this.#owner.tap.tap?.received(raw, this.#flow);
    const answer = readAnswer(raw, this.#owner.reading);
    if (answer === undefined || answer.status < 200) return;
    const request = this.#pending.take(answer.branch);
    if (request === undefined) return;
    this.#owner.onOver(request, answer);
  }

  onPing(): void {
    // Answered by the framed socket.
  }

  onFramingProblem(): void {
    // The framed socket ends, and what was unanswered is sent elsewhere.
  }

  onEnd(): void {
    this.#framed = undefined;
    if (!this.#closed) this.#lose();
  }

  #connect(): void {
    if (this.#closed) return;
    const now = this.#owner.now();
    this.#state = 'connecting';
    this.#connectBy = now + CONNECT_TIMEOUT_MS;
    this.#pingedAt = undefined;
    const socket = connect({
      host: this.#replica.host,
      port: this.#replica.port,
      noDelay: true,
      keepAlive: true,
    });
    const framed = new FramedSocket(socket, LIMITS, this.#owner.wheel, () => this.#owner.now(), this);
    this.#framed = framed;
    this.#hello = `z9hG4bK${newToken()}`;
    framed.write(writeHello(this.name, this.#hello, this.#owner.formats));
    socket.on('connect', () => {
      if (this.#framed !== framed) return;
      this.#flow = flowOf(this.name, socket, this.#replica);
      this.#state = 'up';
      this.#failed = false;
      this.#backoffMs = BACKOFF_FIRST_MS;
      framed.receivedAt = this.#owner.now();
    });
  }

  /** A peer that is gone without a FIN, or stopped, leaves the connection open: silence with answers owed shows it. */
  #watchSilence(now: number): void {
    const framed = this.#framed;
    if (framed === undefined) return;
    if (this.#pingedAt !== undefined && framed.receivedAt >= this.#pingedAt) this.#pingedAt = undefined;
    if (this.#pending.size === 0 || now - Math.max(framed.receivedAt, this.#owesSince) < SILENCE_MS) return;
    if (this.#pingedAt === undefined) {
      this.#pingedAt = now;
      framed.write(PING);
    } else if (now - this.#pingedAt >= SILENCE_MS) framed.close('stalled');
  }

  /** The answer to our hello: nobody's who looks on, like the hello itself. */
  #isGreeted(raw: string): boolean {
    if (!raw.includes(this.#hello)) return false;
    this.#hello = '';
    if (readAnswer(raw, 'whole')?.status === NOT_SUPPORTED) this.#part();
    return true;
  }

  /** The peer shares no format with us: it is as good as away, until it is replaced. */
  #part(): void {
    this.#owner.log.warn({ peer: this.name }, 'an inner peer speaks no format that this version knows');
    this.#framed?.close();
  }

  #lose(): void {
    const sent = this.#state === 'up';
    this.#state = this.#closed ? 'idle' : 'down';
    this.#failed = true;
    this.#retryAt = this.#owner.now() + this.#backoffMs;
    this.#backoffMs = Math.min(2 * this.#backoffMs, BACKOFF_LONGEST_MS);
    // In the order in which they came, so that they come to another replica in it.
    const unanswered = this.#pending.drain().sort((a, b) => a.deadline - b.deadline);
    this.#owner.onLost(this, unanswered, sent);
  }
}

const TIMEOUT: InnerOutcome = { kind: 'timeout' };

/** The connection as who looks on is told of it; before it is up nothing is known of our end. */
function flowOf(id: string, socket: Socket | undefined, { host, port }: Replica): TappedFlow {
  const local = { address: plainAddress(socket?.localAddress ?? ''), port: socket?.localPort ?? 0 };
  return {
    id,
    transport: 'tcp',
    local,
    remote: { address: plainAddress(socket?.remoteAddress ?? host), port: socket?.remotePort ?? port },
  };
}
