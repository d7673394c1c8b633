import type { ClientStats } from '@rollcall/store-redis';
import type { METRICS, Metrics } from '@rollcall/telemetry';
import { REGISTER_REFUSALS } from '@rollcall/registration';
import type { RegistrarCounters } from './counters.ts';
import { MAX_IN_FLIGHT } from './on-register.ts';
import type { RegisterHandler } from './on-register.ts';
import type { SnapshotMemory } from './snapshot-memory.ts';

/** Metrics that only the registrar has; named like those of `METRICS`. */
export const REGISTRAR_METRICS = {
  /** outcome: committed, query, repeated, nothing-to-remove, or a row of the refusal table */
  registerOutcomes: 'rollcall_register_outcomes_total',
  /** result: hit, miss */
  snapshotCache: 'rollcall_snapshot_cache_total',
} as const;

/** What the metrics are read from when somebody asks. */
export interface MetricSources {
  readonly counters: RegistrarCounters;
  readonly memory: SnapshotMemory;
  readonly handler: RegisterHandler;
  connections(): number;
  stats(): ClientStats;
  storeUp(): boolean;
}

type MetricNames = typeof METRICS;

/** Tells Prometheus where the registrar's plain fields are. */
export function exposeMetrics(metrics: Metrics, names: MetricNames, sources: MetricSources): void {
  const { counters } = sources;
  metrics.collect(
    REGISTRAR_METRICS.registerOutcomes,
    'REGISTER requests by what became of them.',
    'counter',
    () => samples('outcome', counters.outcomes),
  );
  metrics.collect(names.sipRefusals, 'Refused requests by the row of the refusal table.', 'counter', () =>
    samples('reason', counters.outcomes).filter(({ labels }) =>
      Object.hasOwn(REGISTER_REFUSALS, labels['reason'] ?? ''),
    ),
  );
  metrics.collect(names.bindingChanges, 'Changes of bindings, by kind (RFC 3680 §3.6).', 'counter', () =>
    samples('kind', counters.changes),
  );
  metrics.collect(
    names.commitConflicts,
    'Commits that found another version than expected.',
    'counter',
    () => [{ value: counters.conflicts }],
  );
  metrics.collect(names.sweptBindings, 'Expiries that this replica has committed.', 'counter', () => [
    { value: counters.swept },
  ]);
  metrics.collect(
    REGISTRAR_METRICS.snapshotCache,
    'Decisions on remembered bindings, and on none.',
    'counter',
    () => [
      { labels: { result: 'hit' }, value: counters.remembered },
      { labels: { result: 'miss' }, value: counters.assumed },
    ],
  );
  exposeBounds(metrics, names, sources);
  exposeStore(metrics, names, sources);
}

function samples(
  label: string,
  values: Readonly<Record<string, number>>,
): { labels: Record<string, string>; value: number }[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function exposeBounds(metrics: Metrics, names: MetricNames, sources: MetricSources): void {
  metrics.collect(names.boundSize, 'Entries of a bounded map, queue or pool.', 'gauge', () => [
    { labels: { queue: 'snapshots' }, value: sources.memory.size },
    { labels: { queue: 'registers' }, value: sources.handler.inFlight },
  ]);
  metrics.collect(names.boundLimit, 'Most entries that it may have.', 'gauge', () => [
    { labels: { queue: 'snapshots' }, value: sources.memory.limit },
    { labels: { queue: 'registers' }, value: MAX_IN_FLIGHT },
  ]);
  metrics.gauge(names.innerConnections, 'Connections from the edges.', () => sources.connections());
}

function exposeStore(metrics: Metrics, names: MetricNames, sources: MetricSources): void {
  metrics.collect(names.storeCommands, 'Calls to the store.', 'counter', () => [
    { value: sources.stats().calls },
  ]);
  metrics.collect(names.storeErrors, 'Calls to the store that failed.', 'counter', () => [
    { labels: { reason: 'timeout' }, value: sources.stats().timeouts },
    { labels: { reason: 'failure' }, value: sources.stats().failures },
  ]);
  metrics.gauge(
    names.storePending,
    'Calls to the store without an answer yet.',
    () => sources.stats().pending,
  );
  metrics.gauge(names.storeConnected, '1 while the store can be reached.', () => (sources.storeUp() ? 1 : 0));
}
