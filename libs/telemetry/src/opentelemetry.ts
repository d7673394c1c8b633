// Everything of OpenTelemetry is here and in span-lines.ts; tracing.ts loads it only when an exporter is configured.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Attributes, Context, Span as OtelSpan, Tracer } from '@opentelemetry/api';
import { ROOT_CONTEXT, SpanKind as OtelKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { Sampler, SpanProcessor } from '@opentelemetry/sdk-trace-node';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { SpanLineProcessor } from './span-lines.ts';
import { NOT_SAMPLED, printTraceparent, readTraceparent } from './traceparent.ts';
import type { TraceParent } from './traceparent.ts';
import type { Span, SpanAttributes, SpanFacts, SpanKind, Tracing, TracingOptions } from './tracing.ts';
import { TracingConfigError } from './tracing.ts';

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  internal: OtelKind.INTERNAL,
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
};

type Storage = AsyncLocalStorage<RunningSpan | UnsampledSpan>;

/** Stands for every span of a trace that is not sampled; it is entered all the same, so that nothing inside it becomes a root. */
class UnsampledSpan implements Span {
  readonly traceparent = NOT_SAMPLED;
  readonly recording = false;

  constructor(private readonly storage: Storage) {}

  within<T>(fn: () => T): T {
    return this.storage.run(this, fn);
  }

  set(): void {
    // Nobody will see it.
  }

  end(): void {
    // It was never begun.
  }
}

class RunningSpan implements Span {
  readonly traceparent: string;
  readonly recording = true;

  constructor(
    readonly span: OtelSpan,
    private readonly storage: Storage,
  ) {
    const context = span.spanContext();
    this.traceparent = printTraceparent({
      traceId: context.traceId,
      spanId: context.spanId,
      flags: context.traceFlags,
    });
  }

  within<T>(fn: () => T): T {
    return this.storage.run(this, fn);
  }

  set(attributes: SpanAttributes): void {
    this.span.setAttributes(attributes);
  }

  end(error?: unknown): void {
    if (error instanceof Error) {
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      this.span.setAttribute('error.type', error.name);
    } else if (error !== undefined) {
      this.span.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.span.end();
  }
}

class OpenTelemetryTracing implements Tracing {
  readonly enabled = true;
  readonly #current: Storage = new AsyncLocalStorage();
  readonly #unsampled = new UnsampledSpan(this.#current);
  readonly #tracer: Tracer;

  constructor(
    private readonly provider: NodeTracerProvider,
    /** Share of the traces begun here that are sampled, decided before anything is made; undefined: the SDK decides for each span. */
    private readonly share: number | undefined,
  ) {
    this.#tracer = provider.getTracer('rollcall');
  }

  start(name: string, attributes: SpanFacts, parent: string | undefined, kind: SpanKind = 'internal'): Span {
    return this.#open(name, attributes, parent, kind);
  }

  run<T>(
    name: string,
    attributes: SpanFacts,
    parent: string | undefined,
    fn: () => T,
    kind: SpanKind = 'internal',
  ): T {
    const span = this.#open(name, attributes, parent, kind);
    let result: T;
    try {
      result = span.within(fn);
    } catch (error) {
      span.end(error);
      throw error;
    }
    if (!(result instanceof Promise)) {
      span.end();
      return result;
    }
    const settling = result.then(
      (value: unknown) => {
        span.end();
        return value;
      },
      (error: unknown) => {
        span.end(error);
        throw error;
      },
    );
    // A promise of the same type as `result`, which TypeScript cannot see through T.
    return settling as T;
  }

  annotate(attributes: SpanAttributes): void {
    this.#current.getStore()?.set(attributes);
  }

  current(): string | undefined {
    return this.#current.getStore()?.traceparent;
  }

  async shutdown(): Promise<void> {
    await this.provider.shutdown();
  }

