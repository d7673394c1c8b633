import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnTied, type TiedProcess } from '../process.ts';
import type { RedisServer } from './find.ts';

/** A Redis of our own: started by us, in a folder of ours, stopped by us. */
export interface RedisInstance {
  readonly url: string;
  readonly port: number;
  readonly process: TiedProcess;
  /** Lets Redis write its file and exit. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 15_000;
const POLL_MS = 30;

export interface RedisOptions {
  readonly port: number;
  readonly folder: string;
  readonly logFile?: string;
}

/** Starts a Redis that syncs its append-only file once a second. Rejects when it does not answer in time. */
export async function startRedis(server: RedisServer, options: RedisOptions): Promise<RedisInstance> {
  mkdirSync(options.folder, { recursive: true });
  const port = String(options.port);
  const args =
    server.from === 'javascript'
      ? ['--port', port]
      : [
          ...['--port', port, '--bind', '127.0.0.1', '--dir', options.folder, '--daemonize', 'no'],
          ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--loglevel', 'warning'],
        ];
  const child = spawnTied(server.path, args, { name: 'redis', env: {}, logFile: options.logFile });
  const instance: RedisInstance = {
    url: `redis://127.0.0.1:${port}`,
    port: options.port,
    process: child,
    stop: () => child.stop(),
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await answersPing('127.0.0.1', options.port))) {
    if (child.exited) throw new Error(`redis-server ended at start: ${child.lastLines(3) || 'no output'}`);
    if (Date.now() > deadline) {
      await child.stop();
      throw new Error(`redis-server did not answer on port ${port} within ${START_TIMEOUT_MS / 1000} s`);
    }
    await sleep(POLL_MS);
  }
  return instance;
}

/** True when something at this address answers PING as Redis does. */
export function answersPing(host: string, port: number, timeoutMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('connect', () => socket.write('PING\r\n'));
    // A server that wants a password or loads its file answers too; that it is Redis is what matters here.
    socket.on('data', (data) => finish(/^(\+PONG|-NOAUTH)/.test(data.toString('latin1'))));
    socket.on('close', () => resolve(false));
  });
}
