import type { Socket } from 'node:net';
import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';
import { StoreUnavailable } from '@rollcall/location';
import { Call } from './call.ts';
import type { CallEnd, CallOwner, Done, Reply } from './call.ts';
import { openRedis, openSubscriber, retryDelay } from './connect.ts';
import type { StoreAddress } from './connect.ts';
import type { Durability } from './confirmations.ts';
import { Deadlines } from './deadlines.ts';
import { guardHandshake, HANDSHAKE_MS, linked, nodeOf } from './nodes.ts';
import { bulks } from './script.ts';
import type { Script } from './script.ts';
import { Subscriber } from './subscriber.ts';
import { WriteGate } from './write-gate.ts';
import type { GateLinks, WriteFence } from './write-gate.ts';

export interface ClientOptions extends StoreAddress {
  /** After how long without an answer a call fails. Default 800. */
  readonly commandTimeoutMs?: number;
  /** Most calls that may be without an answer; further ones fail at once. Default 20,000. */
  readonly maxPending?: number;
  /** What must have happened to a write before it counts as accepted. Default `none`. */
  readonly durability?: Durability;
}

/**
 * Whether the store can be reached, with the last thing that went wrong. `short` says why it takes no writes although it can:
 * it lacks what the durability wants.
 */
export type StoreStatus =
  { readonly up: true; readonly short?: string } | { readonly up: false; readonly reason: string };

export interface ClientStats {
  readonly calls: number;
  readonly failures: number;
  readonly timeouts: number;
  readonly pending: number;
  /** Socket writes; calls / writes is how many went out together. */
  readonly writes: number;
  /** Writes that no replica confirmed in time; those refused since then are failures like others. */
  readonly unconfirmed: number;
}

const DEFAULT_TIMEOUT_MS = 800;
const DEFAULT_MAX_PENDING = 20_000;
/** A WAIT holds up what comes behind it on its connection, and a call has to end in time all the same. */
const WAITS_PER_TIMEOUT = 2;
const SCAN_COUNT = 1000;

/** What ioredis does with a command, without its own command class. */
interface Sender {
  sendCommand(call: Call, stream?: Batch): unknown;
}

/** Stands where ioredis expects a stream, and gathers what it writes. */
interface Batch {
  readonly isPipeline: true;
  readonly destination: { readonly redis: Redis };
  write(text: string): void;
}

/**
 * The connection of a process to the store. All calls of one turn of the event loop go out in one socket write. Nothing waits
 * for a connection and nothing is sent twice.
 */
export class StoreClient {
  readonly #redis: Redis | Cluster;
  readonly #batch: Batch | undefined;
  readonly #subscriber: Subscriber;
  readonly #deadlines: Deadlines;
  readonly #maxPending: number;
  readonly #listeners: ((status: StoreStatus) => void)[] = [];
  readonly #owner: CallOwner;
  readonly #gate: WriteGate;
  #status: StoreStatus | undefined;
  #lastError = 'not connected yet';
  #queue: Call[] = [];
  #flushing = false;
  #gathered = '';
  #pending = 0;
  #closed = false;
  #calls = 0;
  #failures = 0;
  #timeouts = 0;
  #writes = 0;

