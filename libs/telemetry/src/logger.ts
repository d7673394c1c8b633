import { pino } from 'pino';
import { safeFields, safeText } from './mask.ts';
import { traceIds } from './traceparent.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Named facts of one event. Credentials are masked and control characters written out, whatever is passed. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One JSON line an event, `level` as pino numbers it: 20 debug, 30 info, 40 warn, 50 error. Hot paths ask `isDebug` before they build the fields of a debug event. */
export interface Logger {
  readonly isDebug: boolean;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds these fields to each event. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  /** `rollcall-edge`; the `service` field of each line. */
  readonly service: string;
  readonly level: LogLevel;
  /** The running span, for `trace_id` and `span_id`; usually `tracing.current`. */
  readonly trace?: (() => string | undefined) | undefined;
  /** Where lines go instead of stdout. */
  readonly write?: ((line: string) => void) | undefined;
}

// What pino is used for here: levels, formatting, child bindings. `Logger` is all that others see.
interface Sink {
  isLevelEnabled(level: string): boolean;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(bindings: Record<string, unknown>): Sink;
}

class PinoLogger implements Logger {
  readonly isDebug: boolean;

  constructor(private readonly sink: Sink) {
    this.isDebug = sink.isLevelEnabled('debug');
  }

  debug(fields: LogFields, message: string): void {
    if (this.isDebug) this.sink.debug(fields, safeText(message));
  }
  info(fields: LogFields, message: string): void {
    this.sink.info(fields, safeText(message));
  }
  warn(fields: LogFields, message: string): void {
    this.sink.warn(fields, safeText(message));
  }
  error(fields: LogFields, message: string): void {
    this.sink.error(fields, safeText(message));
  }
  child(fields: LogFields): Logger {
    return new PinoLogger(this.sink.child(safeFields(fields)));
  }
}

let lost = 0;
/** Log lines that could not be written (a full disk, a closed pipe); a service goes on without its log. */
export const logLinesLost = (): number => lost;

function standardOutput(): pino.DestinationStream {
  // Synchronous: a line that was logged is out, whatever becomes of the process next.
  const stream = pino.destination({ dest: 1, sync: true });
  stream.on('error', () => {
    lost += 1;
  });
  return stream;
}

/** A logger that writes JSON lines to stdout. */
export function createLogger(options: LoggerOptions): Logger {
  const { trace, write } = options;
  const destination: pino.DestinationStream = write === undefined ? standardOutput() : { write };
  const sink = pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      // `log` below has already made errors plain, so pino's own serializer must not see them.
      serializers: { err: (value: unknown) => value },
      formatters: { log: safeFields },
      ...(trace === undefined ? {} : { mixin: () => traceIds(trace()) }),
    },
    destination,
  );
  return new PinoLogger(sink);
}

/** Logs nothing; for tests and for adapters that were given no logger. */
export const noLogger: Logger = {
  isDebug: false,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => noLogger,
};
