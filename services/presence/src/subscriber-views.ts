import { accessOf, ListView, NO_RULES } from '@rollcall/events';
import type {
  EntryState,
  EventPackage,
  ListEntry,
  PackageRegistry,
  ResourceList,
  ResourceState,
  StateSource,
  StateView,
  Subscription,
} from '@rollcall/events';
import type { Clock } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { Admission } from './admission.ts';
import type { EventStore } from './ports.ts';

/** Views that one piece of work has made already, or is making, for all the subscriptions that it tells. */
export type SharedViews = Map<string, StateView | Promise<StateView>>;

/** What decides what a subscriber is shown. */
export type Looker = Pick<Subscription, 'id' | 'resource' | 'package' | 'access' | 'watcher' | 'list'>;

const EMPTY_LIST: ResourceList = { version: 0, entries: [] };

/** State as one subscriber is to see it: the resource's, nothing at all politely, or that of every entry of a list. */
export class SubscriberViews {
  constructor(
    private readonly store: EventStore,
    private readonly packages: PackageRegistry,
    private readonly admission: Admission,
    private readonly clock: Clock,
  ) {}

  /**
   * Reads it; undefined for a package that this version no longer has. What is known comes back without a turn in between.
   * Throws `StoreUnavailable`.
   */
  readFor(
    looker: Looker,
    shared: SharedViews = new Map(),
  ): StateView | undefined | Promise<StateView | undefined> {
    const wanted = this.packages.find(looker.package);
    if (wanted === undefined) return undefined;
    if (looker.list !== undefined) return this.#listView(looker, wanted);
    if (looker.access === 'polite') return this.#nobody(looker.resource, wanted);
    return this.#single(looker.resource, wanted, shared);
  }

  /** The same of a state that was read with the record; undefined where that is not enough to go by. */
  ofState(looker: Looker, state: ResourceState): StateView | undefined {
    const wanted = this.packages.find(looker.package);
    if (wanted === undefined || looker.list !== undefined) return undefined;
    if (looker.access === 'polite') return this.#nobody(looker.resource, wanted);
    return hasAll(state, wanted.sources) ? wanted.view(state, this.clock.now()) : undefined;
  }

  /** The list that a subscription is to; undefined when it is gone. */
  listOf({ list, id, resource }: Looker): Promise<ResourceList | undefined> {
    return list === 'adhoc' ? this.store.readAdhoc(id) : this.store.readList(resource);
  }

  #single(resource: Aor, wanted: EventPackage, shared: SharedViews): StateView | Promise<StateView> {
    let view = shared.get(wanted.name);
    if (view === undefined) {
      view = this.store
        .readState(resource, wanted.sources)
        .then((state) => wanted.view(state, this.clock.now()));
      shared.set(wanted.name, view);
    }
    return view;
  }

  /** RFC 3856 §6.6.2: what a watcher is shown who must not learn that they are blocked. */
  #nobody(resource: Aor, wanted: EventPackage): StateView {
    return wanted.view(nothingAt(resource), this.clock.now());
  }

  /** RFC 4662 §4.5: each entry as if it were subscribed to by itself. */
  async #listView(looker: Looker, wanted: EventPackage): Promise<StateView> {
    const list = (await this.listOf(looker)) ?? EMPTY_LIST;
    const states = await Promise.all(list.entries.map((entry) => this.#entry(entry, looker, wanted)));
    return new ListView(looker.resource, list, states);
  }

  async #entry({ uri }: ListEntry, { watcher }: Looker, wanted: EventPackage): Promise<EntryState> {
    const found = await this.admission.find(uri);
    if (found === undefined) return { kind: 'terminated', reason: 'noresource' };
    if (
      wanted.audience === 'owner' &&
      (await this.admission.ownerOrGranted(watcher, found.aor)) !== undefined
    ) {
      return { kind: 'terminated', reason: 'rejected' };
    }
    const sources: readonly StateSource[] =
      wanted.audience === 'owner' ? wanted.sources : [...wanted.sources, 'rules'];
    const state = await this.store.readState(found.aor, sources);
    const access =
      wanted.audience === 'owner'
        ? 'active'
        : accessOf(found.aor, watcher, state.rules ?? NO_RULES, found.watchers);
    switch (access) {
      case 'blocked':
        return { kind: 'terminated', reason: 'rejected' };
      case 'pending':
        return { kind: 'pending' };
      case 'polite':
        return { kind: 'active', view: this.#nobody(found.aor, wanted) };
      case 'active':
        return { kind: 'active', view: wanted.view(state, this.clock.now()) };
    }
  }
}

/** A resource without bindings, publications or anything else. */
function nothingAt(resource: Aor): ResourceState {
  return {
    resource,
    location: { version: 0, bindings: [] },
    publications: { version: 0, publications: [] },
    watchers: [],
  };
}

const hasAll = (state: ResourceState, sources: readonly StateSource[]): boolean =>
  sources.every((source) => source in state);
