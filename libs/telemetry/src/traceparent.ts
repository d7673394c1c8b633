/** The parts of a `traceparent` (W3C Trace Context §3.2): lower-case hex. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

// W3C Trace Context §3.2.2: version 00 is exactly this; a later version may append fields, ff is invalid, and so are zero ids.
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const MAX_LENGTH = 256;

/** Reads a `traceparent`; undefined when it is none, which then starts a new trace (§4.3). */
export function readTraceparent(text: string | undefined): TraceParent | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined;
  const match = TRACEPARENT.exec(text);
  if (match === null || (match[1] === '00' && match[5] !== undefined)) return undefined;
  const [, , traceId, spanId, flags] = match;
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** Prints version 00. */
export function printTraceparent(parent: TraceParent): string {
  return `00-${parent.traceId}-${parent.spanId}-${parent.flags.toString(16).padStart(2, '0')}`;
}

/**
 * What is handed on of every trace that is not sampled: whoever reads it begins none of its own. It names no trace, so that nothing
 * has to be made up for what nobody will see.
 */
export const NOT_SAMPLED = `00-${'f'.repeat(32)}-${'f'.repeat(16)}-00`;

/** The log fields that join a line to a trace; empty without one. */
export function traceIds(traceparent: string | undefined): Record<string, string> {
  if (traceparent === NOT_SAMPLED) return {};
  const parent = readTraceparent(traceparent);
  return parent === undefined ? {} : { trace_id: parent.traceId, span_id: parent.spanId };
}
