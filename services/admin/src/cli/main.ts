#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { configOrExit, defineConfig, secret, url } from '@rollcall/config';
import { Refused, RestClient } from './client.ts';
import { HELP, Misused, runCommand } from './commands.ts';

const cliConfig = defineConfig({
  url: {
    env: 'ROLLCALL_ADMIN_URL',
    type: url(['http:', 'https:']),
    default: 'http://127.0.0.1:8080',
    help: 'Where the REST interface is.',
  },
  token: { env: 'ROLLCALL_ADMIN_TOKEN', type: secret({ minLength: 1 }), help: 'A token of it.' },
});

const EXIT_MISUSED = 2;
const EXIT_REFUSED = 1;

async function readPassword(): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => { done(); } }); // prettier-ignore
  const terminal = process.stdin.isTTY;
  if (terminal) process.stderr.write('password: ');
  const lines = createInterface({ input: process.stdin, output: silent, terminal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 0 || argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(HELP);
    return argv.length === 0 ? EXIT_MISUSED : 0;
  }
  const config = configOrExit('rollcall', cliConfig);
  const abort = new AbortController();
  process.once('SIGINT', () => {
    abort.abort();
  });
  const client = new RestClient(config.url.replace(/\/$/, ''), config.token);
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  try {
    const { isTTY, columns } = process.stdout;
    const width = isTTY && columns > 0 ? columns : undefined;
    await runCommand({ client, print, width, readPassword, signal: abort.signal }, argv);
    return 0;
  } catch (error) {
    if (abort.signal.aborted) return 0;
    if (!(error instanceof Misused) && !(error instanceof Refused)) throw error;
    process.stderr.write(`rollcall: ${error.message}\n`);
    return error instanceof Misused ? EXIT_MISUSED : EXIT_REFUSED;
  }
}

// A reader that has seen enough (head, less) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
process.exitCode = await main(process.argv.slice(2));
