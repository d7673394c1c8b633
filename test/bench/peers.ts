import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, Transport } from './options.ts';
import { processTree } from './processes.ts';
import { BenchRedis } from './redis.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = resolve(here, '../..');
const REDIS_PORT = 16391;

interface PeerKind {
  readonly port: number;
  readonly redis: boolean;
  command(redis: BenchRedis | undefined, options: BenchOptions, work: string): readonly string[];
  readonly readySeconds: number;
  /** What stands in its output when all of it is ready; without it an answer to OPTIONS has to do. */
  readonly readyWord?: string;
}

const KAMAILIO_PORT = 15061;
const ROLLCALL_PORT = 15600;

/** Kamailio with its fast memory manager, which is several times faster than its default. */
function kamailio(config: string, workers: number, redis: boolean): PeerKind {
  return {
    port: KAMAILIO_PORT,
    redis,
    readySeconds: 20,
    command: (server, _options, work) => {
      const dir = `${work}/kamailio`;
      mkdirSync(dir, { recursive: true });
      const listen = (transport: string): string[] => [
        '-l',
        `${transport}:127.0.0.1:${String(KAMAILIO_PORT)}`,
      ];
      const define = (name: string, value: string): string[] => ['-A', `${name}="${value}"`];
      return [
        'kamailio', '-x', 'fm', '-X', 'fm', '-b', '4194304', '-DD', '-E', '-f', `${here}kamailio/${config}.cfg`,
        '-m', '4096', '-M', '64', '-n', String(workers), '-N', String(workers), ...listen('udp'), ...listen('tcp'),
        '-P', `${dir}/pid`, '-Y', dir, '-w', dir,
        ...define('CTLSOCK', `unix:${dir}/ctl`), ...define('TEXTDB', `text://${dir}/dbtext`),
        ...define('DBURL', `${server?.url ?? 'redis://127.0.0.1:1'}/0`), ...define('PRESADDR', `sip:127.0.0.1:${String(KAMAILIO_PORT)}`),
      ]; // prettier-ignore
    },
  };
}

const PEERS: Readonly<Record<string, PeerKind>> = {
  'kamailio-digest': kamailio('mem-digest', 4, false),
  'kamailio-redis-wt': kamailio('redis-wt', 8, true),
  'kamailio-redis-dbonly': kamailio('redis-dbonly', 16, true),
  rollcall: {
    port: ROLLCALL_PORT,
    redis: true,
    readySeconds: 300,
    // An edge may answer before the registrar has rehearsed.
    readyWord: '"ready":true',
    command: (server, options) => [
      'npm', '--prefix', root, 'start', '--', '--json', '--port-base', String(ROLLCALL_PORT), '--node', options.node,
      '--users', String(Math.max(options.users, options.memory)), '--redis', server?.url ?? '',
    ], // prettier-ignore
  },
};

export const peerNames = Object.keys(PEERS);

/** The other transports of Rollcall lie above its port, as `npm start` says; Kamailio is set up for these two here. */
const PORT_OFFSETS: Readonly<Record<Transport, number>> = { udp: 0, tcp: 0, tls: 1, ws: 2, wss: 3 };

/** True for a peer that can be measured over a transport. */
export const serves = (name: string, transport: Transport): boolean =>
  name === 'rollcall' || PORT_OFFSETS[transport] === 0;

/** True when something answers an OPTIONS on the port. */
async function answers(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const tag = Math.random().toString(36).slice(2);
  try {
    await new Promise<void>((done) => {
      socket.bind(0, '127.0.0.1', done);
    });
    const own = socket.address().port;
    const request =
      `OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${String(own)};branch=z9hG4bK${tag};rport\r\nMax-Forwards: 70\r\n` +
      `From: <sip:probe@example.test>;tag=${tag}\r\nTo: <sip:example.test>\r\nCall-ID: ${tag}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`;
    const answered = new Promise<boolean>((done) => {
      socket.once('message', () => {
        done(true);
      });
      socket.once('error', () => {
        done(false);
      });
    });
    socket.send(request, port, '127.0.0.1');
    return await Promise.race([answered, sleep(300).then(() => false)]);
  } finally {
    socket.close();
  }
}

/** A Node that writes a V8 profile when it ends; the flags are not allowed in NODE_OPTIONS. */
function profilingNode(node: string, profile: string, work: string): string {
  const script = `${work}/node-profiling`;
  writeFileSync(script, `#!/bin/sh\nexec ${node} --cpu-prof --cpu-prof-dir=${resolve(profile)} "$@"\n`, {
    mode: 0o755,
  });
  return script;
}

/** A server under test: its process tree and its Redis, accounted apart. */
export class Peer {
  private constructor(
    readonly name: string,
    readonly port: number,
    private readonly child: ChildProcess,
    readonly redis: BenchRedis | undefined,
  ) {}

  static async start(name: string, options: BenchOptions, work: string, profile = ''): Promise<Peer> {
    const kind = PEERS[name];
    if (kind === undefined) throw new RangeError(`no peer "${name}"; there are ${peerNames.join(', ')}`);
    const redis = kind.redis ? await BenchRedis.start(work, REDIS_PORT) : undefined;
    if (name.startsWith('kamailio')) redis?.seedKamailioTables();
    const node = profile === '' ? options.node : profilingNode(options.node, profile, work);
    const [command = '', ...args] = kind.command(redis, { ...options, node }, work);
    const output = `${work}/${name}.log`;
    const log = openSync(output, 'w');
    const env = { ...process.env, OTEL_TRACES_EXPORTER: 'none' };
    const child = spawn(command, args, { stdio: ['ignore', log, log], env, detached: true });
    const peer = new Peer(name, kind.port, child, redis);
    const end = Date.now() + kind.readySeconds * 1000;
    const { readyWord } = kind;
    const isReady = (): boolean | Promise<boolean> =>
      readyWord === undefined ? answers(kind.port) : readFileSync(output, 'utf8').includes(readyWord);
    while (!(await isReady())) {
      await sleep(100);
      if (child.exitCode !== null || Date.now() > end) {
        await peer.stop();
        throw new Error(`${name} does not answer; see ${work}/${name}.log`);
      }
    }
    await sleep(500);
    return peer;
  }

  portOf(transport: Transport): number {
    return this.port + PORT_OFFSETS[transport];
  }

  pids(): number[] {
    return processTree(this.child.pid ?? 0);
  }

  async stop(): Promise<void> {
    const pids = this.pids();
    const ended = new Promise((done) => this.child.once('exit', done));
    if (this.child.exitCode === null) {
      process.kill(this.child.pid ?? 0, 'SIGTERM');
      await Promise.race([ended, sleep(10_000)]);
    }
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // ended by itself
      }
    }
    await this.redis?.stop();
    await sleep(300);
  }
}
