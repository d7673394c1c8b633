import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addProbe, buildLadder, REASONS } from '../src/index.ts';
import type { Step, TraceEntry } from '../src/index.ts';
import { answer, entry, INNER, NOON, register, REGISTRAR } from './support.ts';

interface Row {
  readonly status: number;
  readonly reason: string;
  readonly label: string;
  readonly source: string;
}

const ROW = /^\| (\d{3}) \| (.*?) \| `(.*?)` \| (.*?) \|$/gm;

/** The rows of one section of docs/refusals.md, which is made from the tables that answers come from. */
function refusalsOf(section: string): readonly Row[] {
  const page = readFileSync(new URL('../../../docs/refusals.md', import.meta.url), 'utf8');
  const text = page.split(/^## /m).find((part) => part.startsWith(section)) ?? '';
  return [...text.matchAll(ROW)].map(([, status, reason = '', label = '', source = '']) => ({
    status: Number(status),
    reason,
    label,
    source,
  }));
}

const asked = entry(register());

/** What the ladder says of the last of these messages. */
function last(entries: readonly TraceEntry[]): Step {
  const step = buildLadder(entries).steps.at(-1);
  if (step === undefined) throw new Error('a ladder without steps');
  return step;
}

function expectExplained(step: Step, { status, label, source }: Row, by: string): void {
  expect(step.refusal).toEqual({ status, label, rule: source, by });
  if (status !== 401 && status !== 407) expect(step.note).toBe(`${REASONS[label] ?? ''}.`);
  expect(step.note.length).toBeGreaterThan(20);
}

describe('every refusal is told in plain words, with its rule', () => {
  const edge = refusalsOf('Edge');
  const inner = (['registrar', 'presence'] as const).flatMap((by) =>
    refusalsOf(by === 'registrar' ? 'Registrar' : 'Presence').map((row) => ({ by, ...row })),
  );

  it('the page is read', () => {
    expect([edge.length > 20, inner.length > 40]).toEqual([true, true]);
  });

  it.each(edge)('the edge: $status $label', (row) => {
    const { status, reason, label, source } = row;
    const said = answer(`${String(status)} ${reason}`, 1);
    const rule = { label, section: source };
    const step = last([asked, entry(said, { at: NOON + 9, direction: 'out', rule })]);
    expectExplained(step, row, 'edge');
  });

  it.each(inner)('$by: $status $label', (row) => {
    const { by, status, reason, label } = row;
    const hop = { hop: by, transport: 'tcp', local: INNER, remote: REGISTRAR, flow: 'r1' } as const;
    const plain = answer(`${String(status)} ${reason}`, 1);
    const told = addProbe(plain, { outcome: label, total: 90 });
    const entries = [
      asked,
      entry(register({ more: ['Path: <sip:x@e;lr>'] }), { ...hop, at: NOON + 2, direction: 'out' }),
      entry(told, { ...hop, at: NOON + 5 }),
    ];
    expectExplained(last(entries), row, by);
    expectExplained(last([...entries, entry(plain, { at: NOON + 9, direction: 'out' })]), row, by);
  });
});
