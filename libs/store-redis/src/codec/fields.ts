import { base36 } from '@rollcall/kernel';
import { readBase36 } from './base36.ts';

/** Begins a field that is escaped because it holds a line feed, is empty where absent is written so, or begins with this itself. */
const ESCAPED = '\r';

/** A text as one line. */
export function printText(value: string): string {
  if (!value.includes('\n') && !value.startsWith(ESCAPED)) return value;
  return ESCAPED + value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

export function readText(line: string): string {
  if (!line.startsWith(ESCAPED)) return line;
  return line.slice(1).replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** A text that may be absent: then the line is empty. */
export function printOptional(value: string | undefined): string {
  if (value === undefined) return '';
  return value === '' ? ESCAPED : printText(value);
}

export function readOptional(line: string): string | undefined {
  return line === '' ? undefined : readText(line);
}

/** An integer of any sign. */
export function printInteger(value: number): string {
  return value < 0 ? `-${base36(-value)}` : base36(value);
}

/** NaN when it is none. */
export function readInteger(text: string): number {
  if (text === '') return NaN;
  return text.startsWith('-') ? -readBase36(text, 1, text.length) : readBase36(text, 0, text.length);
}

/** A lifetime in ms: whole seconds, mostly; else `.` and ms. */
export function printLifetime(ms: number): string {
  return ms % 1000 === 0 ? printInteger(ms / 1000) : `.${printInteger(ms)}`;
}

export function readLifetime(text: string): number {
  return text.startsWith('.') ? readInteger(text.slice(1)) : readInteger(text) * 1000;
}
