import type { ResourceList, WatcherRule, WatcherRules } from '@rollcall/events';
import { base36x9, readBase36 } from '../codec/base36.ts';

/* What operators keep: `1` (format) · version, 9 digits · JSON. Octets; the JSON is small and read by people. */

const FORMAT = '1';
const HEADER_END = 10;

const NO_RULES: WatcherRules = { version: 0, rules: [] };

export const printDocument = (version: number, document: unknown): string =>
  FORMAT + base36x9(version) + JSON.stringify(document);

export function readRulesText(text: string): WatcherRules {
  if (text === '') return NO_RULES;
  return { version: versionOf(text), rules: JSON.parse(text.slice(HEADER_END)) as readonly WatcherRule[] };
}

export function readListText(text: string): ResourceList | undefined {
  if (text === '') return undefined;
  const list = JSON.parse(text.slice(HEADER_END)) as Omit<ResourceList, 'version'>;
  return { ...list, version: versionOf(text) };
}

/** Throws `RangeError` when it is nothing that this code can read. */
function versionOf(text: string): number {
  const version = readBase36(text, FORMAT.length, HEADER_END);
  if (!text.startsWith(FORMAT) || Number.isNaN(version))
    throw new RangeError('not a document of a known format');
  return version;
}
