import type { Ladder, Lifeline, Step } from './model.ts';

/*
 * The ladder in characters, for a terminal: a column for each lifeline, an arrow for each step, the note below on request.
 */

export interface LadderTextOptions {
  /** Characters of a line; without, lines are as long as they come. Messages are not folded. */
  readonly width?: number;
  readonly notes?: boolean;
  /** Prints the messages under their arrows, where the steps have them. */
  readonly messages?: boolean;
}

/** Characters from one lifeline to the next: the longest method fits the shorter. */
const COLUMN = 22;
const NARROW_COLUMN = 14;
const TIME_WIDTH = 10;
const US_PER_MS = 1_000;

/** Prints a ladder; what is wider than the terminal as one below the other, each with those alone who take part in it. */
export function printLadder(ladder: Ladder, options: LadderTextOptions = {}): string {
  const { width = Infinity, notes = false, messages = false } = options;
  const room = Math.max(width - TIME_WIDTH, 2 * NARROW_COLUMN);
  const parts = partsOf(ladder, Math.floor(room / NARROW_COLUMN));
  const first = ladder.steps[0]?.at ?? 0;
  const margin = ' '.repeat(TIME_WIDTH);
  const lines: string[] = [];
  for (const { lifelines, steps } of parts) {
    const column = Math.min(COLUMN, Math.floor(room / Math.max(1, lifelines.length)));
    if (lines.length > 0) lines.push('');
    lines.push((margin + lifelines.map(({ name }) => center(name, column)).join('')).trimEnd());
    for (const step of steps) {
      const ms = ((step.at - first) / US_PER_MS).toFixed(2);
      lines.push(`${ms.padStart(TIME_WIDTH - 1)} ${arrow(lifelines, step, column)}`);
      if (notes)
        for (const line of folded(step.note + ruleOf(step), width - TIME_WIDTH - 2))
          lines.push(`${margin}  ${line}`);
      if (messages && step.message !== undefined)
        lines.push(...step.message.split(/\r?\n/).map((line) => `${margin}    ${line}`));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The steps in their order, in as few parts as have at most so many lifelines each. */
function partsOf({ lifelines, steps }: Ladder, most: number): readonly Ladder[] {
  if (lifelines.length <= most) return [{ lifelines, steps }];
  const parts: { readonly used: Set<string>; readonly steps: Step[] }[] = [];
  for (const step of steps) {
    const last = parts.at(-1);
    const together = new Set([...(last?.used ?? []), step.from, step.to]);
    if (last === undefined || together.size > most)
      parts.push({ used: new Set([step.from, step.to]), steps: [step] });
    else {
      last.steps.push(step);
      for (const id of together) last.used.add(id);
    }
  }
  return parts.map((part) => ({
    lifelines: lifelines.filter(({ id }) => part.used.has(id)),
    steps: part.steps,
  }));
}

/** Lines of whole words, longer than `width` only where one word is. */
function folded(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
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
