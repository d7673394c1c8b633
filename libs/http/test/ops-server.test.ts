import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { OpsOptions, OpsServer } from '../src/index.ts';
import { AddressInUse, internalToken, startOpsServer } from '../src/index.ts';

let running: OpsServer | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function start(given: Partial<OpsOptions> = {}): Promise<string> {
  running = await startOpsServer({
    host: '127.0.0.1',
    port: 0,
    live: () => true,
    ready: () => ({ ok: true }),
    metrics: () => Promise.resolve('rollcall_up 1\n'),
    ...given,
  });
  return `http://127.0.0.1:${String(running.port)}`;
}

describe('O03 /healthz, /readyz, /metrics', () => {
  it('O03 liveness does not depend on the store, readiness does and says why', async () => {
    const base = await start({ ready: () => ({ ok: false, reason: 'no Redis' }) });
    const health = await fetch(`${base}/healthz`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    const ready = await fetch(`${base}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'unavailable', reason: 'no Redis' }]);
  });

  it('O03 readiness is asked anew each time', async () => {
    let ok = false;
    const base = await start({ ready: () => ({ ok }) });
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    ok = true;
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
  });

  it('O03 metrics in the Prometheus text format, with headers that keep browsers out', async () => {
    const base = await start();
    const answer = await fetch(`${base}/metrics`);
    expect(await answer.text()).toBe('rollcall_up 1\n');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('a fault while metrics are read is a 500 and nothing else', async () => {
    const base = await start({ metrics: () => Promise.reject(new Error('boom')) });
    const answer = await fetch(`${base}/metrics`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'application/problem+json']);
    expect(await answer.text()).not.toContain('boom');
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });

  it('other paths and methods are problems', async () => {
    const base = await start();
    const missing = await fetch(`${base}/debug`);
    expect([missing.status, ((await missing.json()) as { type: string }).type]).toEqual([
      404,
      '/problems/not-found',
    ]);
    const posted = await fetch(`${base}/metrics`, { method: 'POST', body: 'x' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${base}/healthz`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });
});

describe('listening', () => {
  it('a busy port is a typed error that names it', async () => {
    await start();
    const port = running?.port ?? 0;
    const second = startOpsServer({
      host: '127.0.0.1',
      port,
      live: () => true,
      ready: () => ({ ok: true }),
      metrics: () => Promise.resolve(''),
    });
    await expect(second).rejects.toThrow(AddressInUse);
    await expect(second).rejects.toThrow(`127.0.0.1:${String(port)} (tcp) is already in use`);
  });

  it('closes within its grace although a connection is held open', async () => {
    await start();
    const socket = connect(running?.port ?? 0, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\n');
    const began = Date.now();
    await running?.close();
    running = undefined;
    expect(Date.now() - began).toBeLessThan(3_000);
    socket.destroy();
  });
});

describe('what our own services ask of each other', () => {
  const token = internalToken('a secret that is shared');
  const internal: NonNullable<OpsOptions['internal']> = {
    token,
    handle: ({ method, path, query, body }) =>
      Promise.resolve(
        path === '/internal/echo'
          ? { status: 200, value: { method, aor: query.get('aor'), body: body ?? null } }
          : undefined,
      ),
  };
  const withToken = { authorization: `Bearer ${token}` };

  it('is answered to those who share the secret, and to nobody else', async () => {
    const base = await start({ internal });
    const answer = await fetch(`${base}/internal/echo?aor=sip%3Aa%40b`, {
      method: 'PUT',
      headers: withToken,
      body: '{"x":1}',
    });
    expect(await answer.json()).toEqual({ method: 'PUT', aor: 'sip:a@b', body: { x: 1 } });
    const other = { authorization: `Bearer ${internalToken('another secret')}` };
    for (const headers of [{}, other, { authorization: token }]) {
      expect((await fetch(`${base}/internal/echo`, { headers })).status).toBe(401);
    }
    expect((await fetch(`${base}/internal/none`, { headers: withToken })).status).toBe(404);
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
  });

  it('too large a body is 413, one that is no JSON a 500 without a word about it', async () => {
    const base = await start({ internal });
    const send = (body: string) =>
      fetch(`${base}/internal/echo`, { method: 'PUT', headers: withToken, body });
    expect((await send(`"${'x'.repeat(70_000)}"`)).status).toBe(413);
    const broken = await send('{nonsense');
    expect([broken.status, (await broken.text()).includes('nonsense')]).toEqual([500, false]);
  });

  it('without such routes there are none', async () => {
    expect((await fetch(`${await start()}/internal/echo`, { headers: withToken })).status).toBe(404);
  });
});
