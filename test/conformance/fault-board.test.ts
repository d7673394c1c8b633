import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { namedTests, ROOT } from './named-tests.ts';

const FAULTS = Array.from({ length: 30 }, (_, n) => `K${String(n + 1).padStart(2, '0')}`);
const ROW = /^\| (K\d\d) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm;

interface Row {
  readonly id: string;
  readonly fault: string;
  readonly shownBy: string;
  readonly verdict: string;
}

const page = readFileSync(join(ROOT, 'docs', 'chaos.md'), 'utf8');
const rows: readonly Row[] = [...page.matchAll(ROW)].map(
  ([, id = '', fault = '', shownBy = '', verdict = '']) => ({ id, fault, shownBy, verdict }),
);

describe('the fault board in docs/chaos.md', () => {
  it('F10 has one row for each fault, K01 to K30, and each a verdict', () => {
    expect(rows.map(({ id }) => id)).toEqual(FAULTS);
    for (const { id, verdict } of rows) expect(verdict, id).toMatch(/^(?:met|in part|missed)\b/);
  });

  it('F10 each row runs by name: a test has it in its title (`npx vitest run -t K07`)', () => {
    const named = namedTests();
    expect(FAULTS.filter((id) => !named.has(id))).toEqual([]);
  });

  it('F10 what a row is shown by is there: the tests, the pages and the commands', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    for (const { id, shownBy, verdict } of rows) {
      const text = `${shownBy} ${verdict}`;
      for (const [, link = ''] of text.matchAll(/\]\(([^)#]+)/g))
        expect(existsSync(join(ROOT, 'docs', link)), `${id}: ${link}`).toBe(true);
      for (const [, command = ''] of text.matchAll(/`npm run ([\w:-]+)/g))
        expect(Object.keys(scripts), id).toContain(command);
    }
  });
});
