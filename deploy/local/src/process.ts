import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { env as environment } from 'node:process';
import { which } from './redis/find.ts';

/** A child process that ends with us: stopped by `stop`, and by the kernel (Linux) should we be killed. */
export interface TiedProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: boolean;
  /** Settles once, with how the process ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** The latest lines of its output, for a message about its death. */
  lastLines(count: number): string;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL for one that does not listen. */
  stop(): Promise<void>;
}

export interface SpawnOptions {
  readonly name: string;
  /** Added to our own environment; an undefined value removes the name. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logFile?: string | undefined;
  readonly cwd?: string;
  readonly onLine?: (line: string) => void;
}

const STOP_TIMEOUT_MS = 8000;
const KEPT_LINES = 40;

/** Starts a program, its standard output and error to the log file. */
export function spawnTied(program: string, args: readonly string[], options: SpawnOptions): TiedProcess {
  const setpriv = process.platform === 'linux' ? which('setpriv', environment) : undefined;
  const [command, all] =
    setpriv === undefined ? [program, [...args]] : [setpriv, ['--pdeathsig', 'TERM', '--', program, ...args]];
  const child = spawn(command, all, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, ...options.env, ROLLCALL_REDIS_SERVER: undefined },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // A Ctrl-C of the terminal goes to us alone, and we stop things in order.
    detached: true,
  });
  const log = options.logFile === undefined ? undefined : openSync(options.logFile, 'a');
  const lines: string[] = [];
  let rest = '';
  const take = (chunk: Buffer) => {
    if (log !== undefined) writeSync(log, chunk);
    const parts = (rest + chunk.toString('utf8')).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      options.onLine?.(line);
    }
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  let exited = false;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null) => {
      if (exited) return;
      exited = true;
      if (log !== undefined) closeSync(log);
      resolve({ code, signal });
    };
    child.on('close', finish);
    child.on('error', (error) => {
      lines.push(error.message);
      finish(null, null);
    });
  });
  const kill = (signal: NodeJS.Signals) => {
    if (!exited) child.kill(signal);
  };
  return {
    name: options.name,
    pid: child.pid ?? 0,
    get exited() {
      return exited;
    },
    ended,
    lastLines: (count) => lines.slice(-count).join('\n'),
    kill,
    async stop() {
      if (exited) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
