import { configOrExit, EXIT_CONFIG, otelEnvironment } from '@rollcall/config';
import { AddressInUse } from '@rollcall/http';
import { createLogger, createTracing, TracingConfigError } from '@rollcall/telemetry';
import type { Tracing } from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { presenceConfig } from './config.ts';

const SERVICE = 'rollcall-presence';

/** One line on stderr, and the end. */
function die(code: number, line: string): never {
  process.stderr.write(`${SERVICE}: ${line}\n`);
  process.exit(code);
}

/** Every way in which a port may be taken ends in one line. */
function startProblem(error: unknown): string {
  if (error instanceof AddressInUse) return error.message;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${config.innerHost}:${config.innerPort.toString()} (tcp) is already in use`;
  }
  return error instanceof Error ? error.message : String(error);
}

async function openTracing(): Promise<Tracing> {
  try {
    return await createTracing({ service: SERVICE, env: otelEnvironment() });
  } catch (error) {
    if (error instanceof TracingConfigError) die(EXIT_CONFIG, error.message);
    throw error;
  }
}

const config = configOrExit(SERVICE, presenceConfig);
const tracing = await openTracing();
const log = createLogger({
  service: SERVICE,
  level: config.logLevel,
  ...(tracing.enabled ? { trace: () => tracing.current() } : {}),
});
const presence = compose(config, { log, tracing });

let stopping = false;
async function stop(signal: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, 'stopping');
  await presence.stop();
  log.info({}, 'stopped');
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));

try {
  const ports = await presence.start();
  log.info({ inner: ports.inner, http: ports.http }, 'ready');
} catch (error) {
  die(1, startProblem(error));
}
