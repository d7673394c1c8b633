import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseMessage, StreamFramer } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';

const PATIENCE_MS = 20_000;
const POLL_MS = 25;

export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of the test's own, which can be ended and begun again on its port with what it held. */
export class OwnRedis {
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly directory: string,
  ) {}

  static async make(): Promise<OwnRedis> {
    return new OwnRedis(await freePort(), await mkdtemp(join(tmpdir(), 'rollcall-registrar-')));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port.toString()}`;
  }

  async begin(): Promise<void> {
    const program = process.env['ROLLCALL_REDIS_SERVER'] ?? 'redis-server';
    const settings = ['--bind', '127.0.0.1', '--dir', this.directory, '--save', '', '--appendonly', 'yes'];
    this.#child = spawn(program, ['--port', this.port.toString(), ...settings], { stdio: 'ignore' });
    await until('Redis', () => canConnect(this.port));
  }

  /** Sends one command past everybody; the raw reply. */
  command(...words: readonly string[]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    const text = words.map((word) => `$${Buffer.byteLength(word).toString()}\r\n${word}\r\n`).join('');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (reply) => {
        socket.destroy();
        resolve(reply.toString('utf8'));
      });
      socket.write(`*${words.length.toString()}\r\n${text}`);
    });
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function canConnect(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(undefined);
    });
  });
}

/** An edge's end of the inner connection: requests go out, answers come back in any order. */
export class InnerPeer {
  readonly #waiting = new Map<string, (answer: SipResponse) => void>();
  readonly #framer = new StreamFramer({ maxHeaderBytes: 65_536, maxBodyBytes: 65_536 });
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => {
      for (const event of this.#framer.push(chunk)) {
        const parsed = event.kind === 'message' ? parseMessage(event.raw) : undefined;
        if (parsed?.ok === true && parsed.value.kind === 'response') this.#answered(parsed.value);
      }
    });
    this.#socket.on('error', () => undefined);
  }

  /** `text` has a branch of its own. */
  send(text: string): Promise<SipResponse> {
    const branch = /branch=([^;\s]+)/.exec(text)?.[1] ?? '';
    return new Promise((resolve) => {
      this.#waiting.set(branch, resolve);
      this.#socket.write(text, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #answered(answer: SipResponse): void {
    const via = answer.topVia();
    const branch = via.ok ? (via.value.branch ?? '') : '';
    this.#waiting.get(branch)?.(answer);
    this.#waiting.delete(branch);
  }
}
