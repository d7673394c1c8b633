import type { ConfigRow, Definition, Environment } from '@rollcall/config';
import { describeConfig, type Listener, loadConfig, STOP_DEADLINE_MS } from '@rollcall/config';
import { adminConfig, contradiction as adminContradiction } from '../../services/admin/src/config.ts';
import { edgeConfig, type EdgeConfig } from '../../services/edge/src/config.ts';
import { engineContradiction } from '../../services/edge/src/engine.ts';
import { presenceConfig } from '../../services/presence/src/config.ts';
import { contradiction, registrarConfig, type RegistrarConfig } from '../../services/registrar/src/config.ts';

export const SERVICE_NAMES = ['edge', 'registrar', 'presence', 'admin'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** The schema of one service, as its process reads it. */
export interface ServiceSchema {
  readonly rows: readonly ConfigRow[];
  /** What the process would say to this environment before it exits with 78; empty when it would start. */
  problems(env: Environment): string[];
  /** The values by field name; throws where `problems` has some. */
  values(env: Environment): Readonly<Record<string, unknown>>;
}

function schema<T>(
  definition: Definition<T>,
  contradicts: (config: T) => string | undefined = () => undefined,
): ServiceSchema {
  return {
    rows: describeConfig(definition),
    problems: (env) => {
      const read = loadConfig(definition, env);
      if (!read.ok) return read.error.map(({ key, detail }) => `${key}: ${detail}`);
      const wrong = contradicts(read.value);
      return wrong === undefined ? [] : [wrong];
    },
    values: (env) => {
      const read = loadConfig(definition, env);
      if (!read.ok) throw new Error(JSON.stringify(read.error));
      return read.value;
    },
  };
}

export const SCHEMAS: Readonly<Record<ServiceName, ServiceSchema>> = {
  edge: schema<EdgeConfig>(edgeConfig, engineContradiction),
  registrar: schema<RegistrarConfig>(registrarConfig, contradiction),
  presence: schema(presenceConfig),
  admin: schema(adminConfig, adminContradiction),
};

/** How long a process with this environment may take between SIGTERM and its end, seconds. */
export function stopSeconds(service: ServiceName, env: Environment): number {
  const values = SCHEMAS[service].values(env);
  const drain = ['drainWaitS', 'drainGraceS'].map((field) => Number(values[field] ?? 0));
  return STOP_DEADLINE_MS / 1000 + drain.reduce((sum, one) => sum + one, 0);
}

/** `udp/5060`, `tcp/9090` … : what a service with this environment listens on, by the fields that say so. */
export function listensOn(service: ServiceName, env: Environment): string[] {
  const ports: string[] = [];
  for (const [field, value] of Object.entries(SCHEMAS[service].values(env))) {
    if (/^sip[A-Z]/.test(field) && Array.isArray(value)) {
      for (const listener of value as Listener[])
        ports.push(`${field === 'sipUdp' ? 'udp' : 'tcp'}/${String(listener.port)}`);
    }
    if (['httpPort', 'innerPort', 'adminPort'].includes(field)) ports.push(`tcp/${String(value)}`);
  }
  return ports.sort();
}
