import type { PolicySettings } from '@rollcall/location';
import { ScenarioSyntax } from './words.ts';
import type { WordReader } from './words.ts';

const NUMBERS = {
  min: 'minExpires',
  default: 'defaultExpires',
  max: 'maxExpires',
  jitter: 'expiresJitter',
  contacts: 'maxContacts',
  'flow-timer': 'flowTimer',
} as const satisfies Readonly<Record<string, keyof PolicySettings>>;

const WORDS = {
  'on-limit': 'onLimit',
  path: 'path',
  outbound: 'outbound',
} as const satisfies Readonly<Record<string, keyof PolicySettings>>;

const LISTS = {
  transports: 'transports',
  'service-route': 'serviceRoute',
  push: 'push',
} as const satisfies Readonly<Record<string, keyof PolicySettings>>;

const SWITCHES = { gruu: 'gruu', 'third-party': 'thirdParty' } as const satisfies Readonly<
  Record<string, keyof PolicySettings>
>;

const has = <T extends object>(table: T, name: PropertyKey): name is keyof T => Object.hasOwn(table, name);

/** One setting with its value: `min 60`, `on-limit replace`, `transports tls,wss`, `gruu off`. */
export function readPolicyWord(words: WordReader): PolicySettings {
  const name = words.next('a policy');
  if (has(NUMBERS, name)) return { [NUMBERS[name]]: words.number(name) };
  if (has(WORDS, name)) return { [WORDS[name]]: words.next(name) };
  if (has(LISTS, name)) return { [LISTS[name]]: words.next(name).split(',') };
  if (has(SWITCHES, name)) return { [SWITCHES[name]]: words.next(name) === 'on' };
  throw new ScenarioSyntax(words.line, `"${name}" is no policy`);
}
