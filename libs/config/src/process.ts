import type { ConfigProblem, Definition, Environment } from './define.ts';
import { loadConfig } from './define.ts';

/** EX_CONFIG of sysexits.h: something was found in an unconfigured or misconfigured state. */
export const EXIT_CONFIG = 78;

/** The one line that a wrong configuration ends with; further keys are named behind the first problem. */
export function problemLine(service: string, problems: readonly ConfigProblem[]): string {
  const [first, ...rest] = problems;
  if (first === undefined) return `${service}: the configuration is fine`;
  const others = rest.length === 0 ? '' : ` (also wrong: ${rest.map((problem) => problem.key).join(', ')})`;
  return `${service}: ${first.key}: ${first.detail}${others}`;
}

/** What `configOrExit` does to the process, replaceable in tests. */
export interface ProcessSeam {
  readonly env: Environment;
  print(line: string): void;
  exit(code: number): never;
}

/** The process as it is. */
export const thisProcess = (): ProcessSeam => ({
  env: process.env,
  print: (line) => void process.stderr.write(`${line}\n`),
  exit: (code) => process.exit(code),
});

/** The service's configuration from the process environment, or one line on stderr and exit 78. For `main.ts` only. */
export function configOrExit<T>(
  service: string,
  definition: Definition<T>,
  seam: ProcessSeam = thisProcess(),
): { readonly [K in keyof T]: T[K] } {
  const loaded = loadConfig(definition, seam.env);
  if (loaded.ok) return loaded.value;
  seam.print(problemLine(service, loaded.error));
  return seam.exit(EXIT_CONFIG);
}

/** The standard OpenTelemetry names (`OTEL_…`) of the process environment, for `createTracing`. */
export function otelEnvironment(env: Environment = process.env): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('OTEL_')));
}
