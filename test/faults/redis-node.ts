import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answersPing, spawnTied, type RedisServer, type TiedProcess } from '@rollcall/local';
import { eventually, redisForTests } from '@rollcall/testkit';
import { redisCall } from './redis-wire.ts';

const HOST = '127.0.0.1';
const PATIENCE_MS = 60_000;
const DOWN_AFTER_MS = 1000;
const FAILOVER_TIMEOUT_MS = 3000;

/** One redis-server process that can be killed and started again on its port and folder. */
export class Node {
  process: TiedProcess | undefined;

  constructor(
    private readonly server: RedisServer,
    readonly port: number,
    private readonly folder: string,
    private readonly settings: readonly string[],
  ) {}

  async start(more: readonly string[] = []): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    const args = ['--port', String(this.port), '--bind', HOST, '--dir', this.folder, '--daemonize', 'no'];
    const quiet = ['--save', '', '--loglevel', 'notice'];
    this.process = spawnTied(this.server.path, [...args, ...quiet, ...this.settings, ...more], {
      name: `redis-${this.port}`,
      env: {},
      logFile: join(this.folder, 'log'),
    });
    await eventually(`Redis on port ${this.port}`, () => answersPing(HOST, this.port), PATIENCE_MS);
  }

  async kill(): Promise<void> {
    this.process?.kill('SIGKILL');
    await this.process?.ended;
  }

  call(...args: readonly string[]): ReturnType<typeof redisCall> {
    return redisCall(this.port, ...args);
  }

  async info(part: string): Promise<string> {
    return String(await this.call('INFO', part).catch(() => ''));
  }

  /** A primary that sees a replica which follows it. */
  async hasReplica(): Promise<boolean> {
    const info = await this.info('replication');
    return info.includes('role:master') && /state=online,offset=\d+,lag=[01]\b/.test(info);
  }

  async stop(): Promise<void> {
    this.process?.kill('SIGCONT');
    this.process?.kill('SIGKILL');
    await this.process?.ended;
  }
}

export interface SentinelOptions {
  readonly port: number;
  readonly folder: string;
  /** Of the primary, as clients ask for it. */
  readonly name: string;
  /** Where the Sentinel finds the primary, and tells clients that it is. */
  readonly primaryPort: number;
}

/** One Sentinel that decides alone. */
export async function startSentinel({ port, folder, name, primaryPort }: SentinelOptions): Promise<Node> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'sentinel.conf');
  writeFileSync(file, `port ${port}\nsentinel monitor ${name} ${HOST} ${primaryPort} 1\n`);
  appendFileSync(file, `sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MS}\n`);
  appendFileSync(file, `sentinel failover-timeout ${name} ${FAILOVER_TIMEOUT_MS}\n`);
  const process = spawnTied(redisForTests().path, [file, '--sentinel'], {
    name: 'sentinel',
    env: {},
    logFile: join(folder, 'log'),
  });
  const node = new Node(redisForTests(), port, folder, []);
  node.process = process;
  await eventually('Sentinel', () => answersPing(HOST, port), PATIENCE_MS);
  return node;
}
