import type { Duplex } from 'node:stream';
import { StoreUnavailable } from '@rollcall/location';
import type { Call, Done } from './call.ts';
import { Confirmations } from './confirmations.ts';
import type { Durability } from './confirmations.ts';
import { keepsAppendOnlyFile } from './persistence.ts';

/** How often servers are asked whether they keep an append-only file, where that is wanted. */
const PERSISTENCE_CHECK_MS = 5000;

/** Says when nothing that a 200 rests on may be written to a slot. */
export interface WriteFence {
  /** Until this moment of `performance.now()` every slot is open. */
  readonly openUntil: number;
  /** What a caller is told whose slot stays unknown. */
  readonly closedReason: string;
  verdict(slot: number, now: number): 'open' | 'unknown' | { readonly closed: string };
  /** Finds out; resolves when all that can be known is. */
  ask(): Promise<void>;
}

/** The connections behind the gate. */
export interface GateLinks {
  ready(): boolean;
  /** Those that stand, to every server that takes writes. */
  streams(): readonly Duplex[];
  /** The one that writes to a slot go out on. */
  streamOf(slot: number): Duplex | undefined;
  /** Sends one command on one connection and no other. */
  send(stream: Duplex, parts: readonly string[], done: Done): void;
  /** Lets the time of a call run that is kept waiting. */
  keepTime(call: Call, now: number): void;
  /** Puts a call that was kept waiting in line again. */
  enqueue(call: Call): void;
  /** What the durability wants came to lack, or lacks no longer. */
  shortChanged(): void;
}

/** Decides which writes may go to the store, and when what they did may be told: by the durability, and by the fence if there is one. */
export class WriteGate {
  /** Undefined when every answer of a server counts at once. */
  readonly #confirmations: Confirmations | undefined;
  readonly #persistenceCheck: NodeJS.Timeout | undefined;
  #fence: WriteFence | undefined;
  #short: string | undefined;

  /** `patienceMs` is the longest time that a write waits for a replica. */
  constructor(
    readonly durability: Durability,
    patienceMs: number,
    private readonly links: GateLinks,
  ) {
    if (durability === 'none') return;
    this.#confirmations = new Confirmations({
      patienceMs,
      wait: (stream, replicas, timeoutMs, done) => {
        links.send(stream, ['WAIT', String(replicas), String(timeoutMs)], done);
      },
      changed: () => {
        this.#lookWhetherShort();
      },
    });
    if (durability !== 'everysec') return;
    this.#persistenceCheck = setInterval(() => {
      this.#checkPersistence();
    }, PERSISTENCE_CHECK_MS);
    this.#persistenceCheck.unref();
  }

  /** Whether the answers to durable writes are held until more than the server's word is known. */
  get holds(): boolean {
    return this.#confirmations !== undefined;
  }

  /** What the durability wants and some server lacks, if any. */
  get short(): string | undefined {
    return this.#short;
  }

  /** Writes that failed because too few replicas had them in time. */
  get unconfirmed(): number {
    return this.#confirmations?.unconfirmed ?? 0;
  }

  /** From now on durable scripts run only where the fence permits it. */
  fence(fence: WriteFence): void {
    this.#fence = fence;
  }

  /** Gives the calls that may go now. Of the others, some are ended, and some come back through `enqueue`. */
  admit(queued: readonly Call[]): readonly Call[] {
    const fence = this.#fence;
    const open =
      fence === undefined || performance.now() < fence.openUntil ? queued : this.#pass(queued, fence);
    if (this.#short === undefined) return open;
    return open.filter((call) => {
      const short = call.durable ? this.#confirmations?.refusal(this.links.streamOf(call.slot)) : undefined;
      if (short !== undefined) call.reject(new StoreUnavailable(short));
      return short === undefined;
    });
  }

  /** Sees to it that a WAIT follows the calls that were written. */
  written(calls: readonly Call[]): void {
    if (this.durability !== 'replica') return;
    let last: Duplex | undefined;
    for (const { stream, settled } of calls) {
      if (stream === undefined || settled || stream === last) continue;
      this.#confirmations?.ask(stream);
      last = stream;
    }
  }

  /** A server has carried out a durable call: confirms it, now or when a replica has it, or rejects it. */
  hold(call: Call): void {
    if (this.durability === 'replica') {
      this.#confirmations?.hold(call);
      return;
    }
    // It may have been sent before it was known that the server lacks what the durability wants.
    const short = this.#confirmations?.refusal(call.stream);
    if (short === undefined) call.confirm();
    else call.reject(new StoreUnavailable(short));
  }

  /** A new connection is not short of anything until it turns out to be. */
  connected(): void {
    this.#short = undefined;
    if (this.durability === 'everysec') this.#checkPersistence();
  }

  stop(): void {
    clearInterval(this.#persistenceCheck);
  }

  /** Ends the writes that a fence forbids and lets those wait of which it does not know; gives the others. */
  #pass(calls: readonly Call[], fence: WriteFence): Call[] {
    const now = performance.now();
    const unknown: Call[] = [];
    const open = calls.filter((call) => {
      const verdict = call.fenced ? fence.verdict(call.slot, now) : 'open';
      if (verdict === 'unknown') unknown.push(call);
      else if (verdict !== 'open') call.reject(new StoreUnavailable(verdict.closed));
      return verdict === 'open';
    });
    if (unknown.length > 0 && this.links.ready()) {
      // Their time runs while they wait: a write that comes after its caller was told to try again could undo what was done since.
      for (const call of unknown) if (call.sentAt === 0) this.links.keepTime(call, now);
      void fence.ask().then(() => {
        this.#passLate(unknown, fence);
      });
    } else open.push(...unknown);
    return open;
  }

  #passLate(calls: readonly Call[], fence: WriteFence): void {
    for (const call of calls) {
      if (call.settled) continue;
      const verdict = fence.verdict(call.slot, performance.now());
      if (verdict === 'open') this.links.enqueue(call);
      else call.reject(new StoreUnavailable(verdict === 'unknown' ? fence.closedReason : verdict.closed));
    }
  }

  /** Servers without an append-only file take no writes where the durability wants one. */
  #checkPersistence(): void {
    for (const stream of this.links.streams()) {
      this.links.send(stream, ['INFO', 'persistence'], (error, reply) => {
        if (error !== undefined) return;
        const short = keepsAppendOnlyFile(reply)
          ? undefined
          : 'Redis keeps no append-only file (appendonly no)';
        this.#confirmations?.mark(stream, short);
      });
    }
  }

  #lookWhetherShort(): void {
    const reasons = this.links.streams().map((stream) => this.#confirmations?.refusal(stream));
    const short = reasons.find((reason) => reason !== undefined);
    if (short === this.#short) return;
    this.#short = short;
    this.links.shortChanged();
  }
}
