import type { Metric } from 'prom-client';
import { collectDefaultMetrics, Counter as PromCounter, Registry } from 'prom-client';
import { FixedHistogram } from './histogram.ts';

export type Labels = Readonly<Record<string, string | number>>;
/** One sample of a collected metric. */
export interface Sample {
  readonly labels?: Labels | undefined;
  readonly value: number;
}
export interface Counter {
  inc(labels?: Labels, by?: number): void;
}
export interface Histogram {
  observe(value: number): void;
}

/** Buckets for times in seconds, from a hundred microseconds to the 32 s of timer F (RFC 3261 §17.1.2.2). */
export const SECONDS_BUCKETS: readonly number[] = [
  0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 32,
];

/** The metrics of one process. Names come from `METRICS`. */
export interface Metrics {
  readonly contentType: string;
  /** A counter for cold paths; a hot path bumps a plain field that `collect` reads. */
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /** A gauge that is read when somebody asks for the metrics. */
  gauge(name: string, help: string, read: () => number): void;
  /** Samples that are read when somebody asks for the metrics. The same name may be collected from several places. */
  collect(name: string, help: string, type: 'counter' | 'gauge', read: () => Iterable<Sample>): void;
  /** A histogram of one series; called again with the same name and other labels it adds a series. */
  histogram(name: string, help: string, buckets: readonly number[], labels?: Labels): Histogram;
  /** The Prometheus text format. */
  text(): Promise<string>;
}

interface Reading {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

// What prom-client's Registry wants of a metric when it renders: `get`, and a name and type to print above the samples.
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: 'sum';
  get(): Promise<{ name: string; help: string; type: string; aggregator: 'sum'; values: Reading[] }>;
}

// These list every open handle at each scrape: tens of milliseconds of a stalled loop with 100,000 flows.
const LISTED_BY_HANDLE = [
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
];

const NO_LABELS: Labels = {};

function readings(sources: readonly (() => Iterable<Sample>)[]): Reading[] {
  const values: Reading[] = [];
  for (const read of sources) {
    for (const sample of read()) values.push({ labels: sample.labels ?? NO_LABELS, value: sample.value });
  }
  return values;
}

class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #sources = new Map<string, (() => Iterable<Sample>)[]>();
  readonly #histograms = new Map<string, FixedHistogram[]>();

  constructor(defaults: boolean) {
    if (!defaults) return;
    collectDefaultMetrics({ register: this.#registry });
    for (const name of LISTED_BY_HANDLE) this.#registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  counter(name: string, help: string, labels: readonly string[] = []): Counter {
    const counter = new PromCounter({ name, help, labelNames: [...labels], registers: [this.#registry] });
    return {
      inc: (values = NO_LABELS, by = 1) => {
        counter.inc(values, by);
      },
    };
  }

  gauge(name: string, help: string, read: () => number): void {
    this.collect(name, help, 'gauge', () => [{ value: read() }]);
  }

  collect(name: string, help: string, type: 'counter' | 'gauge', read: () => Iterable<Sample>): void {
    const known = this.#sources.get(name);
    if (known !== undefined) {
      known.push(read);
      return;
    }
    const sources = [read];
    this.#sources.set(name, sources);
    this.#register(name, help, type, () => readings(sources));
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: Labels = NO_LABELS): Histogram {
    const histogram = new FixedHistogram(name, buckets, labels);
    const known = this.#histograms.get(name);
    if (known !== undefined) {
      known.push(histogram);
      return histogram;
    }
    const series = [histogram];
    this.#histograms.set(name, series);
    this.#register(name, help, 'histogram', () => series.flatMap((one) => one.read()));
    return histogram;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #register(name: string, help: string, type: Family['type'], read: () => Reading[]): void {
    const family: Family = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: () => Promise.resolve({ name, help, type, aggregator: 'sum', values: read() }),
    };
    // The registry only calls `get`; its type wants one of the library's own four classes.
    this.#registry.registerMetric(family as unknown as Metric);
  }
}

/** The metrics of this process, with those of Node itself (event-loop lag, heap, RSS, GC) unless switched off. */
export function createMetrics(options: { defaults?: boolean } = {}): Metrics {
  return new PrometheusMetrics(options.defaults ?? true);
}
