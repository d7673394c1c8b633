/** What tests compare of a span. */
export interface Span {
  readonly service: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface SpanLine {
  readonly span?: string;
  readonly service: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Spans that the console exporter wrote into a log, one JSON line each between lines of other output. */
export function readSpans(log: string): Span[] {
  const spans: Span[] = [];
  for (const line of log.split('\n')) {
    if (!line.startsWith('{"span":')) continue;
    const one = JSON.parse(line) as SpanLine;
    spans.push({
      ...{ service: one.service, traceId: one.trace_id, id: one.span_id, name: one.span ?? '' },
      ...{ parentId: one.parent_span_id, attributes: one.attributes ?? {} },
    });
  }
  return spans;
}
