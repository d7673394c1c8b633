import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_PATIENCE_MS = 20_000;
const POLL_MS = 20;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Redis server of a test's own: a process that is ended and begun again on the same port, with a directory that goes with it. */
export class RedisProcess {
  static readonly #made = new Set<RedisProcess>();
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly directory: string,
    private readonly settings: readonly string[],
    private readonly configFile: readonly string[],
  ) {}

  /**
   * Takes a port and a directory; nothing runs before `begin`. `settings` go on the command line: `['--appendonly', 'yes']`, without
   * which a kill loses everything; `writeConfig` may put a configuration file into the directory and gives its path.
   */
  static async make(
    settings: readonly string[] = [],
    writeConfig?: (directory: string) => Promise<string>,
  ): Promise<RedisProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'rollcall-redis-'));
    const file = writeConfig === undefined ? [] : [await writeConfig(directory)];
    const server = new RedisProcess(await freePort(), directory, settings, file);
    RedisProcess.#made.add(server);
    return server;
  }

  /** The same, running. */
  static async start(...how: Parameters<typeof RedisProcess.make>): Promise<RedisProcess> {
    const server = await RedisProcess.make(...how);
    await server.begin();
    return server;
  }

  /** Ends whatever a test that failed in the middle left behind. */
  static async stopAll(): Promise<void> {
    await Promise.all([...RedisProcess.#made].map((server) => server.stop()));
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the process, on the same port and directory as before; resolves when it answers. */
  async begin(): Promise<void> {
    const program = process.env['ROLLCALL_REDIS_SERVER'] ?? 'redis-server';
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.directory];
    const save = this.settings.includes('--sentinel') ? [] : ['--save', ''];
    const child = spawn(program, [...this.configFile, ...place, ...save, ...this.settings], {
      stdio: 'ignore',
    });
    this.#child = child;
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    let failure: unknown;
    child.once('error', (error) => (failure = error));
    const deadline = performance.now() + START_PATIENCE_MS;
    while (!(await this.command('PING').catch(() => '')).startsWith('+PONG')) {
      if (failure !== undefined || child.exitCode !== null) {
        throw new Error(`${program} did not start`, { cause: failure });
      }
      if (performance.now() > deadline) {
        throw new Error(`${program} on port ${String(this.port)} does not answer`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Ends the process at once; what it had not written is lost. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
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
    RedisProcess.#made.delete(this);
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Sends one command past everybody; the first octets of the raw reply. */
  command(...words: readonly string[]): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    const text = words.map((word) => `$${String(Buffer.byteLength(word))}\r\n${word}\r\n`).join('');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('data', (reply) => {
        socket.destroy();
        resolve(reply.toString('utf8'));
      });
      socket.write(`*${String(words.length)}\r\n${text}`);
    });
  }
}
