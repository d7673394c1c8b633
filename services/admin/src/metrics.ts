import type { Store } from '@rollcall/store-redis';
import type { Counter, Histogram, METRICS, Metrics } from '@rollcall/telemetry';
import type { StreamGate } from './events/stream-gate.ts';
import type { WebhookDispatcher } from './webhooks/dispatcher.ts';

export interface AdminMetricsSources {
  readonly names: typeof METRICS;
  readonly buckets: readonly number[];
  readonly streams: StreamGate;
  readonly store: Pick<Store, 'ready' | 'stats' | 'laterEntries'>;
  readonly webhooks: Pick<WebhookDispatcher, 'counters' | 'running'>;
}

/** What admin counts. */
export class AdminMetrics {
  readonly #requests: Counter;
  readonly #seconds: Histogram;

  constructor(metrics: Metrics, { names, buckets, streams, store, webhooks }: AdminMetricsSources) {
    this.#requests = metrics.counter(names.httpRequests, 'REST requests answered.', [
      'route',
      'method',
      'status',
    ]);
    this.#seconds = metrics.histogram(names.httpSeconds, 'Time from a REST request to its answer.', buckets);
    metrics.gauge(names.httpStreams, 'Event streams open.', () => streams.size);
    metrics.collect(
      names.httpStreamsDropped,
      'Event streams cut off: the client was too slow.',
      'counter',
      () => [{ value: streams.dropped }],
    );
    const queue = { queue: 'event_streams' };
    metrics.collect(names.boundSize, 'Entries of a bounded queue or table.', 'gauge', () => [
      { labels: queue, value: streams.size },
    ]);
    metrics.collect(names.boundLimit, 'Most entries of a bounded queue or table.', 'gauge', () => [
      { labels: queue, value: streams.limits.streams },
    ]);
    metrics.collect(names.boundRefusals, 'What a bounded queue or table refused.', 'counter', () => [
      { labels: queue, value: streams.refused },
    ]);
    const { counters } = webhooks;
    metrics.gauge(names.webhooksRunning, 'Webhooks that this replica delivers.', () => webhooks.running);
    metrics.collect(names.webhookDeliveries, 'Attempts to deliver an event to a webhook.', 'counter', () => [
      { labels: { outcome: 'taken' }, value: counters.taken },
      { labels: { outcome: 'retried' }, value: counters.retried },
      { labels: { outcome: 'dead' }, value: counters.buried },
    ]);
    metrics.collect(
      names.webhookGaps,
      'Times that events were gone from the change streams before a webhook had them.',
      'counter',
      () => [{ value: counters.gaps }],
    );
    metrics.gauge(names.storeConnected, '1 when the store can be reached.', () => (store.ready() ? 1 : 0));
    metrics.gauge(names.storePending, 'Store calls without an answer.', () => store.stats().pending);
    metrics.collect(names.storeCommands, 'Store calls made.', 'counter', () => [
      { value: store.stats().calls },
    ]);
    metrics.collect(names.storeErrors, 'Store calls that failed.', 'counter', () => [
      { value: store.stats().failures },
    ]);
    metrics.collect(
      names.laterEntries,
      'Entries of streams that a later version wrote, and that are read over.',
      'counter',
      () => [{ value: store.laterEntries.count }],
    );
  }

  answered(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status });
    // An event stream lasts as long as its client likes.
    if (route !== '/v1/events') this.#seconds.observe(seconds);
  }
}
