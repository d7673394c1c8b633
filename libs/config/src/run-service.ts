import { tuneCollector } from './collector.ts';
import { printableConfig, type Definition, type Environment } from './define.ts';
import { configOrExit, EXIT_CONFIG, otelEnvironment, thisProcess } from './process.ts';
import type { ProcessSeam } from './process.ts';

/** How long a stop may take beside the drain that a service is configured with, inside the 30 s that orchestrators give. */
export const STOP_DEADLINE_MS = 15_000;
/** Exit code of a service that could not start, failed, or was told a second time to stop. */
const EXIT_FAILURE = 1;

type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a process says of itself. */
export interface ProcessLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What a process needs to know of its tracing. */
export interface ProcessTracing {
  readonly enabled: boolean;
  current(): string | undefined;
}

/** The makers of log and traces: the telemetry package is one, handed in whole. */
export interface ProcessTelemetry<L extends ProcessLog, T extends ProcessTracing> {
  readonly createLogger: (options: {
    service: string;
    level: LogLevel;
    trace?: () => string | undefined;
  }) => L;
  /** Throws a `TracingConfigError` at a wrong OTEL_ name. */
  readonly createTracing: (options: { service: string; env: Environment }) => Promise<T>;
  readonly TracingConfigError: abstract new (...facts: never[]) => Error;
}

/** A wired service. */
export interface RunnableService {
  /** Resolves with what the ready line tells: where the service listens. */
  start(): Promise<object>;
  stop(): Promise<void>;
  /** Takes in what has changed outside: files that are named in the configuration. Called at SIGHUP. */
  reload?(): Promise<void>;
}

/** What the configuration of every service has. */
interface Logged {
  readonly logLevel: LogLevel;
}

/** What tells one service's process from another's. */
export interface ServiceProcess<C extends Logged, L extends ProcessLog, T extends ProcessTracing> {
  /** `rollcall-edge`. */
  readonly service: string;
  readonly config: Definition<C>;
  /** What contradicts itself in a configuration whose settings are each right; undefined when nothing does. */
  readonly contradiction?: (config: C) => string | undefined;
  /** How long the configured drain may take, ms; it is added to the time that a stop has. */
  readonly drainMs?: (config: C) => number;
  readonly telemetry: ProcessTelemetry<L, T>;
  readonly compose: (config: C, deps: { readonly log: L; readonly tracing: T }) => RunnableService;
}

/** What `runService` does to the process, replaceable in tests. */
export interface ServiceSeam extends ProcessSeam {
  on(event: ProcessEvent, listener: (fact: unknown) => void): void;
}
type ProcessEvent = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'uncaughtException' | 'unhandledRejection';

const wholeProcess = (): ServiceSeam => ({
  ...thisProcess(),
  on: (event, listener) => void process.on(event, listener),
});

/**
 * The life of a service as a process; all that a `main.ts` does. A wrong configuration is one line on stderr and exit 78, a start
 * that fails (a port in use) one line and exit 1, a start that succeeds the log lines `configured`, secrets masked, and `ready`. SIGTERM and SIGINT stop it in order
 * and exit 0; the second of them, or a stop that takes too long or fails, exit 1. What nobody has caught is logged and exit 1:
 * nobody knows what state it has left.
 */
export async function runService<C extends Logged, L extends ProcessLog, T extends ProcessTracing>(
  { service, config: definition, contradiction, drainMs, telemetry, compose }: ServiceProcess<C, L, T>,
  seam: ServiceSeam = wholeProcess(),
): Promise<void> {
  const die = (code: number, line: string): never => {
    seam.print(`${service}: ${line}`);
    return seam.exit(code);
  };
  tuneCollector();
  const config: C = configOrExit(service, definition, seam);
  const wrong = contradiction?.(config);
  if (wrong !== undefined) die(EXIT_CONFIG, wrong);
  const env = otelEnvironment(seam.env);
  const tracing = await telemetry.createTracing({ service, env }).catch((error: unknown) => {
    if (error instanceof telemetry.TracingConfigError) return die(EXIT_CONFIG, error.message);
    throw error;
  });
  const log = telemetry.createLogger({
    service,
    level: config.logLevel,
    ...(tracing.enabled ? { trace: () => tracing.current() } : {}),
  });
  endOnFault(seam, log);
  log.info({ config: printableConfig(definition, config) }, 'configured');
  const running = compose(config, { log, tracing });
  const isStopping = stopOnSignal(seam, log, running, STOP_DEADLINE_MS + (drainMs?.(config) ?? 0));
  reloadOnSignal(seam, log, running);
  try {
    const ports = await running.start();
    if (!isStopping()) log.info({ ...ports }, 'ready');
  } catch (error) {
    // A start that was told to stop fails, and the stop says how that went.
    if (!isStopping()) die(EXIT_FAILURE, startProblem(error));
  }
}

function endOnFault(seam: ServiceSeam, log: ProcessLog): void {
  const end = (what: string) => (error: unknown) => {
    log.error({ err: error }, what);
    seam.exit(EXIT_FAILURE);
  };
  seam.on('uncaughtException', end('uncaught exception'));
  seam.on('unhandledRejection', end('unhandled rejection'));
}

function stopOnSignal(
  seam: ServiceSeam,
  log: ProcessLog,
  running: RunnableService,
  deadlineMs: number,
): () => boolean {
  let stopping = false;
  const fail = (fields: Readonly<Record<string, unknown>>, message: string): never => {
    log.error(fields, message);
    return seam.exit(EXIT_FAILURE);
  };
  const stop = (signal: string): void => {
    if (stopping) {
      fail({ signal }, 'told to stop once more, ending at once');
      return;
    }
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => fail({ deadlineMs }, 'stopping took too long'), deadlineMs);
    running.stop().then(
      () => {
        log.info({}, 'stopped');
        seam.exit(0);
      },
      (error: unknown) => fail({ err: error }, 'stopping failed'),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    seam.on(signal, () => {
      stop(signal);
    });
  }
  return () => stopping;
}

function reloadOnSignal(seam: ServiceSeam, log: ProcessLog, running: RunnableService): void {
  if (running.reload === undefined) return;
  seam.on('SIGHUP', () => {
    log.info({}, 'reloading');
    running.reload?.().catch((error: unknown) => {
      log.error({ err: error }, 'reloading failed');
    });
  });
}

/** Why a start failed, as one line; every way in which a port may be taken reads alike. */
function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inUse = 'code' in error && error.code === 'EADDRINUSE' && 'address' in error && 'port' in error;
  if (!inUse) return error.message;
  const transport = 'syscall' in error && error.syscall === 'bind' ? 'udp' : 'tcp';
  return `${String(error.address)}:${String(error.port)} (${transport}) is already in use`;
}
