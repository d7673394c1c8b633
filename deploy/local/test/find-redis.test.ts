import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findRedisServer } from '../src/redis/find.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'rollcall-find-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function program(folder: string, name: string): string {
  mkdirSync(join(root, folder), { recursive: true });
  const path = join(root, folder, name);
  writeFileSync(path, '#!/bin/sh\nexit 0\n');
  chmodSync(path, 0o755);
  return path;
}
const find = (env: Record<string, string>) => findRedisServer({ root, env });

describe('where a Redis comes from', () => {
  it('the environment names one', () => {
    program('bin', 'redis-server');
    const found = find({ ROLLCALL_REDIS_SERVER: '/opt/redis', PATH: join(root, 'bin') });
    expect(found).toEqual({ path: '/opt/redis', from: 'environment' });
  });

  it('redis-server on PATH comes before valkey-server, and that before the cache', () => {
    program('.cache/redis', 'redis-server');
    const valkey = program('bin', 'valkey-server');
    expect(find({ PATH: join(root, 'bin') })).toEqual({ path: valkey, from: 'path' });
    const redis = program('bin', 'redis-server');
    expect(find({ PATH: join(root, 'bin') })).toEqual({ path: redis, from: 'path' });
  });

  it('the copy in .cache is next', () => {
    const cached = program('.cache/redis', 'redis-server');
    expect(find({ PATH: '' })).toEqual({ path: cached, from: 'cache' });
  });

  it('a Debian that gives nothing leads on, here to nothing', () => {
    program('bin', 'dpkg');
    mkdirSync(join(root, '.cache', 'js-redis'), { recursive: true });
    writeFileSync(join(root, 'bin', 'apt-get'), '#!/bin/sh\nexit 100\n', { mode: 0o755 });
    writeFileSync(join(root, 'bin', 'npm'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const before = process.env['PATH'];
    process.env['PATH'] = `${join(root, 'bin')}:/usr/bin:/bin`;
    try {
      expect(find({ PATH: join(root, 'bin') })).toBeUndefined();
    } finally {
      process.env['PATH'] = before;
    }
  });
});
