import type { SipRequest } from '@rollcall/sip';
import type { Histogram, Tracing } from '@rollcall/telemetry';

/** What handles one request and answers it once. */
export type RequestHandler = (
  request: SipRequest,
  reply: (message: string) => void,
  trace: string | undefined,
) => void;

/** Names that the wrapper uses; they come from telemetry's one file. */
export interface TraceNames {
  readonly span: string;
  readonly method: string;
  readonly status: string;
}

const MS_PER_SECOND = 1000;
/** `SIP/2.0 200`: where the status stands. */
const STATUS_AT = 8;
const STATUS_END = 11;

/** The seam around the handler: its time into a histogram, and a span where tracing is on. Otherwise the trace is handed on as it came. */
export function traced(
  handler: RequestHandler,
  tracing: Tracing,
  names: TraceNames,
  seconds: Histogram,
): (request: SipRequest, reply: (message: string) => void) => void {
  const timed = (request: SipRequest, reply: (message: string) => void, trace: string | undefined): void => {
    const began = performance.now();
    handler(
      request,
      (message) => {
        seconds.observe((performance.now() - began) / MS_PER_SECOND);
        reply(message);
      },
      trace,
    );
  };
  if (!tracing.enabled) {
    return (request, reply) => {
      timed(request, reply, request.header('traceparent'));
    };
  }
  return (request, reply) => {
    const span = tracing.start(
      names.span,
      { [names.method]: request.method },
      request.header('traceparent'),
      'server',
    );
    span.within(() => {
      timed(
        request,
        (message) => {
          span.set({ [names.status]: Number(message.slice(STATUS_AT, STATUS_END)) });
          span.end();
          reply(message);
        },
        span.traceparent,
      );
    });
  };
}
