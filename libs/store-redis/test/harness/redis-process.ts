import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll } from 'vitest';

const BINARY = process.env['ROLLCALL_REDIS_SERVER'] ?? 'redis-server';
const START_PATIENCE_MS = 20_000;
const POLL_MS = 20;

const running = new Set<RedisProcess>();

// A test that fails in the middle leaves its servers behind: the file that used them ends them.
afterAll(async () => {
  await Promise.all([...running].map((server) => server.stop()));
});

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis server of the test's own: a process with a directory that goes with it. */
export class RedisProcess {
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly directory: string,
    private readonly settings: readonly string[],
    private readonly configFile: readonly string[],
  ) {}

  /** `settings` go on the command line: `['--appendonly', 'yes']`; `writeConfig` may put a configuration file into the directory. */
  static async start(
    settings: readonly string[] = [],
    writeConfig?: (directory: string) => Promise<string>,
  ): Promise<RedisProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'rollcall-redis-'));
    const file = writeConfig === undefined ? [] : [await writeConfig(directory)];
    const server = new RedisProcess(await freePort(), directory, settings, file);
    await server.begin();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the process, on the same port and directory as before. */
  async begin(): Promise<void> {
    const child = spawn(
      BINARY,
      [
        ...this.configFile,
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory],
        ...(this.settings.includes('--sentinel') ? [] : ['--save', '']),
        ...this.settings,
      ],
      { stdio: 'ignore' },
    );
    this.#child = child;
    running.add(this);
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => {
        reject(new Error(`${BINARY} did not start`));
      });
      this.#answers().then(resolve, reject);
    });
  }

  /** Ends the process at once; what it had not written is lost. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    this.#child = undefined;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends the process and removes its directory. */
  async stop(): Promise<void> {
    running.delete(this);
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A plain connection, for looking behind the store's back; the caller disconnects it. */
  inspect(): Redis {
    return new Redis(this.port, '127.0.0.1', { maxRetriesPerRequest: 3 });
  }

  async #answers(): Promise<void> {
    const redis = new Redis(this.port, '127.0.0.1', {
      retryStrategy: () => POLL_MS,
      maxRetriesPerRequest: null,
    });
    redis.on('error', () => undefined);
    const patience = sleep(START_PATIENCE_MS).then(() => {
      throw new Error(`${BINARY} on port ${String(this.port)} does not answer`);
    });
    try {
      await Promise.race([redis.ping(), patience]);
    } finally {
      redis.disconnect();
    }
  }
}
