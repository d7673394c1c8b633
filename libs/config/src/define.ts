import type { Result } from '@rollcall/kernel';
import { err, ok } from '@rollcall/kernel';
import type { Field } from './field.ts';
import { unknownNames } from './names.ts';

/** One setting: the name in the environment, its type, what it is when unset, and a sentence for the documentation. */
export interface Setting<T> {
  readonly env: string;
  readonly type: Field<T>;
  /** Without a default the setting is required, unless its type is `optional(...)`. */
  readonly default?: NoInfer<T>;
  readonly help: string;
}

/** All settings of one service; made by `defineConfig`. */
export type Definition<T> = { readonly [K in keyof T]: Setting<T[K]> };
/** The typed configuration that a definition yields. */
export type ConfigOf<D> = D extends Definition<infer T> ? { readonly [K in keyof T]: T[K] } : never;

export interface ConfigProblem {
  /** The name in the environment: `ROLLCALL_HTTP_PORT`. */
  readonly key: string;
  /** What is wrong with it, the value quoted unless it is a secret: `"abc" is not an integer between 0 and 65535`. */
  readonly detail: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Declares the settings of a service; the type of its configuration follows from the fields. */
export function defineConfig<T>(settings: { readonly [K in keyof T]: Setting<T[K]> }): Definition<T> {
  return settings;
}

function settingsOf<T>(definition: Definition<T>): [string, Setting<unknown>][] {
  return Object.entries(definition);
}

// A value is quoted in a problem line; whatever could break the line or the terminal is not shown as it is.
function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown).replace(/[\u007f-\u009f\u2028\u2029]/g, '?');
}

function readSetting(setting: Setting<unknown>, text: string | undefined): Result<unknown, ConfigProblem> {
  // Charts and shells set a name to nothing when they mean "unset".
  if (text === undefined || text.trim() === '') {
    if (setting.default !== undefined || setting.type.optional) return ok(setting.default);
    return err({ key: setting.env, detail: `is not set; it wants ${setting.type.type}` });
  }
  const parsed = setting.type.parse(text.trim());
  if (parsed.ok) return parsed;
  return err({
    key: setting.env,
    detail: setting.type.secret ? parsed.error : `${quote(text)} ${parsed.error}`,
  });
}

/**
 * Reads a configuration. All problems are collected; an unknown `ROLLCALL_` name is one of them, because it is
 * nearly always a misspelt known one.
 */
export function loadConfig<T>(
  definition: Definition<T>,
  env: Environment,
): Result<{ readonly [K in keyof T]: T[K] }, ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  const values: Record<string, unknown> = {};
  const own = new Set<string>();
  for (const [key, setting] of settingsOf(definition)) {
    own.add(setting.env);
    const read = readSetting(setting, env[setting.env]);
    if (read.ok) values[key] = read.value;
    else problems.push(read.error);
  }
  problems.push(...unknownNames(env, own));
  // The loop above has filled every key of T with what its field parsed.
  return problems.length > 0 ? err(problems) : ok(values as { readonly [K in keyof T]: T[K] });
}

/** The configuration as text that may be logged: secrets and passwords in URLs are masked; unset ones are left out. */
export function printableConfig<T>(definition: Definition<T>, config: T): Record<string, string> {
  const shown: Record<string, string> = {};
  const values = config as Record<string, unknown>;
  for (const [key, setting] of settingsOf(definition)) {
    const value = values[key];
    if (value !== undefined) shown[setting.env] = setting.type.print(value);
  }
  return shown;
}

/** One row of `docs/configuration.md`. */
export interface ConfigRow {
  readonly env: string;
  readonly type: string;
  /** As it would be written in the environment; undefined when there is none. */
  readonly default: string | undefined;
  readonly required: boolean;
  readonly help: string;
}

/** The rows of the generated documentation, in the order of the definition. */
export function describeConfig<T>(definition: Definition<T>): ConfigRow[] {
  return settingsOf(definition).map(([, setting]) => ({
    env: setting.env,
    type: setting.type.type,
    default: setting.default === undefined ? undefined : setting.type.print(setting.default),
    required: setting.default === undefined && !setting.type.optional,
    help: setting.help,
  }));
}
