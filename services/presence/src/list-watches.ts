import type { ListEntry, ResourceList, Subscription } from '@rollcall/events';
import { epochMs } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { Admission } from './admission.ts';
import type { EventStore } from './ports.ts';

/** How long a list that is fetched once is kept, ms. */
const FETCH_MS = 60_000;

/**
 * The back-end watches of list subscriptions (RFC 4662 §4.5): the id of the subscription among the watchers of each entry, so
 * that a change of an entry is work like any other. There is no dialog and no record for an entry.
 */
export class ListWatches {
  constructor(
    private readonly store: EventStore,
    private readonly admission: Admission,
    private readonly clock: Clock,
  ) {}

  /**
   * Keeps the list of a subscription and watches its entries until it expires. `entries` are those that came with the SUBSCRIBE;
   * a fetch watches nothing.
   */
  async watch(
    subscription: Subscription,
    entries: readonly ListEntry[] | undefined,
    how: 'on' | 'once' = 'on',
  ): Promise<void> {
    const { id, list, resource, expiresAt } = subscription;
    const until = how === 'once' ? epochMs(this.clock.now() + FETCH_MS) : expiresAt;
    if (list === 'adhoc') await this.store.keepAdhoc(id, entries, until);
    if (how === 'once') return;
    const found = list === 'adhoc' ? await this.store.readAdhoc(id) : await this.store.readList(resource);
    if (found !== undefined) await this.watchAll(subscription, found);
  }

  async watchAll({ id, expiresAt }: Subscription, { entries }: ResourceList): Promise<void> {
    await Promise.all(
      entries.map(async ({ uri }) => {
        const entry = await this.admission.find(uri);
        await this.store.watch(entry?.aor ?? uri, id, expiresAt);
      }),
    );
  }

  /** Takes the watches of a subscription that is over away; what is left is found out with the next change of an entry. */
  async unwatch({ id }: Subscription, list: ResourceList | undefined): Promise<void> {
    await Promise.all((list?.entries ?? []).map(({ uri }) => this.store.unwatch(uri, id)));
  }
}
