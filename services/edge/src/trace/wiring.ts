import type { OpsOptions } from '@rollcall/http';
import { internalToken } from '@rollcall/http';
import type { METRICS, Metrics } from '@rollcall/telemetry';
import type { DomainAliases, Rule } from '@rollcall/trace';
import type { EdgeConfig } from '../config.ts';
import type { Bound } from '../metrics.ts';
import { EdgeTrace, MAX_TRACES } from './edge-trace.ts';
import { HepSender } from './hep-sender.ts';
import { internalRoutes } from './internal-routes.ts';
import { readStatus } from './status.ts';
import type { StatusSources } from './status.ts';

/** What the trace asks of the core, which is there later than the taps. */
export interface TraceSources {
  readonly aliases: () => DomainAliases;
  readonly refusing: () => Rule | undefined;
}

/** The trace of an edge with all that hangs on it. */
export interface TraceParts {
  readonly trace: EdgeTrace;
  readonly bounds: readonly Bound[];
  publish(metrics: Metrics, names: typeof METRICS): void;
  /** What admin asks over the ops server. */
  internal(sources: Omit<StatusSources, 'trace'>): NonNullable<OpsOptions['internal']>;
  stop(): void;
}

type TraceConfig = Pick<
  EdgeConfig,
  | 'secret'
  | 'traceSample'
  | 'traceRate'
  | 'traceEntries'
  | 'traceBytes'
  | 'hepCollector'
  | 'hepAgent'
  | 'hepKey'
>;

/** Wires the trace of the edge `id`. */
export function createTrace(config: TraceConfig, id: string, sources: TraceSources): TraceParts {
  const { traceEntries: entries, traceBytes: bytes } = config;
  const hep = hepSender(config);
  const trace = new EdgeTrace({
    edge: id,
    sample: config.traceSample,
    rate: config.traceRate,
    entries,
    bytes,
    ...sources,
    ...(hep === undefined
      ? undefined
      : {
          onKept: (entry) => {
            hep.send(entry);
          },
        }),
  });
  return {
    trace,
    bounds: [
      { queue: 'trace', limit: entries, size: () => trace.ring.size },
      { queue: 'trace-octets', limit: bytes, size: () => trace.ring.bytes },
      { queue: 'traced-aors', limit: MAX_TRACES, size: () => trace.recorder.traces().length },
    ],
    publish: (metrics, names) => {
      metrics.collect(names.traceKept, 'Messages kept to be looked at.', 'counter', () => [
        { value: trace.recorder.kept },
      ]);
      metrics.gauge(
        names.traceShare,
        'Share of the exchanges that are kept, 0 to 1.',
        () => trace.sampler.percent / 100,
      );
      metrics.collect(names.hepPackets, 'Packets for the capture server, by outcome.', 'counter', () => [
        { labels: { outcome: 'sent' }, value: hep?.sent ?? 0 },
        { labels: { outcome: 'failed' }, value: hep?.failed ?? 0 },
      ]);
    },
    internal: (status) =>
      internalRoutes(internalToken(config.secret), {
        trace,
        status: () => readStatus({ ...status, trace }),
        streams: () => status.front.streams(),
      }),
    stop: () => {
      trace.stop();
      hep?.close();
    },
  };
}

function hepSender({ hepCollector, hepAgent, hepKey }: TraceConfig): HepSender | undefined {
  if (hepCollector === undefined) return undefined;
  const { host, port } = hepCollector;
  return new HepSender({
    host,
    port,
    agent: hepAgent,
    ...(hepKey === undefined ? undefined : { key: hepKey }),
  });
}
