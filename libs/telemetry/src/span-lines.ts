import type { Attributes, HrTime } from '@opentelemetry/api';
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { safeFields } from './mask.ts';

/** One finished span as the console exporter prints it, one JSON line each, so that lines of several processes can be joined. */
export interface SpanLine {
  readonly span: string;
  readonly service: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id?: string | undefined;
  readonly kind: string;
  /** Microseconds since the Unix epoch. */
  readonly start_us: number;
  readonly duration_us: number;
  readonly status: 'ok' | 'error';
  readonly attributes: Readonly<Record<string, unknown>>;
}

const US_PER_S = 1e6;
const NS_PER_US = 1e3;
const microseconds = (time: HrTime): number => Math.round(time[0] * US_PER_S + time[1] / NS_PER_US);

function toLine(span: ReadableSpan): SpanLine {
  const context = span.spanContext();
  const resource: Attributes = span.resource.attributes;
  return {
    span: span.name,
    service: String(resource['service.name']),
    trace_id: context.traceId,
    span_id: context.spanId,
    parent_span_id: span.parentSpanContext?.spanId,
    kind: SpanKind[span.kind].toLowerCase(),
    start_us: microseconds(span.startTime),
    duration_us: microseconds(span.duration),
    status: span.status.code === SpanStatusCode.ERROR ? 'error' : 'ok',
    attributes: safeFields(span.attributes),
  };
}

/** Writes each sampled span as a JSON line when it ends. */
export class SpanLineProcessor implements SpanProcessor {
  constructor(private readonly write: (line: string) => void) {}

  onStart(): void {
    // Only ended spans are written.
  }

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    this.write(`${JSON.stringify(toLine(span))}\n`);
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}
