import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

export interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs an outside program to its end; past the time it is killed. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly timeoutMs?: number } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString('latin1')));
    child.stderr.on('data', (data: Buffer) => (output += data.toString('latin1')));
    child.on('error', () =>
      reject(new Error(`${program} is not installed: npm test as root installs it, or apt-get install it`)),
    );
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 40_000);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

const CHROMIUMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where the distribution has put Chromium. */
export function chromiumPath(): string {
  const found = CHROMIUMS.find((path) => existsSync(path));
  if (found === undefined)
    throw new Error('chromium is not installed: npm test as root installs it, or apt-get install chromium');
  return found;
}
