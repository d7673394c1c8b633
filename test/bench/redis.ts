import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A Redis of the bench's own, appendonly everysec, empty at start. */
export class BenchRedis {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(work: string, port: number): Promise<BenchRedis> {
    const dir = `${work}/redis-${String(port)}`;
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--appendonly', 'yes'];
    args.push('--appendfsync', 'everysec', '--save', '', '--loglevel', 'warning');
    const redis = new BenchRedis(spawn('redis-server', args, { stdio: 'ignore' }), port);
    for (let tries = 0; tries < 100; tries++) {
      await sleep(100);
      if (redis.cli('ping') === 'PONG') return redis;
    }
    throw new Error(`redis-server does not answer on port ${String(port)}`);
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  cli(...args: string[]): string {
    try {
      return execFileSync('redis-cli', ['-p', String(this.port), ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    } catch {
      return '';
    }
  }

  usedMemory(): number {
    return Number(/used_memory:(\d+)/.exec(this.cli('info', 'memory'))?.[1] ?? 0);
  }

  commands(): number {
    return Number(/total_commands_processed:(\d+)/.exec(this.cli('info', 'stats'))?.[1] ?? 0);
  }

  /** Kamailio's db_redis asks for the version of each table it uses. */
  seedKamailioTables(): void {
    const dir = '/usr/share/kamailio/db_redis/kamailio';
    const script = `for f in ${dir}/*; do t=$(basename $f); redis-cli -p ${String(this.port)} HSET version:entry::$t table_name $t table_version $(sed -n 2p $f); done`;
    execFileSync('sh', ['-c', script], { stdio: 'ignore' });
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGTERM');
    await Promise.race([ended, sleep(5000)]);
    this.child.kill('SIGKILL');
  }
}
