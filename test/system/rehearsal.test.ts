import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, test } from 'vitest';
import { eventually, freePortBase, readMetrics, ROOT } from '@rollcall/testkit';

const SERVICES = ['edge', 'registrar', 'presence'] as const;
type Service = (typeof SERVICES)[number];

/** A service as a process, with a Redis that is nowhere. */
class Lonely {
  out = '';
  readonly ended: Promise<number | null>;

  private constructor(
    readonly child: ChildProcess,
    readonly base: number,
    readonly http: number,
  ) {
    child.stdout?.on('data', (data: Buffer) => (this.out += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (this.out += data.toString()));
    this.ended = new Promise((resolve) => child.on('close', resolve));
  }

  static async start(service: Service, rehearsalMs: number): Promise<Lonely> {
    const base = await freePortBase();
    const sip = {
      ROLLCALL_EDGE_ID: 'rehearsing',
      ROLLCALL_SIP_UDP: `127.0.0.1:${base}`,
      ROLLCALL_SIP_TCP: `127.0.0.1:${base}`,
      ROLLCALL_REGISTRARS: `127.0.0.1:${base + 8}`,
      ROLLCALL_PRESENCES: `127.0.0.1:${base + 9}`,
    };
    const child = spawn(process.execPath, [join(ROOT, 'services', service, 'dist', 'main.js')], {
      env: {
        PATH: process.env['PATH'] ?? '',
        OTEL_TRACES_EXPORTER: 'none',
        ROLLCALL_REDIS_URL: `redis://127.0.0.1:${base + 1}`,
        ROLLCALL_SECRET: 'a secret that is long enough for a rehearsal',
        ROLLCALL_HTTP_HOST: '127.0.0.1',
        ROLLCALL_HTTP_PORT: String(base + 2),
        ROLLCALL_INNER_HOST: '127.0.0.1',
        ROLLCALL_INNER_PORT: String(base + 3),
        ROLLCALL_REHEARSAL_MS: String(rehearsalMs),
        ...(service === 'edge' ? sip : {}),
      },
    });
    children.push(child);
    return new Lonely(child, base, base + 2);
  }

  /** Messages of the log in their order. */
  get said(): string[] {
    return [...this.out.matchAll(/"msg":"([^"]*)"/g)].map(([, message]) => message ?? '');
  }

  async readiness(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.http}/readyz`).catch(() => undefined);
    return answer === undefined ? '' : `${answer.status} ${await answer.text()}`;
  }

  async ready(): Promise<void> {
    await eventually(`ready: ${this.out}`, () => this.said.includes('ready'), 20_000);
  }

  /** Sockets of the process. */
  sockets(): number {
    const folder = `/proc/${String(this.child.pid)}/fd`;
    return readdirSync(folder).filter((fd) => {
      try {
        return readlinkSync(join(folder, fd)).startsWith('socket:');
      } catch {
        return false;
      }
    }).length;
  }

  stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe.each(SERVICES)('O03 the rehearsal of %s', (service) => {
  it('O03 comes before readiness, needs no store, and leaves nothing in the metrics', async () => {
    const lonely = await Lonely.start(service, 1_500);
    await eventually('it says what it waits for', async () =>
      (await lonely.readiness()).includes('"rehearsing"'),
    );
    await lonely.ready();
    expect(lonely.said.filter((message) => message !== 'configured' && !message.includes('lease'))).toEqual([
      'the store is away, requests get 503',
      'rehearsed',
      'ready',
    ]);
    expect(Number(/"exchanges":(\d+)/.exec(lonely.out)?.[1])).toBeGreaterThan(50);
    expect(await lonely.readiness()).toContain('the store is away');
    const scrape = await fetch(`http://127.0.0.1:${lonely.http}/metrics`);
    const samples = readMetrics(await scrape.text()).all.filter(({ name }) => TRAFFIC.test(name));
    expect(samples.length).toBeGreaterThan(5);
    expect(samples.filter(({ value }) => value > 0)).toEqual([]);
    expect(await lonely.stop()).toBe(0);
  });

  it.runIf(process.platform === 'linux')('O03 closes what it has opened', async () => {
    const plain = await Lonely.start(service, 0);
    await plain.ready();
    const after = await Lonely.start(service, 500);
    await eventually('it rehearses on sockets', () => after.sockets() > plain.sockets() + 2);
    await after.ready();
    // One that is opened now and then looks for the Redis.
    await eventually('all others are closed', () => after.sockets() <= plain.sockets());
    expect(after.said).toContain('rehearsed');
  });

  it('O03 does not hold up a stop', async () => {
    const lonely = await Lonely.start(service, 30_000);
    await eventually('it rehearses', async () => (await lonely.readiness()).includes('"rehearsing"'));
    const told = performance.now();
    expect(await lonely.stop()).toBe(0);
    expect(performance.now() - told).toBeLessThan(10_000);
    expect(lonely.said.slice(-2)).toEqual(['stopping', 'stopped']);
    expect(lonely.said).not.toContain('ready');
  });
});

test('O03 an edge that starts along with the others lets phones in when it can serve them', async () => {
  const edge = await Lonely.start('edge', 5_000);
  await eventually('it has rehearsed', () => edge.said.includes('rehearsed'), 20_000);
  const answers = 'SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n';
  const open = async (port: number): Promise<Server> => {
    const server = createServer((socket) => socket.on('error', () => undefined).write(answers));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return server;
  };
  const registrar = await open(edge.base + 8);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(edge.said).not.toContain('ready');
  const presence = await open(edge.base + 9);
  const opened = performance.now();
  await edge.ready();
  expect(performance.now() - opened).toBeLessThan(8_000);
  registrar.close();
  presence.close();
});

/** What only messages move. */
const TRAFFIC = /^rollcall_(?!store_|http_|log_).*_(?:total|count)$/;
