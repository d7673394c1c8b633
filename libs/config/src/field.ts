import type { Result } from '@rollcall/kernel';
import { err, ok } from '@rollcall/kernel';

/** How one value is written in the environment and what it becomes in the program. */
export interface Field<T> {
  /** The words of the documentation's type column: `integer between 0 and 65535`. */
  readonly type: string;
  /** The error is the rest of a sentence that begins with the value: `is not an integer between 0 and 65535`. */
  parse(text: string): Result<T, string>;
  /** As a person may see it: secrets masked. */
  print(value: T): string;
  /** Neither the value nor a bad attempt at it is ever printed. */
  readonly secret: boolean;
  /** Unset is allowed and becomes undefined. */
  readonly optional: boolean;
}

/** `host:port`; the host without the brackets of an IPv6 literal. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Where to listen and, behind NAT or a balancer, the address that phones are told. */
export interface Listener extends Endpoint {
  readonly advertised?: { readonly address: string; readonly port: number };
  /** What IPv4 peers are told of a listener that serves both families. */
  readonly advertisedIPv4?: { readonly address: string; readonly port: number };
}

/** Where the replicas of a service are found: a list, or a DNS name whose addresses are all replicas (headless Service). */
export type Replicas =
  | { readonly kind: 'static'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'dns'; readonly name: string; readonly port: number };

/** What a secret looks like in logs and problem lines. */
export const MASK = '***';
/** RFC 793 §3.1: a port is 16 bits. */
export const MAX_PORT = 65_535;

function field<T>(type: string, parse: Field<T>['parse'], print: Field<T>['print']): Field<T> {
  return { type, parse, print, secret: false, optional: false };
}

/** Text, by default not empty and of any length. `what` names it in the docs and in the problem line: `a host name`. */
export function string(rule: { pattern?: RegExp; what?: string } = {}): Field<string> {
  const what = rule.what ?? 'text';
  return field(
    what,
    (text) => (rule.pattern === undefined || rule.pattern.test(text) ? ok(text) : err(`is not ${what}`)),
    (value) => value,
  );
}

/** A decimal integer within the bounds, which are both inclusive. */
export function integer(bounds: { min: number; max: number }): Field<number> {
  const type = `integer between ${String(bounds.min)} and ${String(bounds.max)}`;
  return field<number>(
    type,
    (text) => {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : NaN;
      return value >= bounds.min && value <= bounds.max ? ok(value) : err(`is not an ${type}`);
    },
    String,
  );
}

/** A decimal number such as a ratio, within inclusive bounds. */
export function number(bounds: { min: number; max: number }): Field<number> {
  const type = `number between ${String(bounds.min)} and ${String(bounds.max)}`;
  return field<number>(
    type,
    (text) => {
      const value = /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : NaN;
      return value >= bounds.min && value <= bounds.max ? ok(value) : err(`is not a ${type}`);
    },
    String,
  );
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
]);

/** true/false, and the spellings that shells and charts like: 1/0, yes/no, on/off. */
export function boolean(): Field<boolean> {
  return field<boolean>(
    'true or false',
    (text) => {
      const value = BOOLEANS.get(text.toLowerCase());
      return value === undefined ? err('is not true or false') : ok(value);
    },
    String,
  );
}

/** One of a fixed set of words. */
export function choice<const T extends string>(words: readonly T[]): Field<T> {
  const type = `one of ${words.join(', ')}`;
  return field<T>(
    type,
    (text) => {
      const word = words.find((candidate) => candidate === text);
      return word === undefined ? err(`is not ${type}`) : ok(word);
    },
    (value) => value,
  );
}

/** Values separated by commas; blanks around them do not count. Without an item type, text. */
export function list(): Field<readonly string[]>;
export function list<T>(item: Field<T>): Field<readonly T[]>;
export function list(item: Field<unknown> = string()): Field<readonly unknown[]> {
  return {
    type: `comma-separated list: ${item.type}`,
    secret: item.secret,
    optional: false,
    parse(text) {
      const values: unknown[] = [];
      for (const part of text.split(',')) {
        const parsed = item.parse(part.trim());
        if (!parsed.ok)
          return err(item.secret ? parsed.error : `holds "${part.trim()}", which ${parsed.error}`);
        values.push(parsed.value);
      }
      return ok(values);
    },
    print: (values) => values.map((value) => item.print(value)).join(','),
  };
}

/** Text that is never printed: keys, tokens, passwords. */
export function secret(rule: { minLength?: number } = {}): Field<string> {
  const minLength = rule.minLength ?? 1;
  return {
    type: minLength > 1 ? `secret of at least ${String(minLength)} characters` : 'secret',
    secret: true,
    optional: false,
    parse: (text) =>
      text.length >= minLength ? ok(text) : err(`is shorter than ${String(minLength)} characters`),
    print: () => MASK,
  };
}

/** A URL of one of the given schemes (`redis:`); a password in it is masked when printed. */
export function url(schemes: readonly string[]): Field<string> {
  const type = `URL (${schemes.join(', ')})`;
  return {
    ...field<string>(
      type,
      (text) =>
        URL.canParse(text) && schemes.includes(new URL(text).protocol) ? ok(text) : err(`is not a ${type}`),
      (value) => value.replace(/\/\/[^@/]*@/, `//${MASK}@`),
    ),
    // A bad attempt may hold a password where no parser finds it, so it is not echoed.
    secret: true,
  };
}

/** Unset is allowed: the setting is then undefined. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  return {
    type: inner.type,
    secret: inner.secret,
    optional: true,
    parse: (text) => inner.parse(text),
    print: (value) => (value === undefined ? '' : inner.print(value)),
  };
}
