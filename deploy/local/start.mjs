#!/usr/bin/env node
// `npm start` on a machine that has nothing but Node: installs, builds, then hands over to what was built.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const say = (line) => process.stderr.write(`rollcall: ${line}\n`);

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  say(`Node 20.19 or newer is needed; this is ${process.versions.node}`);
  process.exit(1);
}

/** Runs a program quietly; its output is shown only when it fails. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    const stop = () => child.kill('SIGTERM');
    process.once('SIGINT', stop).once('SIGTERM', stop);
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => resolve({ ok: false, text: error.message }));
    child.on('close', (code, signal) => {
      process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
      if (signal !== null) process.exit(0);
      resolve({ ok: code === 0, text: Buffer.concat(output).toString() });
    });
  });
}

async function step(name, command, args) {
  const { ok, text } = await run(command, args);
  if (ok) return;
  process.stderr.write(text);
  say(`${name} failed`);
  process.exit(1);
}

const installed = join(root, 'node_modules', '.package-lock.json');
const lockfile = join(root, 'package-lock.json');
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockfile).mtimeMs) {
  say('installing packages (npm ci)');
  await step('npm ci', 'npm', ['ci', '--no-audit', '--no-fund']);
}

// tsc -b compares times itself and is quick when nothing changed.
if (!existsSync(join(root, 'deploy', 'local', 'dist', 'start.js'))) say('building');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
await step('the build', process.execPath, [tsc, '-b', join(root, 'tsconfig.build.json')]);

// The web UI is bundled when one of its files is newer than what was bundled.
const ui = join(root, 'services', 'admin', 'ui');
const bundled = join(root, 'services', 'admin', 'dist', 'ui', 'index.html');
const sources = [lockfile, ui, ...readdirSync(ui, { recursive: true }).map((name) => join(ui, name))];
const newest = Math.max(...sources.map((path) => statSync(path).mtimeMs));
if (!existsSync(bundled) || statSync(bundled).mtimeMs < newest) {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  await step('the build of the web UI', process.execPath, [
    vite,
    'build',
    '--config',
    join(ui, 'vite.config.ts'),
  ]);
}

const { main } = await import('./dist/start.js');
process.exit(await main(root, process.argv.slice(2)));
