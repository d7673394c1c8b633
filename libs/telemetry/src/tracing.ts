/** What a span is at its seam (OpenTelemetry SpanKind). */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;
/** Attributes, or how to make them for a span that is sampled. */
export type SpanFacts = SpanAttributes | (() => SpanAttributes);

/** A started span, for callback code that cannot be wrapped in `run`. */
export interface Span {
  /** To be handed on as the parent of what this causes; undefined when tracing is off. */
  readonly traceparent: string | undefined;
  /** False when nobody will see the span: what is set on it need not be made. */
  readonly recording: boolean;
  /** Runs `fn` with this span as the current one. */
  within<T>(fn: () => T): T;
  set(attributes: SpanAttributes): void;
  /** Ends the span, once; an error marks it failed. */
  end(error?: unknown): void;
}

/** Spans are opened at three seams only: handler wrapper, port wrapper, transport. */
export interface Tracing {
  /** False when no exporter is configured; callers then need not build attributes. */
  readonly enabled: boolean;
  /**
   * Runs `fn` in a span and ends it when `fn` returns, throws, or its promise settles.
   * The parent is a W3C traceparent; without one, the current span.
   */
  run<T>(name: string, attributes: SpanFacts, parent: string | undefined, fn: () => T, kind?: SpanKind): T;
  start(name: string, attributes: SpanFacts, parent: string | undefined, kind?: SpanKind): Span;
  /** Adds attributes to the current span. */
  annotate(attributes: SpanAttributes): void;
  /** The traceparent of the current span. */
  current(): string | undefined;
  /** Sends what is still buffered. */
  shutdown(): Promise<void>;
}

const nothing = (): void => undefined;
const settled = Promise.resolve();

/** The span of `noTracing`. */
export const noSpan: Span = {
  traceparent: undefined,
  recording: false,
  within: (fn) => fn(),
  set: nothing,
  end: nothing,
};

/** Tracing that is off: no SDK loaded, nothing allocated. */
export const noTracing: Tracing = {
  enabled: false,
  run: (_name, _attributes, _parent, fn) => fn(),
  start: () => noSpan,
  annotate: nothing,
  current: () => undefined,
  shutdown: () => settled,
};

export interface TracingOptions {
  /** `rollcall-edge`; OTEL_SERVICE_NAME overrides it. */
  readonly service: string;
  /** The standard names: OTEL_TRACES_EXPORTER (otlp, console, none), OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG … */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the console exporter writes its JSON lines instead of stdout. */
  readonly write?: (line: string) => void;
}

/** An OTEL_ name has a value that we cannot serve; `main.ts` ends with exit 78 as for any wrong configuration. */
export class TracingConfigError extends Error {
  override readonly name = 'TracingConfigError';

  constructor(
    readonly key: string,
    readonly detail: string,
  ) {
    super(`${key}: ${detail}`);
  }
}

/**
 * Tracing as the environment asks for it. The OpenTelemetry SDK is loaded only when OTEL_TRACES_EXPORTER names an exporter.
 * Throws `TracingConfigError`.
 */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const exporter = options.env['OTEL_TRACES_EXPORTER'] ?? '';
  if (exporter === '' || exporter === 'none' || options.env['OTEL_SDK_DISABLED'] === 'true') return noTracing;
  if (exporter !== 'otlp' && exporter !== 'console') {
    throw new TracingConfigError(
      'OTEL_TRACES_EXPORTER',
      `${JSON.stringify(exporter)} is not one of otlp, console, none`,
    );
  }
  const { startOpenTelemetry } = await import('./opentelemetry.ts');
  return startOpenTelemetry(options, exporter);
}
