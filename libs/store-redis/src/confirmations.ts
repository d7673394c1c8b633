import type { Duplex } from 'node:stream';
import { StoreUnavailable } from '@rollcall/location';
import type { Call, Done } from './call.ts';
import { numberOf } from './call.ts';

/**
 * What must have happened to a write before its caller is told that it was accepted; docs/durability.md says what each promises.
 * `none`: the server has carried it out. `everysec`: and the server keeps an append-only file. `replica`: and a replica has it.
 */
export type Durability = 'none' | 'everysec' | 'replica';

/** How long a connection that lacks its replica rests between two looks whether there is one again, and how long a look may take. */
const LOOK_AGAIN_MS = 250;
const LOOK_MS = 50;
const REPLICAS = 1;

/** One connection to a server. It goes with its socket: a new one begins afresh. */
interface Link {
  /** Carried out, and not yet known to be on a replica. */
  held: Call[];
  /** A WAIT is on its way: whatever is answered before it was carried out before it. */
  asked: boolean;
  /** Why writes are refused at once, if they are. */
  short: string | undefined;
}

export interface ConfirmationsParts {
  /** Longest time that a write is waited for. */
  readonly patienceMs: number;
  /** Sends `WAIT replicas timeout` on this very connection; `done` is told its answer. */
  wait(stream: Duplex, replicas: number, timeoutMs: number, done: Done): void;
  /** A connection began or ceased to be short of what the durability wants. */
  changed(short: string | undefined): void;
}

/**
 * Holds the answers to writes until WAIT has said that a replica has them. One WAIT stands for all that its connection has
 * written before it, and no connection has more than one under way, so that the load makes the batches. A WAIT that counts too few
 * fails the writes it stood for: whether they survive a failover is unknown, and nothing is sent again (RFC 3261 §21.5.4:
 * the phone is). From then on writes are refused before they are sent, until a replica is seen again.
 */
export class Confirmations {
  readonly #links = new WeakMap<Duplex, Link>();
  #unconfirmed = 0;

  constructor(private readonly parts: ConfirmationsParts) {}

  /** Writes that failed because too few replicas had them in time. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Why a write must not be sent on this connection; undefined when it may. */
  refusal(stream: Duplex | undefined): string | undefined {
    return stream === undefined ? undefined : this.#links.get(stream)?.short;
  }

  /** Takes a write that its server has carried out. */
  hold(call: Call): void {
    const { stream } = call;
    if (stream === undefined) return;
    this.#link(stream).held.push(call);
    this.ask(stream);
  }

  /** Sees to it that a WAIT follows what was written on a connection. */
  ask(stream: Duplex): void {
    const link = this.#link(stream);
    if (link.asked) return;
    link.asked = true;
    this.parts.wait(stream, REPLICAS, this.parts.patienceMs, (error, reply) => {
      link.asked = false;
      const calls = link.held;
      link.held = [];
      if (error !== undefined) fail(calls, error);
      else if (numberOf(reply) >= REPLICAS) for (const call of calls) call.confirm();
      else {
        this.#unconfirmed += calls.length;
        fail(calls, new StoreUnavailable('no replica of Redis has confirmed the write in time'));
        if (link.short === undefined) this.#begin(link, stream);
      }
    });
  }

  /** Refuses writes on a connection from now on, or no longer. */
  mark(stream: Duplex, short: string | undefined): void {
    const link = this.#link(stream);
    if (link.short === short) return;
    link.short = short;
    this.parts.changed(short);
  }

  #begin(link: Link, stream: Duplex): void {
    this.mark(stream, 'Redis has no replica that confirms writes');
    const look = (): void => {
      if (stream.destroyed) return;
      this.parts.wait(stream, REPLICAS, LOOK_MS, (error, reply) => {
        if (error === undefined && numberOf(reply) >= REPLICAS) this.mark(stream, undefined);
        else if (link.short !== undefined) setTimeout(look, LOOK_AGAIN_MS).unref();
      });
    };
    setTimeout(look, LOOK_AGAIN_MS).unref();
  }

  #link(stream: Duplex): Link {
    let link = this.#links.get(stream);
    if (link === undefined) {
      link = { held: [], asked: false, short: undefined };
      this.#links.set(stream, link);
    }
    return link;
  }
}

function fail(calls: readonly Call[], error: Error): void {
  for (const call of calls) call.reject(error);
}
