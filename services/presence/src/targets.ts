import { refusal } from '@rollcall/events';
import type {
  ListKind,
  PackageRegistry,
  Refusal,
  RuleAction,
  SubscribeIntent,
  Subscription,
} from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import type { Admission, Found } from './admission.ts';
import type { EventStore } from './ports.ts';

/** What is known of a resource before its rules are asked. */
export interface Target {
  readonly aor: Aor;
  readonly list: ListKind | undefined;
  /** Undefined: rules say nothing here; whoever may ask for the package sees it. */
  readonly watchers: RuleAction | undefined;
  readonly refusal: Refusal | undefined;
}

const NO_RESOURCE = refusal('no-such-resource');
/** RFC 4662 §4.1: what a list is cannot be told without the extension. */
const NEEDS_LISTS = refusal('extension-required', 'Require: eventlist\r\n');

/** What SUBSCRIBEs are for. What is known in memory comes back without a turn in between. Every call throws `StoreUnavailable`. */
export class Targets {
  constructor(
    private readonly store: Pick<EventStore, 'readList'>,
    private readonly admission: Admission,
    private readonly packages: PackageRegistry,
  ) {}

  /** Of a SUBSCRIBE outside a dialog, and whether the watcher may ask (RFC 6665 §4.2.1.3). */
  of(intent: SubscribeIntent): Target | Promise<Target> {
    const { resource, watcher, entries } = intent;
    if (resource === undefined) return unruled(watcher, NO_RESOURCE);
    if (entries !== undefined) return this.#adhocList(resource, intent);
    const found = this.admission.find(resource);
    if (found instanceof Promise) return found.then((user) => this.#userOrList(resource, user, intent));
    return this.#userOrList(resource, found, intent);
  }

  /** The same inside a dialog, where the record names the resource; what does not exist any more is not refreshed. */
  ofSubscription(subscription: Subscription): Target | Promise<Target> {
    const { resource, list } = subscription;
    if (list === 'adhoc') return unruled(resource, undefined, list);
    if (list === 'stored') return this.#knownList(resource);
    const found = this.admission.find(resource);
    if (found instanceof Promise) return found.then((user) => this.#known(subscription, user));
    return this.#known(subscription, found);
  }

  async #adhocList(resource: Aor, { takesLists }: SubscribeIntent): Promise<Target> {
    if (!(await this.admission.isOurs(resource))) return unruled(resource, NO_RESOURCE);
    return unruled(resource, takesLists ? undefined : NEEDS_LISTS, 'adhoc');
  }

  #userOrList(
    resource: Aor,
    user: Found | undefined,
    { watcher, package: wanted, takesLists }: SubscribeIntent,
  ): Target | Promise<Target> {
    if (user === undefined) return this.#storedList(resource, watcher, takesLists);
    const { aor, watchers } = user;
    if (wanted.audience === 'anybody') return { aor, list: undefined, watchers, refusal: undefined };
    return this.admission.ownerOrGranted(watcher, aor).then((refused) => unruled(aor, refused));
  }

  async #storedList(resource: Aor, watcher: Aor, takesLists: boolean): Promise<Target> {
    const ours = await this.admission.isOurs(resource);
    const list = ours ? await this.store.readList(resource) : undefined;
    if (list === undefined) return unruled(resource, NO_RESOURCE);
    const allowed = list.watchers === undefined || list.watchers.includes(watcher);
    const refused = !allowed ? refusal('not-allowed') : takesLists ? undefined : NEEDS_LISTS;
    return unruled(resource, refused, 'stored');
  }

  async #knownList(resource: Aor): Promise<Target> {
    const gone = (await this.store.readList(resource)) === undefined;
    return unruled(resource, gone ? NO_RESOURCE : undefined, 'stored');
  }

  #known({ resource, package: name }: Subscription, user: Found | undefined): Target {
    if (user === undefined) return unruled(resource, NO_RESOURCE);
    const ruled = this.packages.find(name)?.audience === 'anybody';
    return {
      aor: resource,
      list: undefined,
      watchers: ruled ? user.watchers : undefined,
      refusal: undefined,
    };
  }
}

const unruled = (aor: Aor, refused: Refusal | undefined, list?: ListKind): Target => ({
  aor,
  list,
  watchers: undefined,
  refusal: refused,
});
