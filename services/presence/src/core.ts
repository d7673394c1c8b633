import {
  DELIVERY_DEFAULTS,
  EntityTags,
  MAX_PUBLISHED_OCTETS,
  SubscriptionIds,
  standardPackages,
} from '@rollcall/events';
import type { Clock } from '@rollcall/kernel';
import { Gruus } from '@rollcall/location';
import { Admission } from './admission.ts';
import type { AdmissionDirectory } from './admission.ts';
import { PresenceCounters } from './counters.ts';
import { EdgeFinder } from './edge-finder.ts';
import type { LeaseReader } from './edge-finder.ts';
import { Lanes } from './lanes.ts';
import { Notifier } from './notifier.ts';
import { ListWatches } from './list-watches.ts';
import { OnCommand } from './on-command.ts';
import { OnPublish } from './on-publish.ts';
import { OnRequest } from './on-request.ts';
import type { Traced } from './on-request.ts';
import { OnSubscribe } from './on-subscribe.ts';
import { Poller } from './poller.ts';
import type { EdgeLink, EventStore, PresenceLog } from './ports.ts';
import { Records } from './records.ts';
import { ShardWorker } from './shard-worker.ts';
import type { WorkerDeps } from './shard-worker.ts';
import { SubscriberViews } from './subscriber-views.ts';
import { Targets } from './targets.ts';
import { Teller } from './teller.ts';
import { tellingStore } from './telling-store.ts';
import { Watched } from './watched.ts';

/** What the service stands on. */
export interface CorePorts {
  readonly store: EventStore;
  readonly directory: AdmissionDirectory;
  readonly leases: LeaseReader;
  readonly link: EdgeLink;
  readonly clock: Clock;
  readonly log: PresenceLog;
  readonly traced: Traced;
  readonly tracedWork: WorkerDeps['traced'];
  readonly storeReady: () => boolean;
  readonly newToken: () => string;
  readonly currentTrace: () => string | undefined;
  /** A number from 0 to 1. */
  readonly random: () => number;
}

export interface CoreOptions {
  readonly secret: string;
  /** `host:port` of the inner listener. */
  readonly ownAddress: string;
  readonly minExpires: number;
  readonly maxExpires: number;
  /** URL of the profiles of devices, with `{user}`, `{mac}` and `{domain}`; empty or left away: none. */
  readonly profileUrl?: string;
  /** True: that NOTIFYs arrived is written a moment later, many at once; left away: at once, each by itself. */
  readonly settleLate?: boolean;
}

export interface PresenceCore {
  readonly onRequest: OnRequest;
  readonly onPublish: OnPublish;
  readonly notifier: Notifier;
  readonly worker: ShardWorker;
  readonly poller: Poller;
  readonly counters: PresenceCounters;
  readonly records: Records;
  readonly watched: Watched;
  readonly lanes: Lanes;
  readonly admission: Admission;
}

/** Shortest Retry-After, and how far it is spread (RFC 6357: spread, or they all come back at once). */
const RETRY_AFTER_S = 2;
const RETRY_SPREAD_S = 6;
/** Publications of one resource: each device has one. */
const MAX_PUBLICATIONS = 32;

/** A watcher whom nobody has confirmed for a week is told to give up (RFC 6665 §4.1.3). */
const PENDING_MAX_MS = 7 * 24 * 3_600_000;

/** Wires the service over its ports; nothing runs before `poller.start()` and the first request. */
export function createCore(ports: CorePorts, options: CoreOptions): PresenceCore {
  const { store, clock, log, link, newToken, currentTrace } = ports;
  const packages = standardPackages({ gruus: new Gruus(options.secret), profileUrl: options.profileUrl });
  const counters = new PresenceCounters();
  const lanes = new Lanes();
  const watched = new Watched();
  const records = new Records(store, counters, watched);
  const edges = new EdgeFinder(ports.leases, clock);
  const admission = new Admission(ports.directory);
  const views = new SubscriberViews(store, packages, admission, clock);
  const lists = new ListWatches(store, admission, clock);
  const retryAfter = (): number => RETRY_AFTER_S + Math.floor(ports.random() * (RETRY_SPREAD_S + 1));
  const policy = DELIVERY_DEFAULTS;
  const { minExpires, maxExpires, ownAddress } = options;
  const notifier = new Notifier({
    records,
    views,
    lanes,
    link,
    edges,
    clock,
    policy,
    counters,
    log,
    newToken,
    currentTrace,
    late: options.settleLate ?? false,
    atOnce: (event) => packages.find(event)?.tellsChanges === true,
  });
  records.onOvertaken = (id) => {
    notifier.overtaken(id);
  };
  const teller = new Teller({
    store,
    records,
    views,
    lists,
    lanes,
    notifier,
    admission,
    packages,
    clock,
    policy,
  });
  const worker = new ShardWorker({
    store,
    records,
    views,
    lanes,
    notifier,
    teller,
    clock,
    policy,
    counters,
    log,
    traced: ports.tracedWork,
  });
  admission.onUser((aor) => void worker.reconsider(aor));
  const shared = { store, lanes, admission, packages, clock, counters, newToken, retryAfter };
  const onSubscribe = new OnSubscribe({
    ...shared,
    records,
    views,
    lists,
    commands: new OnCommand({ store, lanes, currentTrace }),
    notifier,
    targets: new Targets(store, admission, packages),
    ids: new SubscriptionIds(options.secret),
    policy: { ...policy, minExpires, maxExpires, ownAddress, pendingMaxMs: PENDING_MAX_MS },
  });
  const onPublish = new OnPublish({
    ...shared,
    store: tellingStore(store, records, watched, teller, worker),
    currentTrace,
    tags: new EntityTags(options.secret),
    policy: {
      minExpires,
      maxExpires,
      maxPublications: MAX_PUBLICATIONS,
      maxOctets: MAX_PUBLISHED_OCTETS,
    },
  });
  const onRequest = new OnRequest({
    onSubscribe,
    onPublish,
    counters,
    log,
    traced: ports.traced,
    newToken,
    retryAfter,
  });
  const poller = new Poller(store, worker, notifier, () => ports.storeReady(), log);
  return { onRequest, onPublish, notifier, worker, poller, counters, records, watched, lanes, admission };
}
