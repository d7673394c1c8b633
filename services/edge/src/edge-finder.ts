import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { FoundLease } from '@rollcall/location';

/** The part of `EdgeLeases` that finds others. Throws when the store is away. */
export interface LeaseSource {
  find(id: string): Promise<FoundLease | undefined>;
}

/** How long an answer is believed without asking again; a lease never beyond its end. */
const BELIEVED_MS = 2_000;
const KEPT = 1_024;

/** Finds other edges by their leases; the answers are kept for a moment, calls to one edge come in bursts. */
export class EdgeFinder {
  readonly #found = new BoundedMap<
    string,
    { readonly lease: FoundLease | undefined; readonly until: number }
  >(KEPT);

  constructor(
    private readonly leases: LeaseSource,
    private readonly clock: Clock,
  ) {}

  async find(id: string): Promise<FoundLease | undefined> {
    const known = this.#found.peek(id);
    const now = this.clock.now();
    if (known !== undefined && known.until > now) return known.lease;
    const lease = await this.leases.find(id);
    // Counted from before the store was asked.
    this.#found.set(id, { lease, until: now + Math.min(BELIEVED_MS, lease?.leftMs ?? BELIEVED_MS) });
    return lease;
  }
}
