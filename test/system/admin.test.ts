import { setTimeout as sleep } from 'node:timers/promises';
import { AdminClient, EventStream, eventually, TestSystem } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNTS, contactLine, contactsOf, freshAccount, ok, TRANSPORTS } from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const path = (aor: string) => `/v1/aors/${encodeURIComponent(aor)}/bindings`;

describe.each(TRANSPORTS)('admin shows what phones did over %s', (transport) => {
  it('A01 bindings right after the 200: present, ETag is the version, seconds as promised', async () => {
    const phone = await system.phone(freshAccount(), { transport });
    const answer = await ok(phone.register(600));
    const shown = await system.admin.get<{ bindings: readonly { contact: string; expires: number }[] }>(
      path(phone.aor),
    );
    expect(shown.status).toBe(200);
    expect(shown.body.bindings.map((one) => one.contact)).toEqual([phone.contact]);
    const promised = contactsOf(answer)[0]?.expires ?? 0;
    expect(Math.abs((shown.body.bindings[0]?.expires ?? 0) - promised)).toBeLessThanOrEqual(1);
    const etag = shown.headers.get('etag');
    const { version } = await (await system.store()).location.read(phone.aor as never);
    expect(etag).toContain(String(version));
    await ok(phone.register(700));
    expect((await system.admin.get(path(phone.aor))).headers.get('etag')).not.toBe(etag);
  });

  it('A06 live events resume after Last-Event-ID: none lost, none twice', async () => {
    const phone = await system.phone(freshAccount(), { transport });
    const mine = (stream: EventStream) =>
      stream.events.filter((one) => JSON.stringify(one.data).includes(phone.options.user));
    const first = await EventStream.open(system.admin, '/v1/events');
    await ok(phone.register(600));
    const [seen] = await eventually('an event', () => (mine(first).length > 0 ? mine(first) : undefined));
    first.close();
    await ok(phone.register(0));
    await ok(phone.register(600));
    const second = await EventStream.open(system.admin, '/v1/events', seen?.id);
    await eventually('the two that were missed', () => mine(second).length >= 2);
    await ok(phone.register(0));
    await eventually('one more', () => mine(second).length >= 3);
    await sleep(300);
    expect(mine(second)).toHaveLength(3);
    expect(new Set(second.events.map((one) => one.id)).size).toBe(second.events.length);
    expect(second.events.some((one) => one.id === seen?.id)).toBe(false);
    second.close();
  });

  it('A12 a hostile User-Agent, display name and URI are shown as text', async () => {
    const phone = await system.phone(freshAccount(), { transport });
    const hostile = 'x"><script>alert(1)</script>\\"}{|';
    const contact = 'sip:a%22%3Cscript%3E@192.0.2.1';
    await ok(
      phone.register(600, {
        headers: [
          contactLine(`"<script>alert('x')</script>" <${contact}>`),
          'Expires: 600',
          `User-Agent: ${hostile}`,
        ],
      }),
    );
    const answer = await system.admin.get<{ bindings: readonly { contact: string; userAgent?: string }[] }>(
      path(phone.aor),
    );
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.body.bindings[0]?.contact).toBe(contact);
    expect(answer.body.bindings[0]?.userAgent).toBe(hostile);
  });
});

describe('admin', () => {
  it('A05 domains and users: create, read, update, delete; live without a restart; passwords are never readable', async () => {
    const { admin } = system;
    expect((await admin.call('PUT', '/v1/domains/made.test', { minExpires: 60 })).status).toBeLessThan(300);
    const user = '/v1/domains/made.test/users/dora';
    expect((await admin.call('PUT', user, { password: 'first' })).status).toBeLessThan(300);
    const phone = await system.phone({ user: 'dora', password: 'first' }, { domain: 'made.test' });
    await ok(phone.register());
    const shown = await admin.get(user);
    expect(shown.status).toBe(200);
    expect(JSON.stringify(shown.body)).not.toMatch(/first|ha1|[0-9a-f]{32}/i);
    expect((await admin.call('PUT', user, { password: 'second' })).status).toBeLessThan(300);
    phone.forget();
    await eventually('the old password is refused', async () => (await phone.register()).status === 401);
    const again = await system.phone({ user: 'dora', password: 'second' }, { domain: 'made.test' });
    await ok(again.register());
    expect((await admin.call('DELETE', user)).status).toBe(204);
    expect((await admin.get(user)).status).toBe(404);
    again.forget();
    await eventually('the deleted user is refused', async () => (await again.register()).status === 401);
    expect((await admin.call('DELETE', '/v1/domains/made.test')).status).toBe(204);
    expect((await admin.get('/v1/domains/made.test')).status).toBe(404);
  });

  it('A05 third-party grants: create, read, delete; live without a restart', async () => {
    const { admin, domain } = system;
    const [owner, other] = [freshAccount(), freshAccount()];
    const aor = `sip:${owner.user}@${domain}`;
    const identity = `sip:${other.user}@${domain}`;
    const grant = `/v1/aors/${encodeURIComponent(aor)}/grants/${encodeURIComponent(identity)}`;
    const phone = await system.phone(other);
    const third = async () => (await phone.register(600, { to: `<${aor}>` })).status;
    await ok(phone.register());
    expect(await third()).toBe(403);
    expect((await admin.call('PUT', grant)).status).toBeLessThan(300);
    await eventually('the grant holds', async () => (await third()) === 200);
    expect(JSON.stringify((await admin.get(`/v1/aors/${encodeURIComponent(aor)}/grants`)).body)).toContain(
      identity,
    );
    expect((await admin.call('DELETE', grant)).status).toBe(204);
    await eventually('the grant is gone', async () => (await third()) === 403);
  });

  it('A07 no token or a wrong one: 401 with a problem, and a challenge', async () => {
    for (const token of ['', 'wrong']) {
      const answer = await new AdminClient(system.admin.url, token).get<{ status?: number }>(
        path('sip:alice@example.test'),
      );
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body.status).toBe(401);
    }
  });

  it('A08 OpenAPI 3.1: every route with its schemas and errors', async () => {
    const answer = await system.admin.get<{
      openapi: string;
      paths: Record<string, Record<string, { responses?: object }>>;
    }>('/openapi.json');
    expect(answer.status).toBe(200);
    expect(answer.body.openapi).toMatch(/^3\.1\./);
    const paths = Object.keys(answer.body.paths);
    for (const wanted of ['bindings', 'subscriptions', 'users', 'domains', 'grants', 'events']) {
      expect(paths.some((one) => one.includes(wanted))).toBe(true);
    }
    for (const [route, methods] of Object.entries(answer.body.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const codes = Object.keys(operation.responses ?? {});
        expect(
          codes.some((code) => code.startsWith('2')),
          `${method} ${route} says what it answers`,
        ).toBe(true);
        expect(
          codes.some((code) => /^([45]|default)/.test(code)),
          `${method} ${route} says how it fails`,
        ).toBe(true);
      }
    }
  });

  it('a hostile path or body is a problem, not a crash', async () => {
    for (const bad of ['/v1/aors/%2e%2e%2f/bindings', '/v1/aors/nonsense/bindings', '/v1/nothing']) {
      expect((await system.admin.get(bad)).status).toBeGreaterThanOrEqual(400);
      expect((await system.admin.get(bad)).status).toBeLessThan(500);
    }
    const polluted = await system.admin.call(
      'PUT',
      '/v1/domains/odd.test',
      JSON.parse('{"__proto__":{"x":1},"minExpires":"many"}'),
    );
    expect(polluted.status).toBe(400);
  });
});