  constructor(options: ClientOptions) {
    this.#maxPending = options.maxPending ?? DEFAULT_MAX_PENDING;
    this.#deadlines = new Deadlines(options.commandTimeoutMs ?? DEFAULT_TIMEOUT_MS, (call, mute) => {
      this.#timedOut(call, mute);
    });
    const redis = openRedis(options);
    this.#redis = redis;
    this.#owner = {
      wantsOctets: redis instanceof Cluster,
      again: (call) => {
        this.#enqueue(call);
      },
      ended: (call, how) => {
        this.#ended(call, how);
      },
      hold: (call) => {
        this.#deadlines.heard = true;
        this.#gate.hold(call);
      },
    };
    const patienceMs = Math.floor(this.#deadlines.timeoutMs / WAITS_PER_TIMEOUT);
    this.#gate = new WriteGate(options.durability ?? 'none', patienceMs, this.#gateLinks());
    this.#batch = redis instanceof Cluster ? undefined : this.#batchFor(redis);
    this.#subscriber = new Subscriber(() =>
      openSubscriber(options, redis instanceof Cluster ? redis : undefined),
    );
    this.#follow(redis);
  }

  get durability(): Durability {
    return this.#gate.durability;
  }

  ready(): boolean {
    return this.#status?.up === true;
  }

  get status(): StoreStatus {
    return this.#status ?? { up: false, reason: this.#lastError };
  }

  /** Calls at each change of the status, and only then. */
  onStatus(listener: (status: StoreStatus) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when the first attempt to connect has come to an end, good or bad. */
  async settled(): Promise<void> {
    if (this.#status !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, HANDSHAKE_MS);
      this.onStatus(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  stats(): ClientStats {
    return {
      calls: this.#calls,
      failures: this.#failures,
      timeouts: this.#timeouts,
      pending: this.#pending,
      writes: this.#writes,
      unconfirmed: this.#gate.unconfirmed,
    };
  }

  /**
   * Runs a script on the slot that its keys hash to (`slotOf`). `values` are its keys, then its arguments, octet strings all.
   * Throws `StoreUnavailable`.
   */
  run(script: Script, slot: number, values: readonly string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.runThen(script, slot, values.length - script.keyCount, bulks(values), (error, reply) => {
        if (error === undefined) resolve(reply);
        else reject(error);
      });
    });
  }

  /** The same for hot paths: `tail` is all keys and arguments, each through `bulk`; `done` is told in a later turn. */
  runThen(script: Script, slot: number, argumentCount: number, tail: string, done: Done): void {
    const { durable } = script;
    const held = durable && this.#gate.holds;
    this.#send(new Call(tail, script, argumentCount, slot, done, this.#owner, held, durable));
  }

  /** One plain command: `command(slot, ['GET', key])`. Throws `StoreUnavailable`. */
  command(slot: number, parts: readonly string[]): Promise<Reply> {
    return this.#command(slot, parts, false);
  }

  /** The same for a write that an answer rests on: it is over when the durability is met. Throws `StoreUnavailable`. */
  write(slot: number, parts: readonly string[]): Promise<Reply> {
    return this.#command(slot, parts, this.#gate.holds);
  }

  #command(slot: number, parts: readonly string[], durable: boolean): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const wire = `*${String(parts.length)}\r\n${bulks(parts)}`;
      const done: Done = (error, reply) => {
        if (error === undefined) resolve(reply);
        else reject(error);
      };
      this.#send(new Call(wire, undefined, 0, slot, done, this.#owner, durable));
    });
  }

  /** From now on durable scripts run only where the fence permits it. */
  fence(fence: WriteFence): void {
    this.#gate.fence(fence);
  }

  /** Names of all keys that fit a pattern, node by node, some at a time: for operators' tools, on no path that anybody waits for. */
  async *scan(pattern: string): AsyncGenerator<readonly string[]> {
    for (const node of this.#nodes()) {
      let cursor = '0';
      do {
        const [next, names] = await node.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT);
        cursor = next.toString('latin1');
        yield names.map((name) => name.toString('latin1'));
      } while (cursor !== '0');
    }
  }

  /** Listens on a pub/sub channel; see `Subscriber.on`. */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void): () => void {
    return this.#subscriber.on(channel, onMessage, onGap);
  }

  /** Lets calls in flight end, then disconnects. Further calls fail. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const patience = performance.now() + this.#deadlines.timeoutMs;
    while (this.#pending > 0 && this.ready() && performance.now() < patience) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#gate.stop();
    this.#subscriber.close();
    this.#redis.disconnect();
    this.#deadlines.stop();
  }

  #send(call: Call): void {
    this.#calls += 1;
    this.#pending += 1;
    if (this.#pending > this.#maxPending) {
      queueMicrotask(() => {
        call.reject(new StoreUnavailable('too many calls wait for the store'));
      });
      return;
    }
    this.#enqueue(call);
  }

  #enqueue(call: Call): void {
    this.#queue.push(call);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#flush);
  }

  #ended(call: Call, how: CallEnd): void {
    this.#pending -= 1;
    if (how !== 'lost') this.#deadlines.heard = true;
    if (how !== 'answered') this.#failures += 1;
    if (call === this.#deadlines.head) this.#deadlines.release();
  }

  readonly #flush = (): void => {
    const queued = this.#queue;
    this.#queue = [];
    this.#flushing = false;
    const calls = this.#gate.admit(queued);
    if (!this.ready() || this.#closed) {
      const why = new StoreUnavailable(`Redis is away: ${this.#lastError}`);
      for (const call of calls) call.reject(why);
      return;
    }
    const now = performance.now();
    // A call sent again because of NOSCRIPT, or kept waiting, is in the line already and keeps its deadline.
    for (const call of calls) if (call.sentAt === 0) this.#deadlines.add(call, now);
    if (this.#batch === undefined) this.#writeToNodes(calls);
    else this.#writeTogether(calls, this.#batch);
    this.#gate.written(calls);
  };

  #gateLinks(): GateLinks {
    return {
      ready: () => this.ready(),
      streams: () => this.#nodes().flatMap(({ stream, status }) => (status === 'ready' ? stream : [])),
      streamOf: (slot) =>
        this.#redis instanceof Cluster ? nodeOf(this.#redis, slot)?.stream : this.#redis.stream,
      send: (stream, parts, done) => {
        const node = this.#nodes().find((one) => one.stream === stream);
        const wire = `*${String(parts.length)}\r\n${bulks(parts)}`;
        const call = new Call(wire, undefined, 0, 0, done, this.#owner);
        this.#pending += 1;
        if (node?.status !== 'ready') {
          call.reject(new StoreUnavailable('the connection to Redis was lost'));
          return;
        }
        this.#deadlines.add(call, performance.now());
        (node as unknown as Sender).sendCommand(call);
      },
      keepTime: (call, now) => {
        this.#deadlines.add(call, now);
      },
      enqueue: (call) => {
        this.#enqueue(call);
      },
      shortChanged: () => {
        if (this.#status?.up === true) this.#announceUp();
      },
    };
  }

  #writeTogether(calls: readonly Call[], batch: Batch): void {
    const redis = batch.destination.redis;
    const sender = redis as unknown as Sender;
    this.#gathered = '';
    for (const call of calls) sender.sendCommand(call, batch);
    if (this.#gathered === '') return;
    this.#writes += 1;
    redis.stream.write(this.#gathered, 'latin1');
    this.#gathered = '';
  }

  /** In a Cluster ioredis finds the node and follows MOVED and ASK; corking makes one write for each node of it. */
  #writeToNodes(calls: readonly Call[]): void {
    const sender = this.#redis as unknown as Sender;
    const sockets = this.#nodes().map((node) => node.stream as Socket | undefined);
    for (const socket of sockets) socket?.cork();
    for (const call of calls) sender.sendCommand(call);
    for (const socket of sockets) socket?.uncork();
    this.#writes += sockets.length;
  }

  #nodes(): readonly Redis[] {
    return this.#redis instanceof Cluster ? this.#redis.nodes('master') : [this.#redis];
  }

  #batchFor(redis: Redis): Batch {
    return {
      isPipeline: true,
      destination: { redis },
      write: (text) => {
        this.#gathered += text;
      },
    };
  }

  /** A server that has said nothing at all since the call was sent is taken for gone, and its connection with it. */
  #timedOut(call: Call, mute: boolean): void {
    this.#timeouts += 1;
    call.reject(new StoreUnavailable(`no answer from Redis within ${String(this.#deadlines.timeoutMs)} ms`));
    this.#lastError = `no answer within ${String(this.#deadlines.timeoutMs)} ms`;
    // Of a Cluster's nodes only the one asked is known to be late; the others may be answering all the while.
    if (this.#redis instanceof Cluster) nodeOf(this.#redis, call.slot)?.stream.destroy();
    else if (mute) this.#redis.stream.destroy();
  }

  #follow(redis: Redis | Cluster): void {
    redis.on('error', (error: Error) => {
      this.#lastError = error.message;
    });
    redis.on('ready', () => {
      void linked(redis).then(() => {
        if (redis.status !== 'ready') return;
        this.#gate.connected();
        this.#tell({ up: true });
      });
    });
    redis.on('close', () => {
      this.#tell({ up: false, reason: this.#lastError });
    });
    // ioredis gives up for good when a failover is announced while it is connecting: we never do.
    redis.on('end', () => {
      this.#tell({ up: false, reason: this.#lastError });
      if (this.#closed) return;
      setTimeout(() => {
        if (!this.#closed && redis.status === 'end') redis.connect().catch(() => undefined);
      }, retryDelay(1));
    });
    if (!(redis instanceof Cluster)) guardHandshake(redis);
    else {
      redis.on('+node', (node: Redis) => {
        guardHandshake(node);
        // ioredis connects to a node with its first command, which nothing here may wait for.
        if (node.status === 'wait') node.connect().catch(() => undefined);
      });
    }
  }

  #tell(status: StoreStatus): void {
    if (this.#closed || this.#status?.up === status.up) return;
    this.#announce(status);
  }

  #announceUp(): void {
    const { short } = this.#gate;
    this.#announce(short === undefined ? { up: true } : { up: true, short });
  }

  #announce(status: StoreStatus): void {
    this.#status = status;
    for (const listener of this.#listeners) listener(status);
  }
}
