import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { StoreClock } from '@rollcall/location';
import { listOf, numberOf } from './call.ts';
import type { StoreClient } from './client.ts';

/** A host clock that runs half as fast again is then wrong by one second at most, the limit that expiry promises. */
const RELEARN_MS = 2000;
/** An answer that took longer says too little about now; a quicker one is waited for while what is known is fresh. */
const GOOD_ROUND_TRIP_MS = 20;
const STALE_MS = 30_000;

/**
 * The store's time: Redis TIME, learned as an offset to this process's monotonic clock, so that neither a skewed host nor a step of
 * its clock matters. Until the store has answered once it is the host's time.
 */
export class RedisClock implements StoreClock {
  readonly #client: StoreClient;
  readonly #slot: number;
  readonly #timer: NodeJS.Timeout;
  #offset = performance.timeOrigin;
  #learnedAt = -Infinity;

  constructor(client: StoreClient, slot: number) {
    this.#client = client;
    this.#slot = slot;
    this.#timer = setInterval(() => void this.learn(), RELEARN_MS);
    this.#timer.unref();
    client.onStatus(({ up }) => {
      if (up) void this.learn();
    });
  }

  now(): EpochMs {
    return epochMs(Math.floor(performance.now() + this.#offset));
  }

  /** Asks for the time; keeps what it knows when there is no answer. */
  async learn(): Promise<void> {
    if (!this.#client.ready()) return;
    const sent = performance.now();
    try {
      const reply = listOf(await this.#client.command(this.#slot, ['TIME']));
      const received = performance.now();
      const ms = numberOf(reply[0]) * 1000 + numberOf(reply[1]) / 1000;
      const stale = received - this.#learnedAt > STALE_MS;
      if (Number.isNaN(ms) || (received - sent > GOOD_ROUND_TRIP_MS && !stale)) return;
      this.#offset = ms - (sent + received) / 2;
      this.#learnedAt = received;
    } catch {
      // The status says that the store is away; until it is back the offset stays good enough.
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
