import { isEnding } from './delivery.ts';
import type { Subscription, SubscriptionId } from './model.ts';

/** RFC 3857 §4.7.1, as far as a subscription that there is has one. */
export type WatcherStatus = 'pending' | 'active';

/** RFC 3858 §3: what brought a watcher to its status. */
export type WatcherEvent =
  'subscribe' | 'approved' | 'deactivated' | 'probation' | 'rejected' | 'timeout' | 'giveup' | 'noresource';

/** One watcher that came, went, or changed its status. */
export interface WatcherChange {
  readonly id: SubscriptionId;
  readonly package: string;
  readonly watcher: string;
  /** Undefined: it was not there. */
  readonly from: WatcherStatus | undefined;
  /** Undefined: it is gone. */
  readonly to: WatcherStatus | undefined;
  readonly event: WatcherEvent;
}

const WINFO = '.winfo';

/** The package whose watchers a template package tells of (RFC 3857 §4.1); undefined for any other package. */
export const watchedPackage = (name: string): string | undefined =>
  name.endsWith(WINFO) ? name.slice(0, -WINFO.length) : undefined;

/** The status that watcher information tells; a subscription that is being ended is none any more. */
export function watcherStatus(subscription: Subscription | undefined): WatcherStatus | undefined {
  if (subscription === undefined) return undefined;
  if (isEnding(subscription)) return undefined;
  return subscription.access === 'pending' ? 'pending' : 'active';
}

/**
 * What watcher information has to tell when a subscription's record becomes another; undefined when nothing. Subscriptions to
 * watcher information are themselves not told of (RFC 3857 §4.1 allows `winfo.winfo`; nobody asks for it).
 */
export function watcherChange(
  before: Subscription | undefined,
  after: Subscription | undefined,
): WatcherChange | undefined {
  const from = watcherStatus(before);
  const to = watcherStatus(after);
  const either = after ?? before;
  if (from === to || either === undefined || watchedPackage(either.package) !== undefined) return undefined;
  const { id, package: name, watcher } = either;
  return { id, package: name, watcher, from, to, event: eventOf(from, to, either) };
}

/** A subscription ends for the reason that its last NOTIFY gives. */
function eventOf(
  from: WatcherStatus | undefined,
  to: WatcherStatus | undefined,
  { reason }: Subscription,
): WatcherEvent {
  if (to === undefined) return reason;
  return from === 'pending' && to === 'active' ? 'approved' : 'subscribe';
}
