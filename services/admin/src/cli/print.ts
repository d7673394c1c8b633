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

interface Lifeline {
  readonly id: string;
  readonly name: string;
}

interface Step {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly note: string;
  readonly message?: string;
}

const COLUMN = 22;
const TIME = 13;

/** A ladder as the REST interface gives it, drawn for a terminal; with the messages when `messages` is set. */
export function drawLadder(ladder: Fields, messages: boolean): string {
  const lifelines = ladder['lifelines'] as readonly Lifeline[];
  const steps = ladder['steps'] as readonly Step[];
  const column = new Map(lifelines.map(({ id }, n) => [id, n]));
  const head =
    ' '.repeat(TIME) +
    lifelines
      .map(({ name }) =>
        safe(name)
          .slice(0, COLUMN - 2)
          .padEnd(COLUMN),
      )
      .join('');
  const lines = [head.trimEnd()];
  for (const step of steps) {
    const [from, to] = [column.get(step.from) ?? 0, column.get(step.to) ?? 0];
    lines.push(
      `${new Date(step.at / 1000).toISOString().slice(11, 23)} ${drawArrow(from, to, safe(step.label), lifelines.length)}`.trimEnd(),
      ' '.repeat(TIME) + safe(step.note),
    );
    if (messages && step.message !== undefined)
      lines.push(...step.message.split(/\r?\n/).map((line) => `${' '.repeat(TIME)}  ${safe(line)}`));
  }
  return lines.join('\n');
}

/** An arrow between two lifelines with its label in it; one that stays where it is, is a note in brackets. */
function drawArrow(from: number, to: number, label: string, count: number): string {
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  const cells = Array.from({ length: count }, () => `|${' '.repeat(COLUMN - 1)}`);
  if (left === right) {
    cells[left] = `[${label.slice(0, COLUMN - 3)}]`.padEnd(COLUMN);
    return cells.join('');
  }
  const width = (right - left) * COLUMN - 1;
  const text = ` ${label.slice(0, width - 5)} `;
  const line = text.padStart((width - 1 + text.length) >> 1, '-').padEnd(width - 1, '-');
  const arrow = from < to ? `|${line}>` : `|<${line}`;
  return cells.slice(0, left).join('') + arrow + cells.slice(right).join('');
}
