import type { Ladder, Lifeline, Step } from './model.ts';

/*
 * The ladder in characters, for a terminal: a column for each lifeline, an arrow for each step, the note below on request.
 */

export interface LadderTextOptions {
  /** Characters from one lifeline to the next. */
  readonly column?: number;
  readonly notes?: boolean;
  /** Prints the messages under their arrows, where the steps have them. */
  readonly messages?: boolean;
}

const DEFAULT_COLUMN = 22;
const TIME_WIDTH = 10;
const US_PER_MS = 1_000;

/** Prints a ladder. */
export function printLadder(ladder: Ladder, options: LadderTextOptions = {}): string {
  const column = options.column ?? DEFAULT_COLUMN;
  const first = ladder.steps[0]?.at ?? 0;
  const lines = [' '.repeat(TIME_WIDTH) + ladder.lifelines.map(({ name }) => center(name, column)).join('')];
  for (const step of ladder.steps) {
    const ms = ((step.at - first) / US_PER_MS).toFixed(2);
    lines.push(`${ms.padStart(TIME_WIDTH - 1)} ${arrow(ladder.lifelines, step, column)}`);
    if (options.notes === true) lines.push(`${' '.repeat(TIME_WIDTH)}  ${step.note}${ruleOf(step)}`);
    if (options.messages === true && step.message !== undefined)
      lines.push(...step.message.split(/\r?\n/).map((line) => `${' '.repeat(TIME_WIDTH)}    ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

const ruleOf = ({ refusal }: Step): string => (refusal?.rule === undefined ? '' : ` [${refusal.rule}]`);

function center(text: string, width: number): string {
  const cut = text.slice(0, width - 1);
  const left = Math.floor((width - cut.length) / 2);
  return ' '.repeat(left) + cut + ' '.repeat(width - left - cut.length);
}

function arrow(lifelines: readonly Lifeline[], step: Step, column: number): string {
  const indexOf = (id: string): number => lifelines.findIndex((one) => one.id === id);
  const [from, to] = [indexOf(step.from), indexOf(step.to)];
  const row = lifelines
    .map(() => center('│', column))
    .join('')
    .split('');
  const middle = (index: number): number => index * column + Math.floor((column - 1) / 2);
  const [left, right] = [middle(Math.min(from, to)), middle(Math.max(from, to))];
  const width = right - left - 1;
  const label = ` ${step.label} `.slice(0, Math.max(0, width - 2));
  const before = Math.floor((width - label.length) / 2);
  const shaft = '─'.repeat(before) + label + '─'.repeat(Math.max(0, width - before - label.length));
  const drawn = to > from ? `${shaft.slice(0, -1)}▶` : `◀${shaft.slice(1)}`;
  row.splice(left + 1, width, ...drawn.split(''));
  return row.join('').trimEnd();
}
