import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';

const START_PATIENCE_MS = 20_000;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis of the test's own: a process that is ended and begun again on the same port, with a directory that goes with it. */
export class OwnRedis {
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly settings: readonly string[],
  ) {}

  /** Takes a port and a directory; nothing runs before `begin`. Without `appendOnly` a kill loses everything. */
  static async make({ appendOnly }: { readonly appendOnly: boolean }): Promise<OwnRedis> {
    const directory = await mkdtemp(join(tmpdir(), 'rollcall-redis-'));
    return new OwnRedis(await freePort(), directory, ['--appendonly', appendOnly ? 'yes' : 'no']);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts the process; resolves when it answers. */
  async begin(): Promise<void> {
    const program = process.env['ROLLCALL_REDIS_SERVER'] ?? 'redis-server';
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory];
    const child = spawn(program, [...place, '--save', '', ...this.settings], { stdio: 'ignore' });
    this.#child = child;
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    let failure: unknown;
    child.once('error', (error) => (failure = error));
    const answers = async (): Promise<boolean> => {
      if (failure !== undefined || child.exitCode !== null) {
        throw new Error(`${program} did not start`, { cause: failure });
      }
      return (await this.command('PING').catch(() => '')).startsWith('+PONG');
    };
    await eventually(`${program} answers on port ${this.port}`, answers, START_PATIENCE_MS);
  }

  /** Ends the process at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends the process and removes its directory. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Sends one command past everybody; the first octets of the raw reply. */
  command(...words: readonly string[]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    const text = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (reply) => {
        socket.destroy();
        resolve(reply.toString('utf8'));
      });
      socket.write(`*${words.length}\r\n${text}`);
    });
  }
}
