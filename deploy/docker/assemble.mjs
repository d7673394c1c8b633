#!/usr/bin/env node
// Puts what one service runs with into a folder: `node deploy/docker/assemble.mjs edge /app`, in a tree that has been built and
// then pruned by `npm ci --omit=dev --workspace @rollcall/edge`. Workspaces are taken without their source, types and tests.
import { cpSync, existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = realpathSync(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const SCOPE = '@rollcall';
/** What no workspace needs to run. */
const LEFT_OUT = new Set(['src', 'test', 'bench', 'fixtures', 'scenarios', 'node_modules']);
const LEFT_OUT_FILES = /\.(?:d\.ts|map|tsbuildinfo)$|^tsconfig.*\.json$/;

function fail(line) {
  process.stderr.write(`assemble: ${line}\n`);
  process.exit(1);
}

const [service, out] = process.argv.slice(2);
if (service === undefined || out === undefined) fail('usage: assemble.mjs SERVICE FOLDER');
const entry = join('services', service, 'dist', 'main.js');
if (!existsSync(join(root, entry)))
  fail(`${entry} does not exist: is ${service} a service, and has it been built?`);
const modules = join(root, 'node_modules');
const scope = join(modules, SCOPE);
if (!existsSync(join(scope, service))) fail(`node_modules does not have ${SCOPE}/${service}`);

const wanted = (source) => !LEFT_OUT.has(basename(source)) && !LEFT_OUT_FILES.test(basename(source));

mkdirSync(out, { recursive: true });
cpSync(modules, join(out, 'node_modules'), {
  recursive: true,
  // Links to workspaces stay relative links; programs of packages are no business of a service.
  verbatimSymlinks: true,
  filter: (source) =>
    source !== join(modules, '.bin') && !source.endsWith('.map') && !source.endsWith('.d.ts'),
});
for (const name of readdirSync(scope)) {
  const workspace = realpathSync(join(scope, name));
  const place = relative(root, workspace);
  if (place.startsWith('..')) fail(`${name} is not a workspace of this tree`);
  for (const item of readdirSync(workspace)) {
    if (!wanted(item)) continue;
    cpSync(join(workspace, item), join(out, place, item), { recursive: true, filter: wanted });
  }
}
writeFileSync(
  join(out, 'package.json'),
  `${JSON.stringify({ name: `rollcall-${service}`, private: true, type: 'module' })}\n`,
);
writeFileSync(join(out, 'main.mjs'), `import './services/${service}/dist/main.js';\n`);
cpSync(join(root, 'deploy/docker/healthcheck.mjs'), join(out, 'healthcheck.mjs'));
