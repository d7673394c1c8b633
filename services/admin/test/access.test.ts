import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { MAX_API_TOKENS, StoreUnavailable } from '@rollcall/location';
import type { Harness } from './harness.ts';
import { harness, NOW } from './harness.ts';

let admin: Harness;
beforeEach(async () => {
  admin = await harness();
  for (const domain of ['a.test', 'b.test']) await admin.call('PUT', `/v1/domains/${domain}`, { body: {} });
});
afterEach(() => admin.app.close());

async function token(body: Record<string, unknown>): Promise<string> {
  const made = await admin.call('POST', '/v1/tokens', { body: { name: 'test', ...body } });
  expect(made.status).toBe(201);
  return String(made.json?.['token']);
}

describe('A07 tokens', () => {
  it('A07 no token, a wrong one, another scheme: 401 with a challenge, before anything is read', async () => {
    const check = async (headers: Record<string, string>, challenge: string): Promise<void> => {
      const answer = await admin.call('PUT', '/v1/domains/x.test', {
        token: null,
        headers,
        body: { bad: 1 },
      });
      expect(answer.status).toBe(401);
      expect(answer.json?.['type']).toBe('/problems/unauthorized');
      expect(answer.headers['www-authenticate']).toBe(challenge);
    };
    const invalid = 'Bearer realm="rollcall", error="invalid_token"';
    await check({}, 'Bearer realm="rollcall"');
    await check({ authorization: 'Bearer wrong' }, invalid);
    await check({ authorization: 'Basic cm9vdDpyb290' }, invalid);
    await check({ authorization: 'Bearer ' }, invalid);
    await check({ authorization: `Bearer rct_${'0'.repeat(18)}_${'A'.repeat(43)}` }, invalid);
  });

  it('A07 every route under /v1 wants a token', async () => {
    const spec = (await admin.call('GET', '/openapi.json', { token: null })).json as {
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    };
    let checked = 0;
    for (const [path, methods] of Object.entries(spec.paths)) {
      if (!path.startsWith('/v1/')) continue;
      for (const method of Object.keys(methods)) {
        const url = path.replace(/\{\w+\}/g, 'a.test');
        const answer = await admin.app.inject({ method: method.toUpperCase() as 'GET', url });
        expect(answer.statusCode, `${method} ${path}`).toBe(401);
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThan(20);
  });

  it('A07 a read token reads and does not write: 403', async () => {
    const reader = await token({ scope: 'read' });
    expect((await admin.call('GET', '/v1/domains', { token: reader })).status).toBe(200);
    const refused = await admin.call('PUT', '/v1/domains/c.test', { token: reader, body: {} });
    expect(refused.status).toBe(403);
    expect(refused.json?.['type']).toBe('/problems/forbidden');
    expect(refused.headers['www-authenticate']).toContain('error="insufficient_scope"');
  });

  it("A07 another tenant's domain is 404 everywhere, their own is served", async () => {
    const tenant = await token({ scope: 'write', domains: ['A.test'] });
    const as = { token: tenant };
    const list = await admin.call('GET', '/v1/domains', as);
    expect(list.json?.['items']).toEqual([{ name: 'a.test' }]);
    const user = { ...as, body: { password: 'pw' } };
    expect((await admin.call('PUT', '/v1/domains/a.test/users/alice', user)).status).toBe(201);
    for (const [method, url] of [
      ['GET', '/v1/domains/b.test'],
      ['GET', '/v1/domains/b.test/users'],
      ['GET', '/v1/domains/b.test/users/bob'],
      ['DELETE', '/v1/domains/b.test/users/bob'],
      ['GET', '/v1/aors/sip:bob@b.test/bindings'],
      ['DELETE', '/v1/aors/sip:bob@b.test/bindings'],
      ['GET', '/v1/aors/tel:+15551234/bindings'],
      ['GET', '/v1/aors/sip:bob@b.test/mailbox'],
      ['GET', '/v1/aors/sip:bob@b.test/grants'],
      ['GET', '/v1/subscriptions?resource=sip:bob@b.test'],
      ['GET', '/v1/events?domain=b.test'],
    ] as const) {
      expect((await admin.call(method, url, as)).status, `${method} ${url}`).toBe(404);
    }
    expect((await admin.call('PUT', '/v1/domains/b.test/users/bob', user)).status).toBe(404);
  });

  it('A07 what concerns every domain is 403 for a tenant', async () => {
    const tenant = await token({ scope: 'write', domains: ['a.test'] });
    for (const url of ['/v1/edges', '/v1/audit', '/v1/tokens']) {
      expect((await admin.call('GET', url, { token: tenant })).status, url).toBe(403);
    }
    const more = { name: 'more', scope: 'write' };
    expect((await admin.call('POST', '/v1/tokens', { token: tenant, body: more })).status).toBe(403);
    expect((await admin.call('PUT', '/v1/domains/a.test', { token: tenant, body: {} })).status).toBe(403);
  });

  it('A07 a token is told once, kept as a hash, listed without its secret, and refused once deleted', async () => {
    const secret = await token({ scope: 'read', domains: ['a.test'] });
    expect(JSON.stringify(await admin.tokens.list(undefined, 10))).not.toContain(secret.split('_').at(-1));
    const list = await admin.call('GET', '/v1/tokens');
    expect(list.text).not.toContain(secret.split('_').at(-1));
    const [record] = list.json?.['items'] as { id: string }[];
    expect(record).toMatchObject({ name: 'test', scope: 'read', domains: ['a.test'] });
    expect((await admin.call('DELETE', `/v1/tokens/${String(record?.id)}`)).status).toBe(204);
    expect((await admin.call('DELETE', `/v1/tokens/${String(record?.id)}`)).status).toBe(404);
    expect((await admin.call('GET', '/v1/domains', { token: secret })).status).toBe(401);
    const acts = admin.audit.records.map(({ action }) => action);
    expect(acts.slice(0, 2)).toEqual(['token.delete', 'token.create']);
  });

  it('A07 tokens are bounded in number: 409 says what to do', async () => {
    const facts = { name: 'x', scope: 'read', createdAt: epochMs(NOW), secretHash: '' } as const;
    for (let n = 0; n < MAX_API_TOKENS - 1; n += 1) await admin.tokens.add({ id: String(n), ...facts });
    await token({ scope: 'read' });
    const refused = await admin.call('POST', '/v1/tokens', { body: { name: 'one more', scope: 'read' } });
    expect([refused.status, refused.json?.['type']]).toEqual([409, '/problems/conflict']);
    expect(refused.json?.['detail']).toContain('delete one');
  });

  it('A07 without the store the root token still works as far as it can, others get 503', async () => {
    await admin.app.close();
    const away = (): never => {
      throw new StoreUnavailable('away');
    };
    const tokens = Object.assign(Object.create(admin.tokens) as typeof admin.tokens, { find: away });
    admin = await harness({ ports: { tokens } });
    expect((await admin.call('GET', '/v1/edges')).status).toBe(200);
    const answer = await admin.call('GET', '/v1/edges', { token: `rct_${'0'.repeat(18)}_${'A'.repeat(43)}` });
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
  });
});
