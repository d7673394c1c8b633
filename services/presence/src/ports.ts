import type {
  Publications,
  ResourceLists,
  ResourceStates,
  SubscriptionReader,
  SubscriptionWriter,
  WatcherRuleStore,
  WorkQueue,
} from '@rollcall/events';
import type { SipResponse } from '@rollcall/sip';

/** All that this service wants of the store of events. */
export type EventStore = SubscriptionReader &
  SubscriptionWriter &
  WorkQueue &
  ResourceStates &
  Publications &
  Pick<WatcherRuleStore, 'readRules'> &
  Pick<ResourceLists, 'readList' | 'readAdhoc' | 'keepAdhoc'>;

export interface Peer {
  readonly host: string;
  readonly port: number;
}

/** What became of a request to an edge. */
export type InnerOutcome =
  | { readonly kind: 'response'; readonly status: number; readonly response: SipResponse }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'timeout' };

/** The way to the edges: SIP over few long-lived TCP connections. `done` is called once, in a later turn. */
export interface EdgeLink {
  requestTo(peer: Peer, branch: string, message: string, done: (outcome: InnerOutcome) => void): void;
}

/** What is logged: rare events only. */
export interface PresenceLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}
