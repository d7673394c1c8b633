import type {
  Mailboxes,
  Publications,
  ResourceLists,
  SubscriptionReader,
  SubscriptionWriter,
  WatcherRuleStore,
} from '@rollcall/events';
import type {
  ApiTokens,
  AuditLog,
  EdgeLeases,
  LocationLister,
  LocationReader,
  LocationWatcher,
  LocationWriter,
  StoreClock,
  UserDirectory,
  Webhooks,
} from '@rollcall/location';

/** All that admin knows of the store: the same ports as the other services, no private path (architecture §1). */
export interface AdminPorts {
  readonly users: UserDirectory;
  readonly location: LocationReader & LocationWriter & LocationLister & LocationWatcher;
  readonly clock: StoreClock;
  readonly edges: Pick<EdgeLeases, 'list'>;
  readonly audit: AuditLog;
  readonly tokens: ApiTokens;
  readonly subscriptions: Pick<SubscriptionReader, 'read' | 'readMany' | 'watchers' | 'watchesOf'> &
    Pick<SubscriptionWriter, 'commit' | 'shardOf'> &
    WatcherRuleStore &
    Omit<ResourceLists, 'readAdhoc' | 'keepAdhoc'>;
  readonly mailboxes: Mailboxes;
  readonly publications: Publications;
  readonly webhooks: Webhooks;
}
