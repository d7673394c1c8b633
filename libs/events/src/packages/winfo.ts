import type { EpochMs } from '@rollcall/kernel';
import { hashOf } from '../fingerprint.ts';
import type { ResourceState, Subscription, SubscriptionId } from '../model.ts';
import { watcherStatus } from '../watchers.ts';
import type { WatcherChange, WatcherStatus } from '../watchers.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import type { DocumentRequest, EventPackage, News, StateView } from './package.ts';

/** RFC 3857 §4.4. */
const DEFAULT_EXPIRES = 3600;
/** Most watchers that one document lists, so that it stays within a message of 64 KiB; partial documents tell of the others. */
const MAX_LISTED = 300;
/** Most watchers that a partial document lists before a full one says it better. */
const MAX_CHANGED = 100;

/** RFC 3857: who watches a resource through another package. */
export const winfoOf = (watched: string): EventPackage => ({
  name: `${watched}.winfo`,
  rfc: 'RFC 3857, RFC 3858',
  types: ['application/watcherinfo+xml'],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['watchers'],
  unmovedBy: new Set(),
  tellsChanges: true,
  // §6.2: who watches somebody is as sensitive as what they see.
  audience: 'owner',
  view: (state, now) => new WatcherView(state, watched, now),
});

class WatcherView implements StateView {
  readonly fingerprint: string;
  readonly #state: ResourceState;
  readonly #watched: string;
  readonly #now: EpochMs;
  readonly #watchers = new Map<SubscriptionId, Subscription>();

  constructor(state: ResourceState, watched: string, now: EpochMs) {
    this.#state = state;
    this.#watched = watched;
    this.#now = now;
    const sum = new Sum();
    for (const each of state.watchers ?? []) {
      const status = each.package === watched ? watcherStatus(each) : undefined;
      if (status === undefined) continue;
      this.#watchers.set(each.id, each);
      sum.add(each.id, status);
    }
    this.fingerprint = sum.print();
  }

  write({ version, news }: DocumentRequest): string {
    const changed = news === undefined ? undefined : this.#changed(news);
    return (
      `${XML_DECLARATION}<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="${version}"` +
      ` state="${changed === undefined ? 'full' : 'partial'}">\r\n` +
      `<watcher-list resource="${escapeXml(this.#state.resource)}" package="${this.#watched}">\r\n` +
      `${changed === undefined ? this.#all() : this.#some(changed)}</watcher-list>\r\n</watcherinfo>\r\n`
    );
  }

  /**
   * The last change of each watcher, when the changes are all that lies between what was told and what there is: what was told,
   * less what they were, plus what they became, must be what there is. Undefined otherwise.
   */
  #changed({ after, watching = [] }: News): ReadonlyMap<SubscriptionId, WatcherChange> | undefined {
    const sum = Sum.read(after);
    const last = new Map<SubscriptionId, WatcherChange>();
    for (const change of watching) {
      if (change.package !== this.#watched) continue;
      if (change.from !== undefined) sum?.remove(change.id, change.from);
      if (change.to !== undefined) sum?.add(change.id, change.to);
      last.set(change.id, change);
    }
    return sum?.print() === this.fingerprint && last.size <= MAX_CHANGED ? last : undefined;
  }

  #all(): string {
    let list = '';
    let listed = 0;
    for (const each of this.#watchers.values()) {
      if ((listed += 1) > MAX_LISTED) break;
      list += this.#present(each, 'subscribe');
    }
    return list;
  }

  #some(changed: ReadonlyMap<SubscriptionId, WatcherChange>): string {
    let list = '';
    for (const change of changed.values()) {
      const each = this.#watchers.get(change.id);
      list +=
        each === undefined
          ? watcher(change.id, change.watcher, `status="terminated" event="${change.event}"`)
          : this.#present(each, change.event);
    }
    return list;
  }

  #present(each: Subscription, event: string): string {
    const left = Math.max(0, Math.round((each.expiresAt - this.#now) / 1000));
    const since = Math.max(0, Math.floor((this.#now - each.createdAt) / 1000));
    const times = `expiration="${left}" duration-subscribed="${since}"`;
    const status = watcherStatus(each) ?? 'terminated';
    return watcher(each.id, each.watcher, `status="${status}" event="${event}" ${times}`);
  }
}

/** §3: the id is a token, which a subscription's id is; the watcher is who was authenticated. */
const watcher = (id: string, uri: string, attributes: string): string =>
  `<watcher id="${escapeXml(id)}" ${attributes}>${escapeXml(uri)}</watcher>\r\n`;

/** What a set of watchers is, as a sum of hashes: any order gives the same, and what comes or goes can be added or taken away. */
class Sum {
  #a = 0;
  #b = 0;

  static read(text: string): Sum | undefined {
    const [a, b] = text.split('.').map((digits) => Number.parseInt(digits, 36));
    if (a === undefined || b === undefined || Number.isNaN(a + b)) return undefined;
    const sum = new Sum();
    sum.#a = a;
    sum.#b = b;
    return sum;
  }

  add(id: string, status: WatcherStatus): void {
    const [a, b] = hashOf(`${id} ${status}`);
    this.#a = (this.#a + a) >>> 0;
    this.#b = (this.#b + b) >>> 0;
  }

  remove(id: string, status: WatcherStatus): void {
    const [a, b] = hashOf(`${id} ${status}`);
    this.#a = (this.#a - a) >>> 0;
    this.#b = (this.#b - b) >>> 0;
  }

  print(): string {
    return `${this.#a.toString(36)}.${this.#b.toString(36)}`;
  }
}
