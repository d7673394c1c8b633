import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PATIENCE_MS = 20_000;

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of the test's own; with `appendOnly` it keeps what it was told over a kill, without it nothing. */
export class OwnRedis {
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly appendOnly: boolean,
  ) {}

  static async start(appendOnly = false): Promise<OwnRedis> {
    const directory = await mkdtemp(join(tmpdir(), 'rollcall-presence-'));
    const redis = new OwnRedis(await freePort(), directory, appendOnly);
    redis.run();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  run(): void {
    const binary = process.env['ROLLCALL_REDIS_SERVER'] ?? 'redis-server';
    const kept = ['--appendonly', this.appendOnly ? 'yes' : 'no', '--appendfsync', 'everysec'];
    this.#child = spawn(
      binary,
      ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory, '--save', '', ...kept],
      {
        stdio: 'ignore',
      },
    );
  }

  async kill(): Promise<void> {
    await ended(this.#child, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}

interface LogLine {
  readonly level?: string;
  readonly msg?: string;
  /** Lines of the console exporter have these instead. */
  readonly name?: string;
  readonly traceId?: string;
  readonly inner?: number;
  readonly http?: number;
}

/** One replica of presence as a process. */
export class Replica {
  readonly lines: LogLine[] = [];
  readonly #child: ChildProcess;
  #rest = '';
  stderr = '';

  private constructor(env: Record<string, string>) {
    const main = join(ROOT, 'services/presence/src/main.ts');
    this.#child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@rollcall/source', main], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'],
        ROLLCALL_SECRET: 'a secret of the test itself',
        ROLLCALL_INNER_PORT: '0',
        ROLLCALL_HTTP_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const parts = (this.#rest + chunk.toString()).split('\n');
      this.#rest = parts.pop() ?? '';
      for (const part of parts) this.lines.push(JSON.parse(part) as LogLine);
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
  }

  /** Starts one and waits for its ready line, or for its end. */
  static async start(env: Record<string, string>): Promise<Replica> {
    const replica = new Replica(env);
    const deadline = Date.now() + PATIENCE_MS;
    while (replica.ready === undefined && replica.#child.exitCode === null) {
      if (Date.now() > deadline) throw new Error(`no ready line: ${replica.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return replica;
  }

  get ready(): LogLine | undefined {
    return this.lines.find(({ msg }) => msg === 'ready');
  }

  get inner(): number {
    return this.ready?.inner ?? 0;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async status(path: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.ready?.http ?? 0}${path}`);
    await response.text();
    return response.status;
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.ready?.http ?? 0}/metrics`)).text();
  }

  kill(): Promise<void> {
    return ended(this.#child, 'SIGKILL');
  }

  stop(): Promise<void> {
    return ended(this.#child, 'SIGTERM');
  }
}

async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exit;
}
