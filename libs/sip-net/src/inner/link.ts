import type { Clock } from '@rollcall/kernel';
import { hostPort } from '../addresses.ts';
import { type NetLog, silentLog } from '../runner-context.ts';
import { NO_TAP, type TapSlot } from '../tap.ts';
import { TimerWheel } from '../timer-wheel.ts';
import type { AnswerReading } from './answer.ts';
import {
  type ConnectionOwner,
  InnerConnection,
  type InnerDone,
  type InnerOutcome,
  type PendingRequest,
} from './connection.ts';
import { INNER_FORMATS, type InnerFormats } from './hello.ts';
import type { Replica, ReplicaSource } from './replicas.ts';
import { hashText, highest } from './rendezvous.ts';

export interface InnerLinkOptions {
  readonly replicas: ReplicaSource;
  /** How long a request may wait for its final answer, ms, retries on other replicas included. */
  readonly timeoutMs: number;
  /** Requests that may wait at one time; past it a request is `unavailable` at once. */
  readonly maxPending: number;
  /** How much of an answer is read before it counts; `whole` unless said otherwise. */
  readonly reading?: AnswerReading;
  readonly clock?: Clock;
  readonly log?: NetLog;
  /** Formats of inner SIP that this side speaks; those of this version unless said otherwise. */
  readonly formats?: InnerFormats;
  /** Who looks on at the messages, if anybody. */
  readonly tap?: TapSlot;
}

export interface InnerLinkStats {
  readonly pending: number;
  readonly connections: number;
  readonly up: number;
  /** Since the start. */
  readonly sent: number;
  readonly retried: number;
  readonly refused: number;
  readonly timeouts: number;
}

/** SIP requests to the other services of ours. `done` is called exactly once, never before the call returns. */
export interface InnerLink {
  /** Connects to all replicas now known, so that the first request finds a connection. */
  start(): Promise<void>;
  /**
   * Sends to the replica that rendezvous hashing gives the key (the AoR). When its connection dies before a final
   * answer, REGISTER, SUBSCRIBE and PUBLISH are sent to another; other methods become `unavailable`, unless the
   * connection had not come up yet.
   */
  request(key: string, branch: string, message: string, done: InnerDone): void;
  /** Sends to one named peer (another edge), never to another one instead. */
  requestTo(peer: Replica, branch: string, message: string, done: InnerDone): void;
  /** True when at least one replica is connected. */
  ready(): boolean;
  stats(): InnerLinkStats;
  close(): void;
}

/** These may be carried out twice without harm (they are compare-and-set in the store); others may not. */
const RETRIED = /^(?:REGISTER|SUBSCRIBE|PUBLISH) /;
const TICK_MS = 50;
/** Named peers whose connection is kept; edges are few. */
const MAX_PEERS = 256;

export function createInnerLink(options: InnerLinkOptions): InnerLink {
  return new Link(options);
}

class Link implements InnerLink, ConnectionOwner {
  readonly wheel: TimerWheel;
  readonly reading: AnswerReading;
  readonly tap: TapSlot;
  readonly formats: InnerFormats;
  readonly log: NetLog;
  readonly #options: InnerLinkOptions;
  readonly #now: () => number;
  #known: readonly Replica[] = [];
  #replicas: InnerConnection[] = [];
  /** Replicas that left the list and still owe answers. */
  #leaving: InnerConnection[] = [];
  readonly #peers = new Map<string, InnerConnection>();
  readonly #interval: NodeJS.Timeout;
  #pending = 0;
  #sent = 0;
  #retried = 0;
  #refused = 0;
  #timeouts = 0;
  #closed = false;

