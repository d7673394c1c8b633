import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { eventually } from '@rollcall/testkit';
import { DockerfileParser, type Instruction } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEMAS, SERVICE_NAMES, listensOn, type ServiceName } from './services.ts';
import { ROOT, run } from './tools.ts';

const FILE = join(ROOT, 'deploy/docker/Dockerfile');
const text = readFileSync(FILE, 'utf8');
const dockerfile = DockerfileParser.parse(text);
const stages = stagesOf(dockerfile.getInstructions());
const last = [...stages.values()].at(-1) ?? [];

/** Instructions by stage; what stands before the first FROM is under the empty name. */
function stagesOf(instructions: readonly Instruction[]): Map<string, Instruction[]> {
  const found = new Map<string, Instruction[]>();
  let name = '';
  for (const instruction of instructions) {
    if (instruction.getKeyword() === 'FROM')
      name = / AS (\S+)$/i.exec(textOf(instruction))?.[1] ?? `stage ${String(found.size)}`;
    found.set(name, [...(found.get(name) ?? []), instruction]);
  }
  return found;
}

/** An instruction on one line, as written. */
function textOf(instruction: Instruction): string {
  const { start, end } = instruction.getRange();
  const lines = text.split('\n').slice(start.line, end.line + 1);
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .trim();
}

const ofKind = (kind: string, instructions = dockerfile.getInstructions()): Instruction[] =>
  instructions.filter((one) => one.getKeyword() === kind);

describe('O05 the Dockerfile', () => {
  it('is one that Docker reads without a warning', () => {
    expect(validate(text).map(({ message, range }) => [range.start.line + 1, message])).toEqual([]);
  });

  it('names stages and versions, and builds with Node 24', () => {
    const images = new Map(
      ofKind('ARG', stages.get('') ?? []).map((one) => textOf(one).slice(4).split('=') as [string, string]),
    );
    for (const from of ofKind('FROM')) {
      const [, image = ''] = /^FROM (\S+) AS \S+$/.exec(textOf(from)) ?? [];
      const named = image.replace(/^\$\{(\w+)\}$/, (_whole, name: string) => images.get(name) ?? '');
      if (!stages.has(named)) expect(named).toMatch(/^node:24-\w+-slim$/);
    }
  });

  it('copies from stages that exist and from paths that are in the context', () => {
    for (const copy of dockerfile.getCOPYs()) {
      const from = copy.getFromFlag()?.getValue() ?? undefined;
      const [source = ''] = copy.getArguments().map((argument) => argument.getValue());
      if (from !== undefined) expect(stages.has(from), textOf(copy)).toBe(true);
      else expect(existsSync(join(ROOT, source)), textOf(copy)).toBe(true);
    }
    expect(ofKind('ADD')).toEqual([]);
    // What the build runs must not be kept out of the context.
    const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n');
    for (const path of [
      'deploy/docker',
      'libs',
      'services',
      'deploy/local',
      'package-lock.json',
      'tsconfig.build.json',
    ])
      expect(ignored).not.toContain(path);
    for (const path of ['**/node_modules', '**/dist', '.git', '**/.env']) expect(ignored).toContain(path);
  });

  it('runs as nobody in particular, with a health check, and Node as process 1', () => {
    expect(ofKind('USER', last).map(textOf)).toEqual(['USER 1000:1000']);
    const order = last.map((one) => one.getKeyword());
    expect(order.indexOf('USER')).toBeGreaterThan(order.lastIndexOf('RUN'));
    expect(dockerfile.getENTRYPOINTs().map(textOf)).toEqual(['ENTRYPOINT ["node", "/app/main.mjs"]']);
    expect(ofKind('HEALTHCHECK', last)).toHaveLength(1);
    expect(ofKind('CMD')).toEqual([]);
  });

  it('leaves no build tool and no secret in the image', () => {
    const removed = ofKind('RUN', last).map(textOf).join('\n');
    for (const tool of ['npm', 'npx', 'corepack', 'yarn'])
      expect(removed).toContain(`/usr/local/bin/${tool}`);
    expect(removed).toContain('/usr/local/lib/node_modules');
    for (const setting of [...ofKind('ENV'), ...ofKind('ARG')])
      expect(textOf(setting)).not.toMatch(/SECRET|TOKEN|PASSWORD/);
    // A name that no service knows would end it with exit code 78.
    for (const setting of ofKind('ENV', last)) expect(textOf(setting)).not.toContain('ROLLCALL_');
    expect(text).not.toMatch(/apt-get|curl|wget|sudo/);
  });

  it('exposes the ports that services listen on unless they are told otherwise', () => {
    const exposed = ofKind('EXPOSE', last).flatMap((one) => textOf(one).split(' ').slice(1));
    const usual = SERVICE_NAMES.flatMap((name) => {
      const required = SCHEMAS[name].rows
        .filter((row) => row.required)
        .map((row) => [row.env, exampleOf(row.env)]);
      return listensOn(name, Object.fromEntries(required) as Record<string, string>);
    });
    expect(exposed.map((port) => port.split('/').reverse().join('/')).sort()).toEqual(
      [...new Set(usual)].sort(),
    );
  });

  it('asks for health where services answer unless they are told otherwise', () => {
    const check = readFileSync(join(ROOT, 'deploy/docker/healthcheck.mjs'), 'utf8');
    for (const name of ['ROLLCALL_HTTP_HOST', 'ROLLCALL_HTTP_PORT']) {
      const row = SCHEMAS.edge.rows.find(({ env }) => env === name);
      expect(check).toMatch(new RegExp(`${name}: \\w+ = '${row?.default ?? ''}'`));
    }
  });
});

