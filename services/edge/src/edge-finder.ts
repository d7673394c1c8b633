import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { EdgeLease } from '@rollcall/location';

/** The part of `EdgeLeases` that finds others. Throws when the store is away. */
export interface LeaseSource {
  find(id: string): Promise<EdgeLease | undefined>;
}

/** How long a lease is believed without asking again: shorter than a lease lives, so a dead edge is noticed. */
const BELIEVED_MS = 2_000;
const KEPT = 1_024;

/** Finds other edges by their leases; the answers are kept for a moment, calls to one edge come in bursts. */
export class EdgeFinder {
  readonly #found = new BoundedMap<string, { readonly lease: EdgeLease | undefined; readonly until: number }>(
    KEPT,
  );

  constructor(
    private readonly leases: LeaseSource,
    private readonly clock: Clock,
  ) {}

  async find(id: string): Promise<EdgeLease | undefined> {
    const known = this.#found.peek(id);
    if (known !== undefined && known.until > this.clock.now()) return known.lease;
    const lease = await this.leases.find(id);
    this.#found.set(id, { lease, until: this.clock.now() + BELIEVED_MS });
    return lease;
  }
}
