#!/usr/bin/env node
// `npm test`: installs what the tests need, then runs every check and every test. Ends with "N passed, N failed".
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const env = {
  ...process.env,
  OTEL_TRACES_EXPORTER: process.env.OTEL_TRACES_EXPORTER ?? 'none',
  NX_DAEMON: 'false',
  NX_NO_CLOUD: 'true',
  NX_CACHE_DIRECTORY: '.nx/cache',
  FORCE_COLOR: process.env.FORCE_COLOR ?? '0',
};
const say = (line) => process.stdout.write(`${line}\n`);
const started = Date.now();

/** What the tests call besides Node: program or file, Debian package. */
const TOOLS = [
  { names: ['redis-server', 'valkey-server'], debian: 'redis-server' },
  { names: ['sipp'], debian: 'sip-tester' },
  { names: ['sipsak'], debian: 'sipsak' },
  { names: ['baresip'], debian: 'baresip-core' },
  { names: ['linphonec'], debian: 'linphone-cli' },
  { names: ['chromium', 'chromium-browser', 'google-chrome'], debian: 'chromium' },
  { names: ['tshark'], debian: 'tshark' },
  // For the load generator of the bench.
  { names: ['cc'], debian: 'gcc' },
  { names: ['/usr/include/stdio.h'], debian: 'libc6-dev' },
  { names: ['/usr/include/openssl/ssl.h'], debian: 'libssl-dev' },
];
const onPath = (name) =>
  (env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, name)));
const isThere = (name) => (name.startsWith('/') ? existsSync(name) : onPath(name));
const missing = () => TOOLS.filter((tool) => !tool.names.some(isThere));

function installTools() {
  const wanted = missing().map((tool) => tool.debian);
  if (wanted.length === 0) return;
  if (process.getuid?.() === 0 && onPath('apt-get')) {
    say(`installing by apt: ${wanted.join(', ')}`);
    const apt = (...args) =>
      spawnSync('apt-get', ['-qq', '-y', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    apt('update');
    // A server that Debian would start at boot is no business of a test.
    apt('install', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0', ...wanted);
  }
  const still = missing().map((tool) => tool.debian);
  if (still.length > 0) {
    say(
      `The tests need programs that are not installed. Debian or Ubuntu: sudo apt-get install -y ${still.join(' ')}`,
    );
  }
}

/** Runs a program with its output shown; resolves with the exit code. */
function run(command, args, more = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...env, ...more } });
    child.on('error', () => resolve(127));
    child.on('close', (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
  });
}

const totals = { passed: 0, failed: 0 };
const failures = [];

function count(name, ok) {
  if (ok) totals.passed++;
  else {
    totals.failed++;
    failures.push(name);
  }
}

async function check(name, work) {
  const at = Date.now();
  const ok = await work();
  say(`${ok ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - at) / 1000).toFixed(1)} s)`);
  count(name, ok);
  return ok;
}

const bin = (name) => join(root, 'node_modules', '.bin', name);
const script = (name, ...args) => run(bin(name), args).then((code) => code === 0);

/** Generated pages must be what the tree holds. */
async function generateIsClean() {
  const generated = ['docs'];
  const before = spawnSync('git', ['status', '--porcelain', '--', ...generated], { encoding: 'utf8' }).stdout;
  if ((await run('npm', ['run', '--silent', 'generate'])) !== 0) return false;
  const inside = spawnSync('git', ['rev-parse', '--is-inside-work-tree'], { encoding: 'utf8' });
  if (inside.status !== 0) return true;
  const after = spawnSync('git', ['status', '--porcelain', '--', ...generated], { encoding: 'utf8' }).stdout;
  if (after === before && (after === '' || !env.CI)) return true;
  say(`generate changed or left dirty:\n${after}run \`npm run generate\` and commit`);
  return false;
}

/** One vitest project; its counts go into the totals. */
async function suite(project, reports, filters) {
  const output = join(reports, `${project}.json`);
  const args = [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
  ];
  const code = await run(bin('vitest'), [...args, ...filters]);
  if (!existsSync(output)) return count(`vitest ${project} gave no report`, false);
  const report = JSON.parse(readFileSync(output, 'utf8'));
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests + report.numPendingTests + report.numTodoTests;
  for (const file of report.testResults) {
    for (const test of file.assertionResults)
      if (test.status !== 'passed') failures.push(`${project}: ${test.fullName}`);
    if (file.status === 'failed' && file.assertionResults.every((test) => test.status === 'passed')) {
      count(`${project}: ${file.name.slice(root.length + 1)} did not run`, false);
    }
  }
  if (code !== 0 && report.numFailedTests === 0 && report.success)
    count(`vitest ${project} ended with ${code}`, false);
}

async function main() {
  if (process.argv[2] === '--tools') {
    installTools();
    process.exit(missing().length === 0 ? 0 : 1);
  }
  if (!existsSync(join(root, 'node_modules', '.package-lock.json')) || lockIsNewer()) {
    say('installing packages (npm ci)');
    if ((await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])) !== 0) process.exit(1);
  }
  installTools();
  const only = process.argv.slice(2);
  const built = await check('build', () =>
    run('npm', ['run', '--silent', 'build']).then((code) => code === 0),
  );
  const { findRedisServer } = await import('../deploy/local/dist/redis/find.js').catch(() => ({}));
  const redis = findRedisServer?.({ root, env, say });
  if (redis === undefined) say('no Redis was found: tests that need one will fail');
  else env.ROLLCALL_REDIS_SERVER = redis.path;
  if (only.length === 0) {
    await Promise.all([
      check('lint', () => script('eslint', '.', '--max-warnings', '0')),
      check('typecheck', () => run('npm', ['run', '--silent', 'typecheck']).then((code) => code === 0)),
    ]);
    await check('format', () => script('prettier', '--check', '--log-level', 'warn', '.'));
    if (built) await check('generated pages are up to date', generateIsClean);
  }
  mkdirSync(join(root, '.cache'), { recursive: true });
  const reports = mkdtempSync(join(root, '.cache', 'reports-'));
  try {
    // One after another: system tests measure time and want the processors for themselves.
    for (const project of ['unit', 'redis', 'system']) await suite(project, reports, only);
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  if (failures.length > 0) say(`\nfailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
  say(`\ntook ${Math.round((Date.now() - started) / 1000)} s`);
  say(`${totals.passed} passed, ${totals.failed} failed`);
  process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
}

function lockIsNewer() {
  const at = (path) => statSync(join(root, path)).mtimeMs;
  return at('node_modules/.package-lock.json') < at('package-lock.json');
}

await main();
