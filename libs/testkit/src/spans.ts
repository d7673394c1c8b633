/** What tests compare of a span. */
export interface Span {
  readonly service: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly name: string;
}

/**
 * Spans that OpenTelemetry's console exporter wrote into a log: objects as Node's inspect prints them, one field a line,
 * between lines of other output.
 */
export function readSpans(service: string, log: string): Span[] {
  const spans: Span[] = [];
  for (const block of log.split(/^\{$/m).slice(1)) {
    const field = (name: string) => new RegExp(`^ {2}${name}: '([^']*)'`, 'm').exec(block)?.[1];
    const parent = /spanId: '([^']*)'/.exec(/^ {2}parentSpanContext: \{[^}]*/m.exec(block)?.[0] ?? '')?.[1];
    const [traceId, id, name] = [field('traceId'), field('id'), field('name')];
    if (traceId !== undefined && id !== undefined && name !== undefined) {
      spans.push({ service, traceId, id, name, parentId: parent ?? field('parentId') });
    }
  }
  return spans;
}
