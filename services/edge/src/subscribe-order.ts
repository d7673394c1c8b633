import type { Timers } from '@rollcall/kernel';

/** A 200 that takes longer is no reason to keep a NOTIFY: the subscriber must take either order (RFC 6665 §4.1.2.4). */
const LONGEST_HOLD_MS = 500;
/** NOTIFYs of one Call-ID that wait; more go on at once. */
const MAX_WAITING = 16;

interface Unanswered {
  subscribes: number;
  /** Made for the first. */
  waiting: Set<() => void> | undefined;
}

/**
 * Lets the answer to a SUBSCRIBE go before the NOTIFYs that it causes. Both come from presence, each on a connection of its own, so that
 * they may arrive here in either order; many phones, and SIPp, know only one. An entry lives as long as its server transaction has no
 * answer, so that the table is no larger than theirs.
 */
export class SubscribeOrder {
  readonly #unanswered = new Map<string, Unanswered>();

  constructor(private readonly timers: Timers) {}

  /** SUBSCRIBEs whose answer is awaited, by Call-ID. */
  get size(): number {
    return this.#unanswered.size;
  }

  /** A SUBSCRIBE goes to presence. Returns what is to be called, once, when it has been answered, whatever the answer. */
  begin(callId: string): () => void {
    const known = this.#unanswered.get(callId);
    const entry: Unanswered = known ?? { subscribes: 0, waiting: undefined };
    if (known === undefined) this.#unanswered.set(callId, entry);
    entry.subscribes += 1;
    return () => {
      entry.subscribes -= 1;
      if (entry.subscribes > 0) return;
      this.#unanswered.delete(callId);
      if (entry.waiting !== undefined) for (const act of entry.waiting) act();
    };
  }

  /** Acts when no SUBSCRIBE of this Call-ID awaits its answer: mostly at once. */
  after(callId: string, act: () => void): void {
    const entry = this.#unanswered.get(callId);
    if (entry === undefined || (entry.waiting?.size ?? 0) >= MAX_WAITING) {
      act();
      return;
    }
    const waiting = (entry.waiting ??= new Set());
    const once = (): void => {
      if (!waiting.delete(once)) return;
      this.timers.stop(timer);
      act();
    };
    const timer = this.timers.start(LONGEST_HOLD_MS, once);
    waiting.add(once);
  }
}
