import type { Metrics } from '@rollcall/telemetry';
import type { PresenceCore } from './core.ts';
import { MAX_WORKING } from './on-request.ts';

/** What the metrics are called; from telemetry's one file. */
export interface MetricNames {
  readonly sipRequestsReceived: string;
  readonly sipRefusals: string;
  readonly subscriptionChanges: string;
  readonly notifications: string;
  readonly commitConflicts: string;
  readonly dirtyBacklog: string;
  readonly innerPending: string;
  readonly innerConnections: string;
  readonly storeCommands: string;
  readonly storeErrors: string;
  readonly storePending: string;
  readonly storeConnected: string;
  readonly laterEntries: string;
  readonly boundSize: string;
  readonly boundLimit: string;
}

/** Figures of the store and of the links that are not the core's. */
export interface MetricSources {
  readonly core: PresenceCore;
  readonly stats: () => {
    readonly calls: number;
    readonly failures: number;
    readonly timeouts: number;
    readonly pending: number;
  };
  readonly storeUp: () => boolean;
  readonly laterEntries: () => number;
  connections(): number;
  linkPending(): number;
}

/** Tells Prometheus where the plain fields of presence are. */
export function exposeMetrics(metrics: Metrics, names: MetricNames, sources: MetricSources): void {
  const { counters } = sources.core;
  metrics.collect(names.sipRequestsReceived, 'Requests received.', 'counter', () =>
    Object.entries(counters.requests).map(([method, value]) => ({
      labels: { transport: 'inner', method },
      value,
    })),
  );
  metrics.collect(names.sipRefusals, 'Refused requests by the row of the refusal table.', 'counter', () =>
    Object.entries(counters.refusals).map(([reason, value]) => ({ labels: { reason }, value })),
  );
  metrics.collect(names.subscriptionChanges, 'What happened to subscriptions.', 'counter', () =>
    pairs(counters.changes, 'event', 'kind'),
  );
  metrics.collect(names.notifications, 'NOTIFY requests by what became of them.', 'counter', () =>
    pairs(counters.notifications, 'event', 'status'),
  );
  metrics.collect(
    names.commitConflicts,
    'Commits that found another version than expected.',
    'counter',
    () => [{ value: counters.conflicts }],
  );
  metrics.gauge(names.dirtyBacklog, 'Shards with changes being worked on.', () => sources.core.worker.busy);
  metrics.gauge(names.innerConnections, 'Connections from the edges.', () => sources.connections());
  metrics.gauge(names.innerPending, 'NOTIFYs at the edges without an answer yet.', () =>
    sources.linkPending(),
  );
  exposeBounds(metrics, names, sources.core);
  exposeStore(metrics, names, sources);
}

function exposeBounds(metrics: Metrics, names: MetricNames, core: PresenceCore): void {
  metrics.collect(names.boundSize, 'Entries of a bounded map, queue or pool.', 'gauge', () => [
    { labels: { queue: 'requests' }, value: core.onRequest.working },
    { labels: { queue: 'records' }, value: core.records.kept.size },
    { labels: { queue: 'watched' }, value: core.watched.kept.size },
    { labels: { queue: 'publications' }, value: core.onPublish.kept.size },
    { labels: { queue: 'users' }, value: core.admission.keptUsers.size },
    { labels: { queue: 'notifications' }, value: core.notifier.outstanding },
    { labels: { queue: 'unsettled' }, value: core.notifier.unsettled },
  ]);
  metrics.collect(names.boundLimit, 'Most entries that it may have.', 'gauge', () => [
    { labels: { queue: 'requests' }, value: MAX_WORKING },
    { labels: { queue: 'records' }, value: core.records.kept.limit },
    { labels: { queue: 'watched' }, value: core.watched.kept.limit },
    { labels: { queue: 'publications' }, value: core.onPublish.kept.limit },
    { labels: { queue: 'users' }, value: core.admission.keptUsers.limit },
  ]);
}

function exposeStore(
  metrics: Metrics,
  names: MetricNames,
  { stats, storeUp, laterEntries }: MetricSources,
): void {
  metrics.collect(names.storeCommands, 'Calls to the store.', 'counter', () => [{ value: stats().calls }]);
  metrics.collect(names.storeErrors, 'Calls to the store that failed.', 'counter', () => [
    { labels: { reason: 'timeout' }, value: stats().timeouts },
    { labels: { reason: 'failure' }, value: stats().failures },
  ]);
  metrics.gauge(names.storePending, 'Calls to the store without an answer yet.', () => stats().pending);
  metrics.gauge(names.storeConnected, '1 while the store can be reached.', () => (storeUp() ? 1 : 0));
  metrics.collect(
    names.laterEntries,
    'Entries of streams that a later version wrote, and that are left to it.',
    'counter',
    () => [{ value: laterEntries() }],
  );
}

function pairs(counts: ReadonlyMap<string, number>, first: string, second: string) {
  return [...counts].map(([key, value]) => {
    const space = key.indexOf(' ');
    return { labels: { [first]: key.slice(0, space), [second]: key.slice(space + 1) }, value };
  });
}