  constructor(options: InnerLinkOptions) {
    this.#options = options;
    this.reading = options.reading ?? 'whole';
    this.tap = options.tap ?? NO_TAP;
    this.formats = options.formats ?? INNER_FORMATS;
    this.log = options.log ?? silentLog;
    this.#now = options.clock === undefined ? Date.now : () => options.clock?.now() ?? Date.now();
    this.wheel = new TimerWheel(this.#now(), TICK_MS);
    this.#interval = setInterval(() => {
      this.#tick();
    }, TICK_MS);
  }

  async start(): Promise<void> {
    await this.#options.replicas.start();
    this.#refresh();
    for (const connection of this.#replicas) connection.open();
  }

  request(key: string, branch: string, message: string, done: InnerDone): void {
    this.#refresh();
    this.#accept({
      key: hashText(key),
      branch,
      message,
      done,
      deadline: this.#now() + this.#options.timeoutMs,
      tried: NONE,
    });
  }

  requestTo(peer: Replica, branch: string, message: string, done: InnerDone): void {
    const request = {
      key: undefined,
      branch,
      message,
      done,
      deadline: this.#now() + this.#options.timeoutMs,
      tried: NONE,
    };
    const connection = this.#closed ? undefined : this.#peer(peer);
    if (connection === undefined || this.#full() || !connection.send(request)) {
      this.#refuse(request);
      return;
    }
    this.#pending += 1;
    this.#sent += 1;
  }

  ready(): boolean {
    return this.#replicas.some((connection) => connection.up);
  }

  stats(): InnerLinkStats {
    const all = [...this.#replicas, ...this.#leaving, ...this.#peers.values()];
    return {
      pending: this.#pending,
      connections: all.length,
      up: all.filter((connection) => connection.up).length,
      sent: this.#sent,
      retried: this.#retried,
      refused: this.#refused,
      timeouts: this.#timeouts,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#interval);
    this.#options.replicas.stop();
    for (const connection of [...this.#replicas, ...this.#leaving, ...this.#peers.values()])
      connection.close();
  }

  now(): number {
    return this.#now();
  }

  onOver(request: PendingRequest, outcome: InnerOutcome): void {
    this.#pending -= 1;
    if (outcome.kind === 'timeout') this.#timeouts += 1;
    this.#finish(request, outcome);
  }

  onLost(connection: InnerConnection, unanswered: readonly PendingRequest[], sent: boolean): void {
    this.#pending -= unanswered.length;
    for (const request of unanswered) {
      request.tried = [...request.tried, connection.name];
      if (this.#mayRetry(request, sent) && this.#dispatch(request)) this.#retried += 1;
      else this.#finish(request, UNAVAILABLE);
    }
  }

  #mayRetry(request: PendingRequest, sent: boolean): boolean {
    if (this.#closed || request.key === undefined || request.deadline <= this.#now()) return false;
    return !sent || RETRIED.test(request.message);
  }

  #accept(request: PendingRequest): void {
    if (this.#closed || this.#full() || !this.#dispatch(request)) this.#refuse(request);
    else this.#sent += 1;
  }

  #dispatch(request: PendingRequest): boolean {
    const usable = (candidate: InnerConnection): boolean =>
      candidate.usable && (request.tried.length === 0 || !request.tried.includes(candidate.name));
    // A connection whose queue is full ends in `send`; then the next best is asked.
    for (let attempt = 0; attempt < this.#replicas.length; attempt += 1) {
      const connection = highest(request.key ?? 0, this.#replicas, usable);
      if (connection === undefined) return false;
      if (connection.send(request)) {
        this.#pending += 1;
        return true;
      }
    }
    return false;
  }

  /** The last net under the caller's own error handling: one answer may fail, the link goes on. */
  #finish(request: PendingRequest, outcome: InnerOutcome): void {
    try {
      request.done(outcome);
    } catch (error) {
      this.log.error({ err: error }, 'handling of an inner answer threw');
    }
  }

  #full(): boolean {
    return this.#pending >= this.#options.maxPending;
  }

  #refuse(request: PendingRequest): void {
    this.#refused += 1;
    queueMicrotask(() => {
      this.#finish(request, UNAVAILABLE);
    });
  }

  #peer(peer: Replica): InnerConnection | undefined {
    const name = hostPort(peer.host, peer.port);
    let connection = this.#peers.get(name);
    if (connection === undefined) {
      if (this.#peers.size >= MAX_PEERS) this.#forgetPeer();
      if (this.#peers.size >= MAX_PEERS) return undefined;
      connection = new InnerConnection(peer, this);
      this.#peers.set(name, connection);
    }
    return connection;
  }

  #forgetPeer(): void {
    for (const [name, connection] of this.#peers) {
      if (connection.pending > 0) continue;
      this.#peers.delete(name);
      connection.close();
      return;
    }
  }

  /** Takes a changed list over: connections to those that stay are kept. */
  #refresh(): void {
    const wanted = this.#options.replicas.current();
    if (wanted === this.#known) return;
    this.#known = wanted;
    const before = new Map(this.#replicas.map((connection) => [connection.name, connection]));
    this.#replicas = wanted.map((replica) => {
      const name = hostPort(replica.host, replica.port);
      const kept = before.get(name);
      before.delete(name);
      return kept ?? new InnerConnection(replica, this);
    });
    this.#leaving.push(...before.values());
  }

  #tick(): void {
    const now = this.#now();
    this.wheel.turn(now);
    this.#refresh();
    for (const connection of this.#replicas) {
      connection.open();
      connection.tick(now);
    }
    for (const connection of this.#peers.values()) connection.tick(now);
    for (const connection of this.#leaving) connection.tick(now);
    const done = this.#leaving.filter((connection) => connection.pending === 0);
    if (done.length === 0) return;
    this.#leaving = this.#leaving.filter((connection) => connection.pending > 0);
    for (const connection of done) connection.close();
  }
}

const NONE: readonly string[] = [];
const UNAVAILABLE: InnerOutcome = { kind: 'unavailable' };
