import { configOrExit, EXIT_CONFIG, otelEnvironment } from '@rollcall/config';
import { createLogger, createTracing, TracingConfigError } from '@rollcall/telemetry';
import type { Tracing } from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { edgeConfig } from './config.ts';

const SERVICE = 'rollcall-edge';

/** One line on stderr, and the end. */
function die(code: number, line: string): never {
  process.stderr.write(`${SERVICE}: ${line}\n`);
  process.exit(code);
}

/** Every way in which a port may be taken ends in one line. */
function startProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!('code' in error) || error.code !== 'EADDRINUSE' || !('address' in error) || !('port' in error))
    return error.message;
  const transport = 'syscall' in error && error.syscall === 'bind' ? 'udp' : 'tcp';
  return `${String(error.address)}:${String(error.port)} (${transport}) is already in use`;
}

async function openTracing(): Promise<Tracing> {
  try {
    return await createTracing({ service: SERVICE, env: otelEnvironment() });
  } catch (error) {
    if (error instanceof TracingConfigError) die(EXIT_CONFIG, error.message);
    throw error;
  }
}

const config = configOrExit(SERVICE, edgeConfig);
const tracing = await openTracing();
const log = createLogger({
  service: SERVICE,
  level: config.logLevel,
  ...(tracing.enabled ? { trace: () => tracing.current() } : {}),
});
const edge = compose(config, { log, tracing });

let stopping = false;
async function stop(signal: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, 'stopping');
  await edge.stop();
  log.info({}, 'stopped');
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));

try {
  const ports = await edge.start();
  log.info({ sip: ports.sip, inner: ports.inner, http: ports.http }, 'ready');
} catch (error) {
  die(1, startProblem(error));
}
