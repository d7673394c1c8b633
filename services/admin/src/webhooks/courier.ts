import { setTimeout as sleep } from 'node:timers/promises';
import type { Aor, LocationEvent, LocationWatcher, Webhook, Webhooks } from '@rollcall/location';
import { aorDomain, CursorTooOld } from '@rollcall/location';
import { eventData } from '../events/event-stream.ts';
import type { Send } from './sender.ts';

export interface CourierLimits {
  /** Attempts of one delivery before it is given up. */
  readonly attempts: number;
  /** First pause between attempts, ms; it doubles up to the longest. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Deliveries of different AoRs under way at once. */
  readonly together: number;
  /** Events read ahead of their delivery; with more the watch rests. */
  readonly readAhead: number;
}

export const COURIER_LIMITS: CourierLimits = {
  attempts: 10,
  firstPauseMs: 1_000,
  longestPauseMs: 60_000,
  together: 16,
  readAhead: 2_000,
};

export interface CourierCounters {
  taken: number;
  retried: number;
  buried: number;
  /** Times that events were lost to the bound of the change streams before they were delivered. */
  gaps: number;
}

export interface CourierDeps {
  readonly webhooks: Webhooks;
  readonly watcher: LocationWatcher;
  readonly send: Send;
  readonly holder: string;
  readonly counters: CourierCounters;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly limits: CourierLimits;
}

interface Batch {
  readonly events: readonly LocationEvent[];
  readonly position: string;
}

/**
 * Delivers the changes of one webhook for as long as its signal says: in order for each AoR, at least once, and the position is
 * moved on only when all before it is delivered or given up. Resolves when the signal aborts or the lease is lost.
 */
export class Courier {
  readonly #deps: CourierDeps;
  readonly #hook: Webhook;
  readonly #signal: AbortSignal;
  #batches: Batch[] = [];
  #ahead = 0;
  #arrived: () => void = () => undefined;

  constructor(deps: CourierDeps, hook: Webhook, signal: AbortSignal) {
    this.#deps = deps;
    this.#hook = hook;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    let position = await this.#deps.webhooks.position(this.#hook.id);
    while (!this.#signal.aborted) {
      try {
        const next = await this.#follow(position);
        if (next === undefined) return;
        position = next;
      } catch (error) {
        if (!(error instanceof CursorTooOld)) throw error;
        this.#deps.counters.gaps += 1;
        await this.#deps.webhooks.bury(this.#hook.id, { body: '', attempts: 0, reason: 'cursor too old' });
        position = undefined;
      }
    }
  }

  /** Watches from a position until too much is read ahead, and delivers all of it. Undefined when the lease was lost. */
  async #follow(from: string | undefined): Promise<string | undefined> {
    const watch = new AbortController();
    const signal = AbortSignal.any([this.#signal, watch.signal]);
    this.#batches = [];
    this.#ahead = 0;
    const watching = this.#deps.watcher.watch(
      from,
      (events, position) => {
        if (signal.aborted) return;
        this.#batches.push({ events, position });
        this.#ahead += events.length;
        if (this.#ahead >= this.#deps.limits.readAhead) watch.abort();
        this.#arrived();
      },
      signal,
    );
    const state = { ended: false };
    const end = watching.finally(() => {
      state.ended = true;
      this.#arrived();
    });
    end.catch(() => undefined);
    let position = from;
    for (;;) {
      const batch = this.#batches.shift();
      if (batch === undefined) {
        if (state.ended || this.#signal.aborted) break;
        await new Promise<void>((resolve) => (this.#arrived = resolve));
        continue;
      }
      await this.#deliver(batch.events);
      if (this.#signal.aborted) break;
      const moved = await this.#deps.webhooks.moveOn(this.#hook.id, this.#deps.holder, batch.position);
      if (!moved) {
        watch.abort();
        return undefined;
      }
      position = batch.position;
    }
    watch.abort();
    await end;
    return position;
  }

  /** AoRs side by side, the events of one in their order. */
  async #deliver(events: readonly LocationEvent[]): Promise<void> {
    const lines = new Map<Aor, LocationEvent[]>();
    for (const event of events) {
      if (!this.#wants(event)) continue;
      const line = lines.get(event.aor);
      if (line === undefined) lines.set(event.aor, [event]);
      else line.push(event);
    }
    const waiting = [...lines.values()];
    const work = async (): Promise<void> => {
      for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
        for (const event of line) await this.#deliverOne(event);
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#deps.limits.together, waiting.length) }, work));
  }

  #wants({ kind, aor }: LocationEvent): boolean {
    const { kinds, domain } = this.#hook;
    return (
      (kinds === undefined || kinds.includes(kind)) && (domain === undefined || aorDomain(aor) === domain)
    );
  }

  async #deliverOne(event: LocationEvent): Promise<void> {
    const { send, counters, limits, now, webhooks } = this.#deps;
    const { id, url, secret } = this.#hook;
    const body = JSON.stringify({ id: event.cursor, ...eventData(event) });
    for (let attempt = 1; !this.#signal.aborted; attempt += 1) {
      const outcome = await send({ url, secret, eventId: event.cursor, at: now(), body });
      if (outcome.kind === 'taken') {
        counters.taken += 1;
        return;
      }
      if (outcome.kind === 'refused' || attempt >= limits.attempts) {
        counters.buried += 1;
        await webhooks.bury(id, { body, attempts: attempt, reason: outcome.reason });
        return;
      }
      counters.retried += 1;
      await this.#pause(attempt);
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { firstPauseMs, longestPauseMs } = this.#deps.limits;
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
    // Half of it for certain, the rest at random: receivers that come back are not met by all at once.
    const ms = (longest * (1 + this.#deps.random())) / 2;
    await sleep(ms, undefined, { signal: this.#signal }).catch(() => undefined);
  }
}
