import { configOrExit, EXIT_CONFIG, otelEnvironment } from '@rollcall/config';
import { createLogger, createTracing, TracingConfigError } from '@rollcall/telemetry';
import type { Tracing } from '@rollcall/telemetry';
import { compose } from './compose.ts';
import { adminConfig } from './config.ts';

const SERVICE = 'rollcall-admin';

/** One line on stderr, and the end. */
function die(code: number, line: string): never {
  process.stderr.write(`${SERVICE}: ${line}\n`);
  process.exit(code);
}

async function openTracing(): Promise<Tracing> {
  try {
    return await createTracing({ service: SERVICE, env: otelEnvironment() });
  } catch (error) {
    if (error instanceof TracingConfigError) die(EXIT_CONFIG, error.message);
    throw error;
  }
}

const config = configOrExit(SERVICE, adminConfig);
const tracing = await openTracing();
const trace = tracing.enabled ? (): string | undefined => tracing.current() : undefined;
const log = createLogger({ service: SERVICE, level: config.logLevel, trace });
const admin = compose(config, { log, tracing });

let stopping = false;
async function stop(signal: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, 'stopping');
  await admin.stop();
  log.info({}, 'stopped');
  process.exit(0);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));

try {
  log.info({ ...(await admin.start()) }, 'ready');
} catch (error) {
  die(1, error instanceof Error ? error.message : String(error));
}
