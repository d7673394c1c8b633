import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program that speaks the Redis protocol when run with Redis's own flags. */
export interface RedisServer {
  readonly path: string;
  readonly from: 'environment' | 'path' | 'cache' | 'debian' | 'brew' | 'javascript';
}

export interface FindOptions {
  /** The checkout; what is fetched goes to its `.cache/`. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One line for each slow step. */
  readonly say?: (line: string) => void;
}

/** A Redis in JavaScript: keeps nothing on disk and knows no replica, so it is the last resort. */
const JS_REDIS = 'js-redis-server@0.3.0';
const PROGRAMS = ['redis-server', 'valkey-server'];
const FETCH_TIMEOUT_MS = 180_000;

/**
 * Finds a Redis server in this order: `ROLLCALL_REDIS_SERVER`, PATH, the copy in `.cache/`, Debian's package unpacked
 * there without root, Homebrew, and last a JavaScript stand-in. Undefined when none of them works.
 */
export function findRedisServer(options: FindOptions): RedisServer | undefined {
  const named = options.env['ROLLCALL_REDIS_SERVER'];
  if (named !== undefined && named !== '') {
    return { path: named, from: named.includes('js-redis') ? 'javascript' : 'environment' };
  }
  const onPath = PROGRAMS.map((name) => which(name, options.env)).find((path) => path !== undefined);
  if (onPath !== undefined) return { path: onPath, from: 'path' };
  const cached = join(options.root, '.cache', 'redis', 'redis-server');
  if (runs(cached)) return { path: cached, from: 'cache' };
  return fromDebian(options, cached) ?? fromBrew(options) ?? fromNpm(options);
}

/** The full path of a program on PATH. */
export function which(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && executable(path)) return path;
  }
  return undefined;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function runs(path: string): boolean {
  return executable(path) && spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Downloads Debian's package with private apt state, so that neither root nor the system's state is touched. */
function fromDebian({ root, env, say }: FindOptions, wrapper: string): RedisServer | undefined {
  const apt = which('apt-get', env);
  if (apt === undefined || which('dpkg', env) === undefined) return undefined;
  say?.('no redis-server on this machine: fetching the Debian package into .cache/ (no root needed)');
  const base = join(root, '.cache', 'redis');
  const state = join(base, 'apt');
  for (const folder of ['lists/partial', 'archives/partial'])
    mkdirSync(join(state, folder), { recursive: true });
  const settings = [
    `Dir::State::Lists=${state}/lists`,
    `Dir::Cache=${state}`,
    `Dir::Cache::Archives=${state}/archives`,
    'Dir::State::status=/var/lib/dpkg/status',
    'Debug::NoLocking=1',
    'APT::Sandbox::User=',
  ].flatMap((setting) => ['-o', setting]);
  try {
    const run = (...args: string[]) =>
      execFileSync(apt, [...settings, '-qq', '-y', ...args], { stdio: 'ignore', timeout: FETCH_TIMEOUT_MS });
    run('update');
    run('--no-install-recommends', '--reinstall', '-d', 'install', 'redis-server', 'redis-tools');
    const tree = join(base, 'root');
    for (const file of readdirSync(join(state, 'archives')).filter((name) => name.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', join(state, 'archives', file), tree], { stdio: 'ignore' });
    }
    rmSync(state, { recursive: true, force: true });
    writeFileSync(wrapper, wrapperScript(tree));
    chmodSync(wrapper, 0o755);
  } catch {
    return undefined;
  }
  return runs(wrapper) ? { path: wrapper, from: 'debian' } : undefined;
}

/** The unpacked program finds its libraries beside itself. */
function wrapperScript(tree: string): string {
  const libraries = existsSync(join(tree, 'usr', 'lib'))
    ? readdirSync(join(tree, 'usr', 'lib')).filter((name) => name.includes('-linux-'))
    : [];
  const path = libraries.map((name) => `"$here"/root/usr/lib/${name}`).join(':');
  return [
    '#!/bin/sh',
    'here=$(dirname "$0")',
    `LD_LIBRARY_PATH=${path}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH`,
    'exec "$here"/root/usr/bin/redis-server "$@"',
    '',
  ].join('\n');
}

function fromBrew({ env, say }: FindOptions): RedisServer | undefined {
  const brew = which('brew', env);
  if (brew === undefined) return undefined;
  say?.('no redis-server on this machine: installing it by Homebrew');
  try {
    execFileSync(brew, ['install', 'redis'], { stdio: 'ignore' });
    const prefix = execFileSync(brew, ['--prefix', 'redis'], { encoding: 'utf8' }).trim();
    const path = join(prefix, 'bin', 'redis-server');
    return runs(path) ? { path, from: 'brew' } : undefined;
  } catch {
    return undefined;
  }
}

function fromNpm({ root, say }: FindOptions): RedisServer | undefined {
  const folder = join(root, '.cache', 'js-redis');
  const path = join(folder, 'node_modules', '.bin', 'js-redis-server');
  if (!executable(path)) {
    mkdirSync(folder, { recursive: true });
    const args = ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, JS_REDIS];
    if (spawnSync('npm', args, { stdio: 'ignore', timeout: FETCH_TIMEOUT_MS }).status !== 0) return undefined;
  }
  say?.('WARNING: no Redis could be found or fetched; a JavaScript stand-in is used.');
  say?.(
    'WARNING: it keeps nothing over a restart and cannot fail over. Install redis-server for anything but a look.',
  );
  return executable(path) ? { path, from: 'javascript' } : undefined;
}
