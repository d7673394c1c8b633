import type { SipRequest } from '@rollcall/sip';
import type { Histogram, Tracing } from '@rollcall/telemetry';
import { addProbe, asksForProbe } from '@rollcall/trace';
import type { RegistrarLocation } from './ports.ts';
import type { Reply } from './register-job.ts';

/** What handles one request and answers it once. */
export type RequestHandler = (request: SipRequest, reply: Reply, trace: string | undefined) => void;

/** Names that the wrapper uses; they come from telemetry's one file. */
export interface TraceNames {
  readonly span: string;
  readonly method: string;
  readonly status: string;
}

const MS_PER_SECOND = 1000;
const US_PER_MS = 1000;

/** Requests under way that ask for a report, and the commit whose outcome is being handled, if it was one of theirs. */
const probed = { open: 0, commit: undefined as { readonly at: number; readonly took: number } | undefined };

/** The reply with a report of what became of the request (`@rollcall/trace`), for one that asks. */
function probe(request: SipRequest, reply: Reply, began: number): Reply {
  if (!asksForProbe(request.raw)) return reply;
  probed.open += 1;
  return (message, refusal) => {
    probed.open -= 1;
    const total = (performance.now() - began) * US_PER_MS;
    const { commit } = probed;
    const accepted = Number(message.slice(STATUS_AT, STATUS_END)) < 300;
    const outcome = !accepted ? (refusal ?? 'refused') : commit === undefined ? 'unchanged' : 'committed';
    const times =
      commit === undefined
        ? {}
        : { commitAt: (commit.at - began) * US_PER_MS, commitTook: commit.took * US_PER_MS };
    reply(addProbe(message, { outcome, ...times, total }));
  };
}
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
  const timed = (request: SipRequest, reply: Reply, trace: string | undefined): void => {
    const began = performance.now();
    const answer = probe(request, reply, began);
    handler(
      request,
      (message, refusal) => {
        seconds.observe((performance.now() - began) / MS_PER_SECOND);
        answer(message, refusal);
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

/** Names of the span around a commit; they come from telemetry's one file. */
export interface StoreNames {
  readonly span: string;
  readonly operation: string;
  readonly system: string;
  readonly error: string;
}

/**
 * The seam around the store: a span for each commit, in the trace of its request, and whoever acts on the change goes on from it.
 * The store itself when tracing is off.
 */
export function tracedLocation(
  location: RegistrarLocation,
  tracing: Tracing,
  names: StoreNames,
): RegistrarLocation {
  const timed = timedLocation(location);
  if (!tracing.enabled) return timed;
  return {
    read: (aor, options) => location.read(aor, options),
    commit: (commit) => location.commit(commit),
    commitThen: (commit, done) => {
      const attributes = { [names.operation]: 'commit-location', [names.system]: 'redis' };
      const span = tracing.start(names.span, attributes, commit.trace, 'client');
      if (!span.recording) {
        timed.commitThen(commit, done);
        return;
      }
      timed.commitThen({ ...commit, trace: span.traceparent }, (error, outcome) => {
        if (error !== undefined) span.set({ [names.error]: error.name });
        span.end();
        done(error, outcome);
      });
    },
  };
}

/** Times commits while a request asks for it. What a commit leads to is answered before its callback returns. */
function timedLocation(location: RegistrarLocation): RegistrarLocation {
  return {
    read: (aor, options) => location.read(aor, options),
    commit: (commit) => location.commit(commit),
    commitThen: (commit, done) => {
      if (probed.open === 0) {
        location.commitThen(commit, done);
        return;
      }
      const at = performance.now();
      location.commitThen(commit, (error, outcome) => {
        probed.commit = { at, took: performance.now() - at };
        done(error, outcome);
        probed.commit = undefined;
      });
    },
  };
}
