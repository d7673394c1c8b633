import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Transport } from './options.ts';

const source = fileURLToPath(new URL('./load/sipload.c', import.meta.url));

/** What the generator prints, as far as the table needs it. */
export interface LoadResult {
  readonly ok: number;
  readonly failed: number;
  readonly retrans: number;
  readonly calls_per_s: number;
  readonly requests_per_s: number;
  readonly call_us: { readonly p50: number; readonly p99: number };
  readonly gen_cpu: number;
  readonly codes: Readonly<Record<string, number>>;
}

/** The generator's mode for each scenario name. */
export const MODES: Readonly<Record<string, string>> = {
  'register-auth': 'reg',
  refresh: 'refresh',
  query: 'query',
  options: 'options',
  subscribe: 'sub',
  publish: 'pub',
  'presence-cycle': 'cycle',
};

/** Compiles the generator where it is missing or older than its source, and returns its path. */
export function buildGenerator(work: string): string {
  const binary = resolve(work, 'sipload');
  if (!existsSync(binary) || statSync(binary).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(dirname(binary), { recursive: true });
    execFileSync('cc', ['-O2', '-w', '-o', binary, source, '-lssl', '-lcrypto', '-lm'], { stdio: 'inherit' });
  }
  return binary;
}

/** Sockets that the calls are spread over; over streams each call under way has its own, as phones do. */
const SOCKETS = 16;

const STREAM_FLAGS: Readonly<Record<Transport, readonly string[]>> = {
  udp: [],
  tcp: ['-t'],
  tls: ['-S'],
  ws: ['-w'],
  wss: ['-S', '-w'],
};

export interface Load {
  readonly port: number;
  readonly mode: string;
  readonly transport: Transport;
  readonly users: number;
  /** Calls under way at once; the loop is closed. */
  readonly outstanding: number;
  /** Calls begun each second instead, however many are under way. */
  readonly rate?: number;
  readonly seconds: number;
  /** Ends after so many calls. */
  readonly calls?: number;
}

/** Runs the generator once against 127.0.0.1. */
export async function runLoad(binary: string, load: Load): Promise<LoadResult> {
  const args = [
    '-p',
    load.port,
    '-m',
    load.mode,
    '-d',
    load.seconds,
    '-u',
    load.users,
    ...(load.rate === undefined ? ['-c', load.outstanding] : ['-r', load.rate]),
    '-s',
    load.transport === 'udp' ? SOCKETS : Math.max(SOCKETS, load.outstanding),
  ];
  if (load.users >= 100_000) args.push('-W', 6);
  if (load.calls !== undefined) args.push('-n', load.calls);
  args.push(...STREAM_FLAGS[load.transport]);
  const child = spawn(binary, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await new Promise<void>((done, failed) => {
    child.on('close', () => {
      done();
    });
    child.on('error', failed);
  });
  return JSON.parse(printed) as LoadResult;
}
