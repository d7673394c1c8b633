import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, stderr } from 'node:process';
import { fileURLToPath } from 'node:url';
import { allPages } from './all-pages.ts';
import { ROOT } from './named-tests.ts';
import type { Page } from './pages.ts';

/** Pages of the tree that are not what would be generated now. */
export function stalePages(pages: readonly Page[] = allPages()): string[] {
  return pages
    .filter(
      ({ path, text }) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), 'utf8') !== text,
    )
    .map(({ path }) => path);
}

function generate(): void {
  for (const { path, text } of allPages()) {
    const file = join(ROOT, path);
    mkdirSync(dirname(file), { recursive: true });
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
    writeFileSync(file, text);
    stderr.write(`wrote ${path}\n`);
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) generate();
