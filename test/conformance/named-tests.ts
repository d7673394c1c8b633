import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = ['libs', 'services', 'deploy', 'test'];
const LEFT_OUT = new Set(['node_modules', 'dist', 'fixtures']);
/** A title: the first string of a call. `])('…'` ends an `it.each`. */
const TITLE = /\(\s*(['"`])((?:(?!\1)[^\n])*)\1\s*,/g;
const SCENARIO_HEAD = /(?:^|\n\s*\n); ([^\n]*)/g;
const ID = /\b[A-Z]\d{2}\b/g;

/** For each acceptance id the files whose tests or scenarios name it in their titles, with how many do. */
export function namedTests(): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const named = new Map<string, Map<string, number>>();
  for (const file of FOLDERS.flatMap((folder) => filesOf(join(ROOT, folder)))) {
    const name = relative(ROOT, file);
    for (const title of titlesOf(file)) {
      for (const id of new Set(title.match(ID) ?? [])) {
        const files = named.get(id) ?? new Map<string, number>();
        files.set(name, (files.get(name) ?? 0) + 1);
        named.set(id, files);
      }
    }
  }
  return named;
}

function titlesOf(file: string): string[] {
  const text = readFileSync(file, 'latin1');
  if (file.endsWith('.scn')) return [...text.matchAll(SCENARIO_HEAD)].map((match) => match[1] ?? '');
  return [...text.matchAll(TITLE)].map((match) => match[2] ?? '');
}

function filesOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => !LEFT_OUT.has(name))
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return filesOf(path);
      return /\.(test\.ts|scn)$/.test(name) ? [path] : [];
    });
}
