import type { Store } from '@rollcall/store-redis';
import { METRICS, SECONDS_BUCKETS } from '@rollcall/telemetry';
import type { Counter, Histogram, Metrics } from '@rollcall/telemetry';
import type { StreamGate } from './events/stream-gate.ts';

/** What admin counts. */
export class AdminMetrics {
  readonly #requests: Counter;
  readonly #seconds: Histogram;

  constructor(metrics: Metrics, streams: StreamGate, store: Pick<Store, 'ready' | 'stats'>) {
    this.#requests = metrics.counter(METRICS.httpRequests, 'REST requests answered.', [
      'route',
      'method',
      'status',
    ]);
    this.#seconds = metrics.histogram(
      METRICS.httpSeconds,
      'Time from a REST request to its answer.',
      SECONDS_BUCKETS,
    );
    metrics.gauge(METRICS.httpStreams, 'Event streams open.', () => streams.size);
    metrics.collect(
      METRICS.httpStreamsDropped,
      'Event streams cut off: the client was too slow.',
      'counter',
      () => [{ value: streams.dropped }],
    );
    const queue = { queue: 'event_streams' };
    metrics.collect(METRICS.boundSize, 'Entries of a bounded queue or table.', 'gauge', () => [
      { labels: queue, value: streams.size },
    ]);
    metrics.collect(METRICS.boundLimit, 'Most entries of a bounded queue or table.', 'gauge', () => [
      { labels: queue, value: streams.limits.streams },
    ]);
    metrics.collect(METRICS.boundRefusals, 'What a bounded queue or table refused.', 'counter', () => [
      { labels: queue, value: streams.refused },
    ]);
    metrics.gauge(METRICS.storeConnected, '1 when the store can be reached.', () => (store.ready() ? 1 : 0));
    metrics.gauge(METRICS.storePending, 'Store calls without an answer.', () => store.stats().pending);
    metrics.collect(METRICS.storeCommands, 'Store calls made.', 'counter', () => [
      { value: store.stats().calls },
    ]);
    metrics.collect(METRICS.storeErrors, 'Store calls that failed.', 'counter', () => [
      { value: store.stats().failures },
    ]);
  }

  answered(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status });
    // An event stream lasts as long as its client likes.
    if (route !== '/v1/events') this.#seconds.observe(seconds);
  }
}
