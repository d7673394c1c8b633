import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePortBase, ROOT } from '@rollcall/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { ok } from './support.ts';

interface Ready {
  readonly ready: boolean;
  readonly sip: readonly {
    readonly transport: 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';
    readonly host: string;
    readonly port: number;
  }[];
  readonly admin: { readonly url: string; readonly token: string };
  readonly domain: string;
  readonly redis: string;
}

const SERVICES = ['edge', 'registrar', 'presence', 'admin'] as const;
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
});

/** A checkout without node_modules, build or caches, as `git clone` leaves it; packages are linked to save the download. */
function checkout(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rollcall-clone-'));
  const git = spawnSync('git', ['rev-parse'], { cwd: ROOT }).status === 0;
  const made = ['node_modules', 'dist', '.git', '.nx', '.cache', '.bench', '.rollcall'].map(
    (name) => `--exclude=${name}`,
  );
  const list = git ? 'git ls-files -z | tar --null -T - -cf -' : `tar ${made.join(' ')} -cf - .`;
  const copied = spawnSync('sh', ['-c', `${list} | tar -xf - -C "${folder}"`], { cwd: ROOT });
  if (copied.status !== 0) throw new Error('the copy of the checkout failed');
  return folder;
}

interface Started {
  readonly child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  readonly ended: Promise<number | null>;
}

