import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis, type RedisInstance } from '@rollcall/local';
import { redisForTests } from '@rollcall/testkit';

/** What is left when the disk is about to be full: some fifty registrations. */
const LEFT_BYTES = 32_768;
const MEBIBYTES = 8;

/** Where a Redis keeps its files, and how that place is filled. */
export interface SmallDisk {
  readonly redis: RedisInstance;
  /** Leaves so little room that writes soon fail. */
  fill(): void;
  makeRoom(): void;
  /** Starts Redis again on what it has written. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export type DiskKind = 'a full tmpfs' | 'a limit on its files';

/** The ways to fill a disk that this machine permits: to mount takes root, to limit a process takes nothing. */
export function diskKinds(): DiskKind[] {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-mount-'));
  const mounted = mount(folder);
  if (mounted) run('umount', folder);
  rmSync(folder, { recursive: true });
  return [...(mounted ? ['a full tmpfs' as const] : []), 'a limit on its files'];
}

/** A Redis with an append-only file on a disk that can be filled. */
export async function startSmallDisk(kind: DiskKind, port: number): Promise<SmallDisk> {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-disk-'));
  const data = join(folder, 'data');
  mkdirSync(data);
  const tmpfs = kind === 'a full tmpfs';
  if (tmpfs && !mount(data)) throw new Error('tmpfs cannot be mounted here');
  const server = { ...redisForTests(), path: withoutFileSignal(folder, redisForTests().path) };
  const start = (): Promise<RedisInstance> => startRedis(server, { port, folder: data });
  let redis = await start();
  const filler = join(data, 'filler');
  return {
    get redis() {
      return redis;
    },
    fill: () => {
      if (tmpfs) {
        const { bavail, bsize } = statfsSync(data);
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES)));
      } else limitFiles(redis.process.pid, String(bytesOf(join(data, 'appendonlydir')) + LEFT_BYTES));
    },
    makeRoom: () => {
      if (tmpfs) rmSync(filler);
      else if (!redis.process.exited) limitFiles(redis.process.pid, 'unlimited');
    },
    restart: async () => {
      redis = await start();
    },
    stop: async () => {
      await redis.stop();
      if (tmpfs) run('umount', data);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A write past the limit of a file's size ends a process by a signal; without it the write fails, as on a full disk. */
function withoutFileSignal(folder: string, redis: string): string {
  const script = join(folder, 'redis-server');
  writeFileSync(script, `#!/bin/sh\ntrap '' XFSZ\nexec '${redis}' "$@"\n`, { mode: 0o755 });
  return script;
}

/** Sets the soft limit alone: it can be raised again without rights. */
function limitFiles(pid: number, bytes: string): void {
  if (!run('prlimit', '--pid', String(pid), `--fsize=${bytes}:`)) throw new Error('prlimit failed');
}

const bytesOf = (folder: string): number =>
  Math.max(...readdirSync(folder).map((name) => statSync(join(folder, name)).size));

const mount = (folder: string): boolean =>
  run('mount', '-t', 'tmpfs', '-o', `size=${String(MEBIBYTES)}m`, 'rollcall-test', folder);

const run = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;
