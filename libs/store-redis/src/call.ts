import type { Duplex } from 'node:stream';
import { asStoreError } from './errors.ts';
import type { Script } from './script.ts';

const NO_ARGUMENTS: readonly string[] = [];

/** A reply as the protocol parser gives it. */
export type Reply = string | number | null | Buffer | readonly Reply[];
/** Told once, with either. The error is a `StoreUnavailable`, or a bug of ours that Redis refused (wrong arguments, wrong type). */
export type Done = (error: Error | undefined, reply: Reply) => void;

/** How a call came to its end: the server answered it, refused it, or nothing came back. */
export type CallEnd = 'answered' | 'refused' | 'lost';

/** Who sends calls and keeps account of them. */
export interface CallOwner {
  /** Whether ioredis writes each call itself: it would write a text as UTF-8, so that it must be given octets. */
  readonly wantsOctets: boolean;
  /** Sends it once more: the server does not know its script. */
  again(call: Call): void;
  /** A durable call was carried out: `call.confirm()` tells its caller once that will last. */
  hold(call: Call): void;
  ended(call: Call, how: CallEnd): void;
}

/**
 * One command on its way. It has the shape that ioredis wants of a command, without the two promises, the timer and the
 * argument list that its own has.
 */
export class Call {
  readonly name = 'evalsha';
  readonly args: readonly string[] = NO_ARGUMENTS;
  /** ioredis leaves calls that say so out of its diagnostics channel. */
  readonly isTraced = true;
  readonly inTransaction = false;
  readonly promise = undefined;
  settled = false;
  sentAt = 0;
  /** The call sent after this one: the deadline keeper walks along. */
  next: Call | undefined = undefined;
  /** The connection that a durable call went out on last. */
  stream: Duplex | undefined = undefined;
  #held: Reply = null;

  /** `wire` is the command in the Redis protocol; that of a script lacks the head, which `script` and `argumentCount` make. */
  constructor(
    private wire: string,
    private script: Script | undefined,
    private readonly argumentCount: number,
    readonly slot: number,
    private readonly done: Done,
    private readonly owner: CallOwner,
    /** Its caller is told only when its effect will last as long as the durability promises. */
    readonly durable = false,
    /** It writes what a fence may forbid to write. */
    readonly fenced = false,
  ) {}

  toWritable(stream: Duplex): string | Buffer {
    if (this.durable) this.stream = stream;
    const wire = this.script === undefined ? this.wire : this.script.head(this.argumentCount) + this.wire;
    return this.owner.wantsOctets ? Buffer.from(wire, 'latin1') : wire;
  }

  getSlot(): number {
    return this.slot;
  }

  resolve(reply: Reply): void {
    if (this.settled) return;
    if (this.durable) {
      this.#held = reply;
      this.owner.hold(this);
      return;
    }
    this.#settle('answered');
    this.done(undefined, reply);
  }

  /** Tells the caller of a durable call what the server has answered. */
  confirm(): void {
    if (this.settled) return;
    const reply = this.#held;
    this.#settle('answered');
    this.done(undefined, reply);
  }

  reject(error: Error): void {
    if (this.settled) return;
    if (this.script !== undefined && error.message.startsWith('NOSCRIPT')) {
      this.wire = this.script.longHead(this.argumentCount) + this.wire;
      this.script = undefined;
      this.owner.again(this);
      return;
    }
    this.#settle(error.name === 'ReplyError' ? 'refused' : 'lost');
    this.done(asStoreError(error), null);
  }

  #settle(how: CallEnd): void {
    this.settled = true;
    this.wire = '';
    this.#held = null;
    this.owner.ended(this, how);
  }
}

/** Text of a bulk or status reply as an octet string; empty for anything else. */
export function textOf(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : '';
}

/** Elements of an array reply; empty for anything else. */
export function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [];
}

/** Number of an integer reply, or of a text that is one. */
export function numberOf(reply: Reply | undefined): number {
  return typeof reply === 'number' ? reply : Number(textOf(reply));
}
