import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRedis } from '@rollcall/local';
import {
  ALICE,
  eventually,
  freePortBase,
  redisForTests,
  ROOT,
  Subscription,
  TestSystem,
} from '@rollcall/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { ok, TRANSPORTS } from './support.ts';

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
});

/** Warnings and errors of a log that are about the store. */
function storeLines(log: string): string[] {
  return log.split('\n').filter((line) => /redis|the store/i.test(line) && /"level":[45]0/.test(line));
}

describe('health, metrics and Redis', () => {
  it('O03 each service answers /healthz, /readyz and /metrics; liveness does not depend on Redis, readiness does', async () => {
    const system = await TestSystem.start();
    try {
      const status = async (name: string, path: string) => (await fetch(system.opsUrl(name, path))).status;
      const names = system.system.services.map((one) => one.planned.name);
      for (const name of names) {
        expect([name, await status(name, '/healthz'), await status(name, '/readyz')]).toEqual([
          name,
          200,
          200,
        ]);
        const metrics = await fetch(system.opsUrl(name, '/metrics'));
        expect(metrics.headers.get('content-type')).toContain('text/plain');
        expect((await system.metrics(name)).sum('process_resident_memory_bytes')).toBeGreaterThan(0);
      }
      await system.redis?.stop();
      for (const name of names) {
        await eventually(`${name} is unready`, async () => (await status(name, '/readyz')) === 503, 15_000);
        expect([name, await status(name, '/healthz')]).toEqual([name, 200]);
      }
    } finally {
      await system.stop();
    }
  });

  it('a Redis that goes away and comes back: 503 with Retry-After meanwhile, one line each, no crash, then all works', async () => {
    const system = await TestSystem.start();
    try {
      const phone = await system.phone(ALICE);
      await ok(phone.register(600));
      await system.redis?.stop();
      const answer = await eventually(
        'a 503',
        async () => {
          const response = await phone.register(600);
          return response.status === 503 ? response : undefined;
        },
        15_000,
      );
      expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
      await sleep(1500);
      const redis = await startRedis(redisForTests(), {
        port: system.redis?.port ?? 0,
        folder: join(system.folder, 'redis'),
      });
      for (const service of system.system.services) await system.waitReady(service.planned.name, 15_000);
      const back = await eventually(
        'served again',
        async () => {
          const response = await phone.register(600);
          return response.status === 200 ? response : undefined;
        },
        10_000,
      );
      expect(back.headers('contact').length).toBe(1);
      for (const service of system.system.services) {
        expect(service.process.exited).toBe(false);
        const about = storeLines(system.log(service.planned.name));
        expect(
          about.length,
          `${service.planned.name} says it once:\n${about.join('\n')}`,
        ).toBeLessThanOrEqual(2);
        expect(about.length).toBeGreaterThanOrEqual(1);
      }
      await redis.stop();
    } finally {
      await system.stop();
    }
  });

  it('a Redis that is not there at start: the service says so once, stays alive and unready', async () => {
    const base = await freePortBase();
    const child = spawn(process.execPath, [join(ROOT, 'services', 'registrar', 'dist', 'main.js')], {
      env: {
        PATH: process.env['PATH'] ?? '',
        OTEL_TRACES_EXPORTER: 'none',
        ROLLCALL_REDIS_URL: `redis://127.0.0.1:${base + 1}`,
        ROLLCALL_SECRET: 'a secret that is long enough for a test of Redis',
        ROLLCALL_HTTP_HOST: '127.0.0.1',
        ROLLCALL_HTTP_PORT: String(base + 2),
        ROLLCALL_INNER_HOST: '127.0.0.1',
        ROLLCALL_INNER_PORT: String(base + 3),
      },
    });
    children.push(child);
    let text = '';
    child.stdout.on('data', (data: Buffer) => (text += data.toString()));
    child.stderr.on('data', (data: Buffer) => (text += data.toString()));
    const status = async (path: string) =>
      (await fetch(`http://127.0.0.1:${base + 2}${path}`).catch(() => undefined))?.status;
    await eventually('alive', async () => (await status('/healthz')) === 200, 15_000);
    expect(await status('/readyz')).toBe(503);
    await sleep(3000);
    expect(storeLines(text)).toHaveLength(1);
    const redis = await startRedis(redisForTests(), {
      port: base + 1,
      folder: mkdtempSync(join(tmpdir(), 'rollcall-redis-')),
    });
    await eventually('ready', async () => (await status('/readyz')) === 200, 15_000);
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await redis.stop();
  });
});

describe('O04 one trace', () => {
  it.each(TRANSPORTS)(
    'O04 over %s: one trace id from the REGISTER over the registrar and the commit to the NOTIFY',
    async (transport) => {
      const system = await TestSystem.start({ env: { all: { OTEL_TRACES_EXPORTER: 'console' } } });
      try {
        const phone = await system.phone(ALICE, { transport });
        const subscription = new Subscription(phone, { event: 'reg' });
        await ok(subscription.send(600));
        await subscription.nextNotify();
        await ok(phone.register(600));
        await subscription.nextNotify();
        const trace = await eventually(
          'a trace over three services',
          () => {
            const spans = system.spans();
            const ids = new Set(spans.map((span) => span.traceId));
            for (const id of ids) {
              const mine = spans.filter((span) => span.traceId === id);
              const kinds = new Set(mine.map((span) => span.service.replace('rollcall-', '')));
              if (
                ['edge', 'registrar', 'presence'].every((kind) => kinds.has(kind)) &&
                mine.some((span) => span.name === 'sip.edge.deliver')
              ) {
                return mine;
              }
            }
            return undefined;
          },
          15_000,
        );
        for (const name of ['sip.edge.request', 'sip.registrar.request', 'sip.edge.deliver']) {
          expect(trace.map((span) => span.name)).toContain(name);
        }
        const commit = trace.find(
          (span) => span.service === 'rollcall-registrar' && span.name === 'redis.command',
        );
        expect(commit?.attributes['db.operation.name']).toContain('commit');
        expect(trace.some((span) => span.attributes['sip.request.method'] === 'REGISTER')).toBe(true);
        const known = new Set(trace.map((span) => span.id));
        const roots = trace.filter((span) => span.parentId === undefined || !known.has(span.parentId));
        expect(roots).toHaveLength(1);
      } finally {
        await system.stop();
      }
    },
  );
});