  #open(
    name: string,
    facts: SpanFacts,
    parent: string | undefined,
    kind: SpanKind,
  ): RunningSpan | UnsampledSpan {
    if (parent === NOT_SAMPLED && this.share !== undefined) return this.#unsampled;
    const remote = readTraceparent(parent);
    if (this.share !== undefined && !this.#isSampled(remote, this.share)) return this.#unsampled;
    const attributes = (typeof facts === 'function' ? facts() : facts) as Attributes;
    const options = { kind: KINDS[kind], attributes };
    return new RunningSpan(this.#tracer.startSpan(name, options, this.#context(remote)), this.#current);
  }

  /** Whoever began the trace has decided for all of it; here it is decided for those that begin here. */
  #isSampled(remote: TraceParent | undefined, share: number): boolean {
    if (remote !== undefined) return (remote.flags & TraceFlags.SAMPLED) !== 0;
    const current = this.#current.getStore();
    return current === undefined ? Math.random() < share : current.recording;
  }

  #context(remote: TraceParent | undefined): Context {
    if (remote !== undefined) {
      const traceFlags = remote.flags & TraceFlags.SAMPLED;
      const context = { traceId: remote.traceId, spanId: remote.spanId, traceFlags, isRemote: true };
      return trace.setSpanContext(ROOT_CONTEXT, context);
    }
    const current = this.#current.getStore();
    return current?.recording === true ? trace.setSpan(ROOT_CONTEXT, current.span) : ROOT_CONTEXT;
  }
}

function ratio(text: string | undefined): number {
  if (text === undefined || text === '') return 1;
  const value = Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new TracingConfigError(
    'OTEL_TRACES_SAMPLER_ARG',
    `${JSON.stringify(text)} is not a number between 0 and 1`,
  );
}

/** Who decides what is sampled: a share of the traces that begin here, or a sampler of the SDK for each span. */
interface Sampling {
  readonly share?: number;
  readonly sampler: Sampler;
}

const wholeTraces = (share: number): Sampling => ({
  share,
  sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
});

// The sampler names of the OpenTelemetry SDK specification; parent-based by default, so that a trace is whole or not there.
function samplingFor(env: TracingOptions['env']): Sampling {
  const share = ratio(env['OTEL_TRACES_SAMPLER_ARG']);
  const name = env['OTEL_TRACES_SAMPLER'] ?? '';
  switch (name) {
    case '':
    case 'parentbased_traceidratio':
      return wholeTraces(share);
    case 'parentbased_always_on':
      return wholeTraces(1);
    case 'parentbased_always_off':
      return wholeTraces(0);
    case 'traceidratio':
      return { sampler: new TraceIdRatioBasedSampler(share) };
    case 'always_on':
      return { sampler: new AlwaysOnSampler() };
    case 'always_off':
      return { sampler: new AlwaysOffSampler() };
    default:
      throw new TracingConfigError('OTEL_TRACES_SAMPLER', `${JSON.stringify(name)} is not a sampler`);
  }
}

function otlpUrl(env: TracingOptions['env']): string | undefined {
  const own = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  if (own !== undefined && own !== '') return own;
  const base = env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  return base === undefined || base === '' ? undefined : `${base.replace(/\/$/, '')}/v1/traces`;
}

function processorFor(options: TracingOptions, exporter: 'otlp' | 'console'): SpanProcessor {
  if (exporter === 'console') {
    const write = options.write ?? ((line: string) => void process.stdout.write(line));
    return new SpanLineProcessor(write);
  }
  const url = otlpUrl(options.env);
  return new BatchSpanProcessor(new OTLPTraceExporter(url === undefined ? {} : { url }));
}

// OTEL_RESOURCE_ATTRIBUTES: key=value,key=value with percent-encoded values (OpenTelemetry resource SDK specification).
function resourceAttributes(text: string | undefined): Attributes {
  const attributes: Attributes = {};
  for (const pair of (text ?? '').split(',')) {
    const [key, value] = pair.split('=', 2);
    if (key === undefined || key.trim() === '' || value === undefined) continue;
    try {
      attributes[key.trim()] = decodeURIComponent(value.trim());
    } catch {
      throw new TracingConfigError(
        'OTEL_RESOURCE_ATTRIBUTES',
        `${JSON.stringify(pair)} is not percent-encoded`,
      );
    }
  }
  return attributes;
}

/** Builds the SDK by the environment. Throws `TracingConfigError`. */
export function startOpenTelemetry(options: TracingOptions, exporter: 'otlp' | 'console'): Tracing {
  const { env } = options;
  const resource = resourceFromAttributes({
    ...resourceAttributes(env['OTEL_RESOURCE_ATTRIBUTES']),
    'service.name': env['OTEL_SERVICE_NAME'] ?? options.service,
    'service.namespace': 'rollcall',
  });
  const { sampler, share } = samplingFor(env);
  const spanProcessors = [processorFor(options, exporter)];
  return new OpenTelemetryTracing(new NodeTracerProvider({ resource, sampler, spanProcessors }), share);
}