function npmStart(cwd: string, args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd,
    env: { ...process.env, REDIS_URL: '', ROLLCALL_REHEARSAL_MS: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that a Ctrl-C can be sent as a terminal sends it.
    detached: true,
  });
  children.push(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

const readyLine = (started: Started): Promise<Ready> =>
  eventually(
    'the ready line',
    () => {
      if (started.child.exitCode !== null) throw new Error(`npm start ended: ${started.stderr()}`);
      return started.stdout().includes('\n') && (JSON.parse(started.stdout()) as Ready);
    },
    240_000,
  );

/** Processes whose command line names this folder. */
const processesOf = (folder: string): string =>
  spawnSync('sh', ['-c', `ps -eo pid,args | grep -F "${folder}" | grep -v grep || true`], {
    encoding: 'utf8',
  }).stdout.trim();

describe('O01 npm start', () => {
  it(
    'O01 on a fresh clone: installs, builds, runs all services; a phone registers; Ctrl-C leaves no process',
    { timeout: 400_000 },
    async () => {
      const folder = checkout();
      try {
        const portBase = await freePortBase();
        const started = npmStart(folder, [
          '--json',
          '--port-base',
          String(portBase),
          '--users',
          '20',
          '--replicas',
          'edge=2,registrar=2',
        ]);
        const ready = await readyLine(started);
        expect(started.stdout().trim().split('\n')).toHaveLength(1);
        expect(ready.ready).toBe(true);
        expect(ready.domain).toBe('example.test');
        expect(ready.sip.filter((one) => one.port === portBase).map((one) => one.transport)).toEqual([
          'udp',
          'tcp',
        ]);
        const transports = ['tcp', 'tls', 'udp', 'ws', 'wss'];
        expect(ready.sip.map((one) => one.transport).sort()).toEqual([...transports, ...transports].sort());
        const { Phone, AdminClient } = await import('@rollcall/testkit');
        for (const address of ready.sip) {
          const { transport } = address;
          if (transport !== 'udp' && transport !== 'tcp') continue;
          const phone = await Phone.open({
            transport,
            server: address,
            domain: ready.domain,
            user: 'u00020',
            password: 'pass-u00020',
          });
          await ok(phone.register(600));
          phone.close();
        }
        const admin = new AdminClient(ready.admin.url, ready.admin.token);
        expect(await admin.bindings('sip:u00020@example.test')).toHaveLength(4);
        const at = Date.now();
        process.kill(-(started.child.pid ?? 0), 'SIGINT');
        // npm itself ends by the signal.
        expect([0, null]).toContain(await started.ended);
        expect(Date.now() - at).toBeLessThan(10_000);
        await eventually('no process is left', () => processesOf(folder) === '', 10_000);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it(
    'O01 prints addresses, accounts, URLs and what to try; kill -9 of the whole leaves no process',
    { timeout: 120_000 },
    async () => {
      const portBase = await freePortBase();
      const started = npmStart(ROOT, ['--port-base', String(portBase)]);
      await eventually('the welcome', () => started.stdout().includes('Ctrl-C stops'), 90_000);
      const text = started.stdout();
      for (const wanted of [
        `127.0.0.1:${portBase}`,
        'alice / alice-secret',
        'bob / bob-secret',
        '/v1/',
        'baresip',
        'sipsak',
        'curl',
      ]) {
        expect(text).toContain(wanted);
      }
      started.child.kill('SIGKILL');
      const mark = `:${portBase}`;
      await eventually(
        'no process is left',
        () =>
          !spawnSync('sh', ['-c', 'ps -eo args; ss -ltnH'], { encoding: 'utf8' }).stdout.includes(`${mark} `),
        20_000,
      );
    },
  );

  it(
    'O01 --demo plays the ladder: REGISTER, 401, REGISTER, 200, SUBSCRIBE … NOTIFY',
    { timeout: 120_000 },
    async () => {
      const portBase = await freePortBase();
      const started = npmStart(ROOT, ['--demo', '--port-base', String(portBase)]);
      expect(await started.ended).toBe(0);
      const steps =
        started.stdout().match(/REGISTER \(|\bREGISTER -|40[17]|200 OK|SUBSCRIBE \(|NOTIFY \(/g) ?? [];
      const order = steps.map((step) => /[A-Z]+|\d+/.exec(step)?.[0]);
      const wanted = ['REGISTER', '401', 'REGISTER', '200', 'SUBSCRIBE', '401', 'SUBSCRIBE', '200', 'NOTIFY'];
      expect(order.slice(0, wanted.length)).toEqual(wanted);
      expect(order.filter((step) => step === 'NOTIFY')).toHaveLength(3);
    },
  );

  it('a busy port is one clear line that names it, exit code 1', { timeout: 120_000 }, async () => {
    const portBase = await freePortBase();
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(portBase, '127.0.0.1', resolve));
    const started = npmStart(ROOT, ['--json', '--port-base', String(portBase)]);
    expect(await started.ended).toBe(1);
    socket.close();
    const said = started
      .stderr()
      .split('\n')
      .filter((line) => line.includes('busy'));
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`port ${portBase}/udp`);
    expect(started.stdout()).toBe('');
  });

  it('a Redis that is not there is one clear line, exit code 1', { timeout: 120_000 }, async () => {
    const portBase = await freePortBase();
    const started = npmStart(ROOT, [
      '--port-base',
      String(portBase),
      '--redis',
      `redis://127.0.0.1:${portBase + 30}`,
    ]);
    expect(await started.ended).toBe(1);
    expect(
      started
        .stderr()
        .split('\n')
        .filter((line) => line.includes(`no Redis answers at 127.0.0.1:${portBase + 30}`)),
    ).toHaveLength(1);
  });

  it('a wrong flag is one clear line that names it', { timeout: 60_000 }, async () => {
    const started = npmStart(ROOT, ['--replicas', 'edge=many']);
    expect(await started.ended).toBe(64);
    expect(started.stderr()).toContain('--replicas: "edge=many"');
  });
});

/** Runs one built service with this environment until it ends. */
function runService(name: string, env: Record<string, string>, timeout = 15_000) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('ROLLCALL_')),
  );
  return spawnSync(process.execPath, [join(ROOT, 'services', name, 'dist', 'main.js')], {
    env: { ...clean, OTEL_TRACES_EXPORTER: 'none', ...env },
    encoding: 'utf8',
    timeout,
  });
}

describe('O02 npm test', () => {
  it('O02 names what is missing in one line where it may not install', () => {
    const bare = mkdtempSync(join(tmpdir(), 'rollcall-path-'));
    const ended = spawnSync(process.execPath, [join(ROOT, 'test', 'run.mjs'), '--tools'], {
      env: { PATH: bare },
      encoding: 'utf8',
    });
    rmSync(bare, { recursive: true });
    expect(ended.status).toBe(1);
    const said = ended.stdout.split('\n').filter((line) => line.includes('apt-get install'));
    expect(said).toHaveLength(1);
    for (const name of ['redis-server', 'sip-tester', 'sipsak', 'baresip']) expect(said[0]).toContain(name);
  });

  it('O02 everything that the tests call is there now', () => {
    const ended = spawnSync(process.execPath, [join(ROOT, 'test', 'run.mjs'), '--tools'], {
      encoding: 'utf8',
    });
    expect(ended.stdout).toBe('');
    expect(ended.status).toBe(0);
  });
});

describe('O06 wrong configuration', () => {
  it.each(SERVICES)('O06 %s: one line that names the key, exit code 78', (name) => {
    const ended = runService(name, {
      ROLLCALL_ADMIN_TOKEN: 'a-token-of-some-length',
      ROLLCALL_HTTP_PORT: 'abc',
    });
    expect(ended.status).toBe(78);
    const lines = (ended.stderr + ended.stdout).trim().split('\n');
    expect(lines.filter((line) => line.includes('ROLLCALL_HTTP_PORT'))).toHaveLength(1);
    expect(ended.stderr).toContain(`rollcall-${name}: ROLLCALL_HTTP_PORT: "abc"`);
    expect(ended.stderr).not.toContain('    at ');
  });
});

describe('a busy port', () => {
  it.each(SERVICES)('%s: one clear line that names the port, exit code 1', async (name) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const base = await freePortBase();
    const ended = spawn(process.execPath, [join(ROOT, 'services', name, 'dist', 'main.js')], {
      env: {
        PATH: process.env['PATH'] ?? '',
        OTEL_TRACES_EXPORTER: 'none',
        ROLLCALL_REDIS_URL: `redis://127.0.0.1:${base + 1}`,
        ROLLCALL_SECRET: 'a secret that is long enough for a test of ports',
        ROLLCALL_HTTP_HOST: '127.0.0.1',
        ROLLCALL_HTTP_PORT: String(port),
        ROLLCALL_INNER_HOST: '127.0.0.1',
        ROLLCALL_INNER_PORT: String(base + 2),
        ...(name === 'edge'
          ? {
              ROLLCALL_SIP_UDP: `127.0.0.1:${base}`,
              ROLLCALL_SIP_TCP: `127.0.0.1:${base}`,
              ROLLCALL_EDGE_ID: 'edge-1',
              ROLLCALL_REGISTRARS: `127.0.0.1:${base + 3}`,
              ROLLCALL_PRESENCES: `127.0.0.1:${base + 4}`,
            }
          : {}),
        ...(name === 'admin'
          ? {
              ROLLCALL_ADMIN_HOST: '127.0.0.1',
              ROLLCALL_ADMIN_PORT: String(base + 5),
              ROLLCALL_ADMIN_TOKEN: 'a-token-of-some-length',
            }
          : {}),
      },
    });
    children.push(ended);
    let text = '';
    ended.stderr.on('data', (data: Buffer) => (text += data.toString()));
    ended.stdout.on('data', (data: Buffer) => (text += data.toString()));
    const code = await new Promise((resolve) => ended.on('close', resolve));
    server.close();
    expect(code).toBe(1);
    expect(text).toContain(String(port));
    expect(text).not.toContain('    at ');
  });
});
