import { DELIVERY_DEFAULTS, EntityTags, SubscriptionIds, standardPackages } from '@rollcall/events';
import type { Clock } from '@rollcall/kernel';
import { Gruus } from '@rollcall/location';
import { Admission } from './admission.ts';
import type { AdmissionDirectory } from './admission.ts';
import { PresenceCounters } from './counters.ts';
import { EdgeFinder } from './edge-finder.ts';
import type { LeaseReader } from './edge-finder.ts';
import { Lanes } from './lanes.ts';
import { Notifier } from './notifier.ts';
import { OnPublish } from './on-publish.ts';
import { OnRequest } from './on-request.ts';
import type { Traced } from './on-request.ts';
import { OnSubscribe } from './on-subscribe.ts';
import { Poller } from './poller.ts';
import type { EdgeLink, EventStore, PresenceLog } from './ports.ts';
import { Records } from './records.ts';
import { ShardWorker } from './shard-worker.ts';
import type { WorkerDeps } from './shard-worker.ts';
import { Views } from './views.ts';

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
}

export interface PresenceCore {
  readonly onRequest: OnRequest;
  readonly notifier: Notifier;
  readonly worker: ShardWorker;
  readonly poller: Poller;
  readonly counters: PresenceCounters;
  readonly records: Records;
  readonly lanes: Lanes;
  readonly admission: Admission;
}

/** Shortest Retry-After, and how far it is spread (RFC 6357: spread, or they all come back at once). */
const RETRY_AFTER_S = 2;
const RETRY_SPREAD_S = 6;
/** Publications of one resource: each device has one. */
const MAX_PUBLICATIONS = 32;
/** What is composed of the publications of one resource must fit into one message of 64 KiB. */
const MAX_PUBLICATION_OCTETS = 49_152;

/** Wires the service over its ports; nothing runs before `poller.start()` and the first request. */
export function createCore(ports: CorePorts, options: CoreOptions): PresenceCore {
  const { store, clock, log, link, newToken, currentTrace } = ports;
  const packages = standardPackages({ gruus: new Gruus(options.secret), profileUrl: options.profileUrl });
  const counters = new PresenceCounters();
  const lanes = new Lanes();
  const records = new Records(store, counters);
  const views = new Views(store, packages, clock);
  const edges = new EdgeFinder(ports.leases, clock);
  const admission = new Admission(ports.directory);
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
  });
  const shared = { store, lanes, admission, packages, clock, counters, newToken, retryAfter };
  const onSubscribe = new OnSubscribe({
    ...shared,
    records,
    views,
    notifier,
    ids: new SubscriptionIds(options.secret),
    policy: { ...policy, minExpires, maxExpires, ownAddress },
  });
  const onPublish = new OnPublish({
    ...shared,
    currentTrace,
    tags: new EntityTags(options.secret),
    policy: {
      minExpires,
      maxExpires,
      maxPublications: MAX_PUBLICATIONS,
      maxOctets: MAX_PUBLICATION_OCTETS,
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
  const worker = new ShardWorker({
    store,
    records,
    views,
    lanes,
    notifier,
    packages,
    clock,
    policy,
    counters,
    log,
    traced: ports.tracedWork,
  });
  const poller = new Poller(store, worker, notifier, () => ports.storeReady(), log);
  return { onRequest, notifier, worker, poller, counters, records, lanes, admission };
}
