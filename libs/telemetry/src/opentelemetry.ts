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
import { printTraceparent, readTraceparent } from './traceparent.ts';
import type { Span, SpanAttributes, SpanKind, Tracing, TracingOptions } from './tracing.ts';
import { TracingConfigError } from './tracing.ts';

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  internal: OtelKind.INTERNAL,
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
};

class RunningSpan implements Span {
  readonly traceparent: string;

  constructor(
    readonly span: OtelSpan,
    private readonly storage: AsyncLocalStorage<RunningSpan>,
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
  readonly #current = new AsyncLocalStorage<RunningSpan>();
  readonly #tracer: Tracer;

  constructor(private readonly provider: NodeTracerProvider) {
    this.#tracer = provider.getTracer('rollcall');
  }

  start(
    name: string,
    attributes: SpanAttributes,
    parent: string | undefined,
    kind: SpanKind = 'internal',
  ): Span {
    return this.#open(name, attributes, parent, kind);
  }

  run<T>(
    name: string,
    attributes: SpanAttributes,
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

  #open(name: string, attributes: SpanAttributes, parent: string | undefined, kind: SpanKind): RunningSpan {
    const options = { kind: KINDS[kind], attributes: attributes as Attributes };
    return new RunningSpan(this.#tracer.startSpan(name, options, this.#context(parent)), this.#current);
  }

  #context(parent: string | undefined): Context {
    const remote = readTraceparent(parent);
    if (remote !== undefined) {
      const traceFlags = remote.flags & TraceFlags.SAMPLED;
      const context = { traceId: remote.traceId, spanId: remote.spanId, traceFlags, isRemote: true };
      return trace.setSpanContext(ROOT_CONTEXT, context);
    }
    const current = this.#current.getStore();
    return current === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, current.span);
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

// The sampler names of the OpenTelemetry SDK specification; parent-based by default, so that a trace is whole or not there.
function samplerFor(env: TracingOptions['env']): Sampler {
  const share = new TraceIdRatioBasedSampler(ratio(env['OTEL_TRACES_SAMPLER_ARG']));
  const name = env['OTEL_TRACES_SAMPLER'] ?? '';
  switch (name) {
    case '':
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: share });
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'traceidratio':
      return share;
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
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
  const provider = new NodeTracerProvider({
    resource,
    sampler: samplerFor(env),
    spanProcessors: [processorFor(options, exporter)],
  });
  return new OpenTelemetryTracing(provider);
}
