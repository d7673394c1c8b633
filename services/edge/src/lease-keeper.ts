import type { EdgeLease } from '@rollcall/location';
import type { EdgeLog } from './ports.ts';

/** The part of `EdgeLeases` that keeps our own. Both throw when the store is away. */
export interface LeaseStore {
  renew(lease: EdgeLease, ttlMs: number): Promise<void>;
  release(lease: EdgeLease): Promise<void>;
}

const TTL_MS = 15_000;
/** Two renewals may fail before the lease is gone. */
const RENEW_MS = 5_000;
/** While the store is away it is asked more often: without a lease our bindings are not offered. */
const RETRY_MS = 1_000;

/** Renews the lease of this edge for as long as it serves. */
export class LeaseKeeper {
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #failing = false;

  constructor(
    private readonly store: LeaseStore,
    private readonly lease: EdgeLease,
    private readonly log: EdgeLog,
  ) {}

  start(): void {
    this.#renew();
  }

  /** Gives the lease up, so that nobody waits for its end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    try {
      await this.store.release(this.lease);
    } catch {
      // The store is away; the lease ends by itself.
    }
  }

  #renew(): void {
    this.store.renew(this.lease, TTL_MS).then(
      () => {
        if (this.#failing) this.log.info({ edge: this.lease.id }, 'the lease is renewed again');
        this.#failing = false;
        this.#again(RENEW_MS);
      },
      (error: unknown) => {
        if (!this.#failing)
          this.log.warn({ edge: this.lease.id, error: String(error) }, 'the lease cannot be renewed');
        this.#failing = true;
        this.#again(RETRY_MS);
      },
    );
  }

  #again(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#renew();
    }, ms);
  }
}
