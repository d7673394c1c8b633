import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DIRTY_KEPT, DUE_SETS, INDEX_SETS } from '../src/keys.ts';

const scripts = new URL('../scripts/', import.meta.url);
const sources = new URL('../src/', import.meta.url);
const read = (file: URL): string => readFileSync(file, 'utf8');
const files = (folder: URL, end: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith(end));

const typescript = files(sources, '.ts')
  .map((name) => read(new URL(name, sources)))
  .join('\n');

describe.each(files(scripts, '.lua'))('%s', (name) => {
  const source = read(new URL(name, scripts));
  const lines = source.split('\n');
  const body = lines.filter((line) => !line.startsWith('--')).join('\n');
  const head = lines.filter((line) => line.startsWith('--')).join('\n');

  test('is a Lua script of at most 80 lines that says its keys, arguments and reply', () => {
    expect(lines[0]).toMatch(/^#!lua/);
    expect(lines.length).toBeLessThanOrEqual(80);
    expect(head).toMatch(/KEYS/);
    expect(head).toMatch(/Reply/);
  });

  test('is wrapped with as many keys as it uses', () => {
    // A script that walks over all its keys says in its head how many those are.
    const used = body.includes('#KEYS')
      ? Number(/KEYS 1 … (\d+)/.exec(head)?.[1])
      : Math.max(...[...body.matchAll(/KEYS\[(\d+)\]/g)].map((match) => Number(match[1])));
    const base = (name.split('/').at(-1) ?? '').replace('.lua', '');
    const wrapped = new RegExp(
      `(?:scripts/${base}\\.lua', import\\.meta\\.url\\), |[sS]cript\\('${base}', )(\\d+|DUE_SETS|INDEX_SETS)`,
    ).exec(typescript);
    // Presence and location each have a rearm: the folder tells them apart in the source.
    const own = name.includes('/') ? new RegExp(`[sS]cript\\('${base}', (\\d+)`).exec(typescript) : wrapped;
    const named: Readonly<Record<string, number>> = { DUE_SETS, INDEX_SETS };
    expect(named[own?.[1] ?? ''] ?? Number(own?.[1])).toBe(used);
  });
});

test('whoever writes a dirty stream keeps as much of it', () => {
  const kept = /CHANGES_KEPT, DIRTY_KEPT = \d+, (\d+)/.exec(read(new URL('commit.lua', scripts)))?.[1];
  expect(Number(kept)).toBe(DIRTY_KEPT);
});

test('F02 what a 200 rests on is said to be durable; housekeeping, which nobody waits for, is not', () => {
  const durable = files(scripts, '.lua').filter((name) =>
    /^-- Durable: /m.test(read(new URL(name, scripts))),
  );
  expect(durable).toEqual(
    expect.arrayContaining([
      'commit.lua',
      'refresh.lua',
      'presence/commit-subscription.lua',
      'presence/commit-publications.lua',
    ]),
  );
  for (const name of ['take-due.lua', 'count-due.lua', 'read-changes.lua', 'presence/take-work.lua']) {
    expect(durable).not.toContain(name);
  }
});
