import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const PATIENCE_MS = 20_000;

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
        ROLLCALL_REHEARSAL_MS: '0',
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
