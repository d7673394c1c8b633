import { epochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { connectStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { createLogger, noTracing } from '@rollcall/telemetry';
import { RedisProcess } from '@rollcall/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compose } from '../src/compose.ts';
import type { Admin } from '../src/compose.ts';
import { binding } from './harness.ts';

const ROOT = 'root-token-of-the-tests';
const AOR = 'sip:alice@example.test' as Aor;

const lines: Record<string, unknown>[] = [];
let redis: RedisProcess;
let admin: Admin;
let base = '';
let ops = '';
let store: Store;

async function startRedis(): Promise<void> {
  await redis.begin();
  await vi.waitUntil(async () => (await ready()) === 200, { timeout: 15_000, interval: 50 });
}

const ready = async (): Promise<number> => (await fetch(`${ops}/readyz`)).status;
const said = (part: string): number => lines.filter(({ msg }) => String(msg).includes(part)).length;

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${ROOT}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, json };
}

beforeAll(async () => {
  redis = await RedisProcess.make();
  const log = createLogger({
    service: 'rollcall-admin',
    level: 'info',
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const local = { adminHost: '127.0.0.1', adminPort: 0, httpHost: '127.0.0.1', httpPort: 0 };
  const where = {
    redisUrl: redis.url,
    redisSentinels: undefined,
    redisCluster: undefined,
    durability: 'none' as const,
  };
  const access = {
    adminToken: ROOT,
    rateLimit: 100_000,
    jwksUrl: undefined,
    jwtIssuer: undefined,
    jwtAudience: 'rollcall',
    webhooksInside: true,
  };
  admin = compose(
    { ...local, ...where, ...access, secret: undefined, logLevel: 'info' },
    { log, tracing: noTracing },
  );
  const ports = await admin.start();
  base = `http://127.0.0.1:${String(ports.admin)}`;
  ops = `http://127.0.0.1:${String(ports.http)}`;
  store = await connectStore({ url: redis.url });
});
afterAll(async () => {
  await store.close();
  await admin.stop();
  await redis.stop();
});

describe('admin on a real Redis', () => {
  it('O03 without Redis it lives, is not ready, says so once, and answers 503 with Retry-After', async () => {
    expect((await fetch(`${ops}/healthz`)).status).toBe(200);
    expect(await ready()).toBe(503);
    expect(said('away')).toBe(1);
    const answer = await call('GET', '/v1/domains');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await (await fetch(`${ops}/metrics`)).text()).toContain('rollcall_store_connected 0');
  });

  it('O03 when Redis comes it is ready, without a restart', async () => {
    await startRedis();
    expect(said('back')).toBe(1);
    await vi.waitUntil(() => store.ready(), { timeout: 5_000 });
    expect((await call('GET', '/v1/domains')).json).toEqual({ items: [] });
  });

  it('A05 what is put is there for every service at once, and nothing of a password but hashes', async () => {
    const told: (Aor | undefined)[] = [];
    const stop = store.users.onChange((aor) => told.push(aor));
    expect((await call('PUT', '/v1/domains/example.test', { maxContacts: 5 })).status).toBe(201);
    const alice = '/v1/domains/example.test/users/alice';
    expect((await call('PUT', alice, { password: 'hunter2', displayName: 'Älice' })).status).toBe(201);
    expect((await call('GET', alice)).json).toMatchObject({ aor: AOR, displayName: 'Älice' });
    expect((await store.users.find(AOR))?.ha1.MD5).toMatch(/^[0-9a-f]{32}$/);
    expect((await store.users.findByCredentials('example.test', 'alice'))?.aor).toBe(AOR);
    await vi.waitUntil(() => told.includes(AOR), { timeout: 3_000 });
    stop();
    expect((await call('GET', '/v1/domains/example.test/users')).json['items']).toHaveLength(1);
    expect((await call('PUT', `/v1/aors/${AOR}/grants/sip:bob@example.test`)).status).toBe(204);
    expect(await store.users.grants.get(AOR)).toEqual(['sip:bob@example.test']);
  });

  it('A07 tokens with a scope and a tenant outlive the process that made them', async () => {
    const made = await call('POST', '/v1/tokens', {
      name: 'tenant',
      scope: 'read',
      domains: ['example.test'],
    });
    const as = { authorization: `Bearer ${String(made.json['token'])}` };
    expect((await call('GET', '/v1/domains/example.test', undefined, as)).status).toBe(200);
    expect((await call('GET', '/v1/domains/other.test', undefined, as)).status).toBe(404);
    expect((await call('PUT', '/v1/domains/example.test', {}, as)).status).toBe(403);
    expect((await call('DELETE', `/v1/tokens/${String(made.json['id'])}`)).status).toBe(204);
    expect((await call('GET', '/v1/domains/example.test', undefined, as)).status).toBe(401);
  });

  it('A01 A03 A06 a binding is shown at once and deleted; the stream tells both, and resumes', async () => {
    const stop = new AbortController();
    const open = async (lastId?: string) => {
      const headers = {
        authorization: `Bearer ${ROOT}`,
        ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
      };
      const answer = await fetch(`${base}/v1/events`, { headers, signal: stop.signal });
      expect(answer.status).toBe(200);
      const seen = { text: '' };
      const reading = (async () => {
        const decoder = new TextDecoder();
        for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
          seen.text += decoder.decode(chunk, { stream: true });
        }
      })();
      reading.catch(() => undefined);
      return seen;
    };
    const first = await open();
    const now = store.clock.now();
    const one = binding('b1', { registeredAt: now, refreshedAt: now, expiresAt: epochMs(now + 60_000) });
    const changes = [{ kind: 'registered' as const, binding: one }];
    const outcome = await store.location.commit({ aor: AOR, expectedVersion: 0, bindings: [one], changes });
    const shown = await call('GET', `/v1/aors/${AOR}/bindings`);
    if (outcome.kind !== 'committed') throw new Error('conflict');
    expect(shown.headers.get('etag')).toBe(`"${String(outcome.version)}"`);
    const expires = (shown.json['bindings'] as { expires: number }[])[0]?.expires ?? 0;
    expect(expires).toBeGreaterThanOrEqual(59);
    expect(expires).toBeLessThanOrEqual(61);
    await vi.waitUntil(() => first.text.includes('event: registered'), { timeout: 5_000 });
    expect((await call('DELETE', `/v1/aors/${AOR}/bindings/b1`)).status).toBe(204);
    await vi.waitUntil(() => first.text.includes('event: deactivated'), { timeout: 5_000 });
    const registeredId = /id: (\S+)\nevent: registered/.exec(first.text)?.[1];
    const second = await open(registeredId);
    await vi.waitUntil(() => second.text.includes('event: deactivated'), { timeout: 5_000 });
    expect(second.text).not.toContain('event: registered');
    expect(second.text.match(/^event: /gm)).toHaveLength(1);
    stop.abort();
    const audit = await call('GET', '/v1/audit?limit=1');
    expect((audit.json['items'] as unknown[])[0]).toMatchObject({
      actor: 'admin:root',
      action: 'binding.delete',
      target: AOR,
    });
  });

  it('A04 S27 subscriptions and mailboxes are those of the store', async () => {
    expect((await call('GET', `/v1/subscriptions?resource=${AOR}`)).json).toEqual({ items: [] });
    const mailbox = { counts: { 'voice-message': { new: 2, old: 1 } } };
    expect((await call('PUT', `/v1/aors/${AOR}/mailbox`, mailbox)).status).toBe(200);
    expect((await store.events.readMailbox(AOR))?.counts['voice-message']).toEqual({ fresh: 2, old: 1 });
  });

  it('O03 Redis goes and comes back: one line each, 503 meanwhile, no crash', async () => {
    await redis.kill();
    await vi.waitUntil(async () => (await ready()) === 503, { timeout: 10_000, interval: 50 });
    expect((await call('GET', '/v1/domains')).status).toBe(503);
    expect((await fetch(`${ops}/healthz`)).status).toBe(200);
    await startRedis();
    expect((await call('GET', '/v1/domains')).status).toBe(200);
    expect([said('away'), said('back')]).toEqual([2, 2]);
  });
});
