import type { Subscription, SubscriptionId } from '@rollcall/events';
import { BoundedMap } from '@rollcall/kernel';
import type { Aor, LocationSnapshot } from '@rollcall/location';

/** Resources that are remembered. */
const KEPT = 10_000;
/** Watchers that a replica tells itself of a publication that came to it; more are told by all replicas through the stream. */
export const TELLS = 16;

/** What is remembered of a resource beside its publications. */
export interface WatchedResource {
  /** In id order. */
  readonly watchers: readonly SubscriptionId[];
  readonly location: LocationSnapshot;
}

/**
 * Who watches a resource, and where it is registered, as it was seen last, for resources with few watchers: a hint for claims that go
 * along with a publication. Only the store knows whether it still holds.
 */
export class Watched {
  readonly #resources = new BoundedMap<Aor, WatchedResource>(KEPT);

  get kept(): { readonly size: number; readonly limit: number } {
    return { size: this.#resources.size, limit: this.#resources.limit };
  }

  find(resource: Aor): WatchedResource | undefined {
    return this.#resources.get(resource);
  }

  /** All of it has been read. */
  learn(resource: Aor, known: WatchedResource): void {
    this.#resources.set(resource, known);
  }

  /** A subscription was stored; `location` where it was read with it. */
  stored({ id, resource }: Subscription, location: LocationSnapshot | undefined): void {
    const known = this.#resources.peek(resource);
    const at = location ?? known?.location;
    if (at === undefined) return;
    const others = known?.watchers ?? NOBODY;
    if (others.includes(id)) {
      if (at !== known?.location) this.#resources.set(resource, { watchers: others, location: at });
      return;
    }
    if (others.length >= TELLS) this.#resources.delete(resource);
    else this.#resources.set(resource, { watchers: [...others, id].sort(), location: at });
  }

  /** A subscription is gone. */
  gone(resource: Aor, id: SubscriptionId): void {
    const known = this.#resources.peek(resource);
    if (known?.watchers.includes(id) !== true) return;
    const watchers = known.watchers.filter((each) => each !== id);
    if (watchers.length === 0) this.#resources.delete(resource);
    else this.#resources.set(resource, { ...known, watchers });
  }
}

const NOBODY: readonly SubscriptionId[] = [];
