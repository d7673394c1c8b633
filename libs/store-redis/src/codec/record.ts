import type { Aor, Binding, LocationSnapshot } from '@rollcall/location';
import { base36x8, base36x9, readBase36 } from './base36.ts';
import { printBinding, readBinding } from './binding-text.ts';

/*
 * The location record: `1` (format) · version, 9 digits · next expiry in ms, 8 digits · the bindings' lines. Numbers are base 36 of
 * fixed width, so that the scripts compare them as texts. A later format begins with another character and this one stays readable.
 */

const FORMAT = '1';
const VERSION_END = 10;
const HEADER_END = 18;
const VERSIONS_PER_MS = 32;
/** First versions are drawn from so many; the rest of the nine digits is for what follows. */
const FIRST_VERSIONS = 2 ** 46;

export const NO_RECORD: LocationSnapshot = { version: 0, bindings: [] };

/** What the script compares with: the record's format and version. Version 0 is no record. */
export function versionText(version: number): string {
  return version === 0 ? '' : FORMAT + base36x9(version);
}

/**
 * The version of a location record that is made. Drawn, not counted: replicas know the time to some milliseconds only, and a record that
 * is made anew in the same moment must not come to a version that its predecessor had and that somebody still remembers.
 */
export const drawVersion = (): number => 1 + Math.floor(Math.random() * FIRST_VERSIONS);

/** The version of a document of presence that is made at `now`; a later one is higher. */
export function firstVersion(now: number): number {
  return now * VERSIONS_PER_MS + Math.floor(Math.random() * VERSIONS_PER_MS);
}

/** Ms of the first and of the last expiry among the bindings. */
export function expirySpan(bindings: readonly Binding[]): { first: number; last: number } {
  let first = Infinity;
  let last = 0;
  for (const { expiresAt } of bindings) {
    if (expiresAt < first) first = expiresAt;
    if (expiresAt > last) last = expiresAt;
  }
  return { first, last };
}

export function printRecord(aor: Aor, version: number, first: number, bindings: readonly Binding[]): string {
  let text = FORMAT + base36x9(version) + base36x8(first);
  for (const binding of bindings) text += printBinding(binding, aor, first);
  return text;
}

/** Reads a record; an empty text is none. Throws `RangeError` when it is not a record that this code can read. */
export function readRecord(aor: Aor, text: string): LocationSnapshot {
  if (text === '') return NO_RECORD;
  const version = readBase36(text, FORMAT.length, VERSION_END);
  const first = readBase36(text, VERSION_END, HEADER_END);
  if (!text.startsWith(FORMAT) || Number.isNaN(version + first))
    throw new RangeError('not a location record of a known format');
  const lines = text.slice(HEADER_END).split('\n');
  const bindings: Binding[] = [];
  const cursor = { at: 0 };
  while (cursor.at < lines.length - 1) bindings.push(readBinding(lines, cursor, aor, first));
  if (bindings.length === 0 || lines.at(-1) !== '')
    throw new RangeError('a location record that does not end where a binding ends');
  return { version, bindings };
}
