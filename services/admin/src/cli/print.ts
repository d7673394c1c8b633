import { printLadder } from '@rollcall/trace';
import type { Ladder } from '@rollcall/trace';
import type { Fields } from './client.ts';

/** Control characters would be the terminal's commands. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Text for a terminal: one line, nothing that the terminal obeys. */
export const safe = (value: unknown): string =>
  (typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)).replace(
    CONTROL,
    '\u00b7',
  );

/** Rows under their headings, columns as wide as what is in them. */
export function table(headings: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = [headings.map((heading) => heading.toUpperCase()), ...rows.map((row) => row.map(safe))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A ladder as the REST interface gives it, with the messages when `messages` is set, folded to `width` characters. */
export const ladderText = (ladder: Fields, messages: boolean, width?: number): string =>
  printLadder(ladder as unknown as Ladder, {
    notes: true,
    messages,
    ...(width === undefined ? {} : { width }),
  })
    .split('\n')
    .map(safe)
    .join('\n');