function exampleOf(name: string): string {
  return /REGISTRARS|PRESENCES/.test(name) ? '127.0.0.1:9' : 'x'.repeat(32);
}

describe('O05 what the image holds', () => {
  let folder = '';
  const running: ChildProcess[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rollcall-image-'));
  });
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** The steps of the stage that prunes, run here on a copy of the built tree, with /app somewhere else. */
  function assemble(service: ServiceName): string {
    const source = join(folder, `src-${service}`);
    const app = join(folder, service);
    const left = new Set(['node_modules', 'test', 'src', 'bench', 'fixtures']);
    for (const name of ['package.json', 'package-lock.json', '.npmrc'])
      cpSync(join(ROOT, name), join(source, name));
    for (const place of ['libs', 'services', 'deploy/local', 'deploy/docker']) {
      const filter = (path: string): boolean => !left.has(basename(path));
      cpSync(join(ROOT, place), join(source, place), { recursive: true, filter });
    }
    for (const step of ofKind('RUN', stages.get('pruned'))) {
      const command = textOf(step)
        .replace(/^RUN (--mount=\S+ )*/, '')
        .replace(' /app', ` ${app}`);
      run('sh', ['-euc', command], {
        cwd: source,
        env: { ...process.env, SERVICE: service, npm_config_prefer_offline: 'true' },
      });
    }
    rmSync(source, { recursive: true, force: true });
    return app;
  }

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  it.each(SERVICE_NAMES)(
    'starts %s from a pruned install, is healthy without Redis, and ends on SIGTERM',
    async (service) => {
      const app = assemble(service);
      for (const tool of ['typescript', 'vitest', 'esbuild', 'nx'])
        expect(existsSync(join(app, 'node_modules', tool))).toBe(false);
      expect(readdirSync(join(app, 'services'))).toEqual([service]);
      for (const folder of ['src', 'test'])
        expect(existsSync(join(app, 'services', service, folder))).toBe(false);

      const port = await freePort();
      const env = {
        PATH: process.env['PATH'],
        NODE_ENV: 'production',
        ROLLCALL_HTTP_PORT: String(port),
        // Nobody listens there.
        ROLLCALL_REDIS_URL: 'redis://127.0.0.1:9',
        ...Object.fromEntries(
          SCHEMAS[service].rows.filter((row) => row.required).map((row) => [row.env, exampleOf(row.env)]),
        ),
        ...(service === 'edge' ? { ROLLCALL_SIP_UDP: '127.0.0.1:0', ROLLCALL_SIP_TCP: '127.0.0.1:0' } : {}),
        ...(service === 'admin' ? { ROLLCALL_ADMIN_PORT: '0' } : { ROLLCALL_INNER_PORT: '0' }),
      };
      const child = spawn(process.execPath, [join(app, 'main.mjs')], {
        cwd: app,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.push(child);
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const check = (): Promise<number> => {
        const asked = spawn(process.execPath, [join(app, 'healthcheck.mjs')], { env, stdio: 'ignore' });
        return once(asked, 'close').then(([code]) => code as number);
      };
      await eventually(
        'a healthy process',
        async () => {
          if (child.exitCode !== null) throw new Error(`it ended with ${String(child.exitCode)}: ${said}`);
          return (await check()) === 0;
        },
        30_000,
      );
      const ready = await fetch(`http://127.0.0.1:${String(port)}/readyz`);
      expect(ready.status).toBe(503);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      expect((await ended)[0]).toBe(0);
      expect(await check()).toBe(1);
    },
    120_000,
  );
});
