import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hashHa1 } from '@rollcall/digest';
import { StoreUnavailable } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import type { Harness } from './harness.ts';
import { binding, harness } from './harness.ts';

let admin: Harness;
beforeEach(async () => {
  admin = await harness();
});
afterEach(() => admin.app.close());

const put = (url: string, body: unknown = {}) => admin.call('PUT', url, { body });

describe('A05 domains', () => {
  it('A05 are created, read, listed, replaced and deleted; PUT is idempotent', async () => {
    const policy = {
      minExpires: 60,
      defaultExpires: 600,
      maxExpires: 3_600,
      maxContacts: 5,
      aliases: ['Sip.Example.test'],
    };
    const made = await put('/v1/domains/Example.TEST', policy);
    const stored = { name: 'example.test', ...policy, aliases: ['sip.example.test'] };
    expect([made.status, made.json]).toEqual([201, stored]);
    expect((await put('/v1/domains/example.test', policy)).status).toBe(200);
    expect((await admin.call('GET', '/v1/domains/example.test')).json).toEqual(stored);
    expect((await admin.call('GET', '/v1/domains')).json).toEqual({ items: [stored] });
    expect((await put('/v1/domains/example.test')).json).toEqual({ name: 'example.test' });
    expect((await admin.call('DELETE', '/v1/domains/example.test')).status).toBe(204);
    expect((await admin.call('GET', '/v1/domains/example.test')).status).toBe(404);
    expect((await admin.call('DELETE', '/v1/domains/example.test')).status).toBe(404);
  });

  it('A05 refuse policies and names that make no sense', async () => {
    const check = async (url: string, body: unknown, status: number): Promise<void> => {
      expect((await put(url, body)).status, JSON.stringify([url, body])).toBe(status);
    };
    await put('/v1/domains/a.test', { aliases: ['b.test'] });
    await check('/v1/domains/c.test', { minExpires: 100, maxExpires: 50 }, 400);
    await check('/v1/domains/c.test', { minExpires: 100, maxExpires: 200, defaultExpires: 300 }, 400);
    await check('/v1/domains/c.test', { maxExpires: 4_294_967_296 }, 400);
    await check('/v1/domains/c.test', { realm: 'a"b' }, 400);
    await check('/v1/domains/c.test', { typo: 1 }, 400);
    await check('/v1/domains/c.test', { aliases: ['a.test'] }, 409);
    await check('/v1/domains/b.test', {}, 409);
    await check('/v1/domains/c%00.test', {}, 400);
    await check('/v1/domains/%2e%2e%2fetc', {}, 400);
  });

  it('A05 keep what depends on them: users stop a deletion and a change of realm', async () => {
    await put('/v1/domains/a.test');
    await put('/v1/domains/a.test/users/alice', { password: 'pw' });
    expect((await admin.call('DELETE', '/v1/domains/a.test')).status).toBe(409);
    expect((await put('/v1/domains/a.test', { realm: 'other' })).status).toBe(409);
    expect((await put('/v1/domains/a.test', { maxContacts: 3 })).status).toBe(200);
  });
});

describe('A05 policies', () => {
  const everything = {
    minExpires: 60,
    defaultExpires: 600,
    maxExpires: 3_600,
    expiresJitter: 10,
    maxContacts: 5,
    onLimit: 'evict-unreachable',
    transports: ['tls', 'wss'],
    thirdParty: false,
    algorithms: ['SHA-256'],
    path: 'strict',
    outbound: 'required',
    flowTimer: 100,
    gruu: false,
    serviceRoute: ['<sip:p1.example.test;lr>', '<sips:p2.example.test;transport=tcp;lr;x=y>'],
    push: ['apns', 'webpush'],
    watchers: 'confirm',
    from: 'own',
  };
  const policy = '/v1/domains/example.test/users/alice/policy';

  it('A05 every setting of a domain and of a user is kept, read back and unset', async () => {
    expect((await put('/v1/domains/example.test', everything)).json).toEqual({
      name: 'example.test',
      ...everything,
    });
    await put('/v1/domains/example.test/users/alice', { password: 'x' });
    expect((await admin.call('GET', policy)).json).toEqual({});
    expect((await put(policy, everything)).json).toEqual(everything);
    expect((await admin.call('GET', policy)).json).toEqual(everything);
    const { json } = await admin.call('GET', '/v1/domains/example.test/users/alice');
    expect(json?.['policy']).toEqual(everything);
    expect((await put(policy, { maxContacts: 1 })).json).toEqual({ maxContacts: 1 });
    expect(admin.users.users.get('sip:alice@example.test' as Aor)?.policy).toEqual({ maxContacts: 1 });
    expect((await admin.call('DELETE', policy)).status).toBe(204);
    expect((await admin.call('DELETE', policy)).status).toBe(404);
    expect((await put('/v1/domains/example.test/users/nobody/policy', {})).status).toBe(404);
    await put('/v1/domains/example.test/users/alice', { policy: { gruu: false } });
    expect((await admin.call('GET', policy)).json).toEqual({ gruu: false });
  });

  it('A05 what makes no sense is refused with the place', async () => {
    await put('/v1/domains/example.test');
    await put('/v1/domains/example.test/users/alice', { password: 'x' });
    const bad = [
      { minExpires: 100, maxExpires: 50 },
      { expiresJitter: 51 },
      { expiresJitter: -1 },
      { maxContacts: 0 },
      { onLimit: 'explode' },
      { transports: [] },
      { transports: ['sctp'] },
      { transports: ['udp', 'udp'] },
      { algorithms: ['MD4'] },
      { path: 'on' },
      { outbound: true },
      { serviceRoute: ['<sip:p.example.test>'] },
      { serviceRoute: ['sip:p.example.test;lr'] },
      { serviceRoute: ['<sip:p.example.test;lr>\r\nX: y'] },
      { push: ['APNS!'] },
      { watchers: 'everyone' },
      { from: 'mine' },
      { maxContact: 3 },
    ];
    for (const body of bad) {
      const { status, text } = await put(policy, body);
      expect([status, body], text).toEqual([400, body]);
      if (!('minExpires' in body)) expect(text).toContain(Object.keys(body)[0]);
      expect((await put('/v1/domains/example.test', body)).status, JSON.stringify(body)).toBe(400);
    }
  });
});

describe('A05 aliases', () => {
  const of = (user: string): string => `/v1/domains/example.test/users/${user}/aliases`;
  beforeEach(async () => {
    await put('/v1/domains/example.test', { aliases: ['example.alias'] });
    await put('/v1/domains/other.test');
    for (const user of ['alice', 'bob'])
      await put(`/v1/domains/example.test/users/${user}`, { password: 'x' });
  });

  it('A05 are given, listed, taken away, each in its one spelling and for one user', async () => {
    expect((await put(`${of('alice')}/al%40EXAMPLE.alias`)).status).toBe(204);
    expect((await put(`${of('alice')}/${encodeURIComponent('tel:+1-555-1234')}`)).status).toBe(204);
    expect((await put(`${of('alice')}/alice%40other.test`)).status).toBe(204);
    const aliases = ['sip:al@example.test', 'sip:+15551234@example.test', 'sip:alice@other.test'];
    const listed = await admin.call('GET', of('alice'));
    expect(listed.json).toEqual({ aor: 'sip:alice@example.test', aliases });
    expect((await put(`${of('bob')}/al%40example.test`)).status).toBe(409);
    expect((await put(`${of('bob')}/alice%40example.test`)).status).toBe(409);
    expect((await put(`${of('bob')}/bob%40example.test`)).status).toBe(409);
    expect((await put('/v1/domains/example.test/users/al', { password: 'x' })).status).toBe(409);
    const body = { password: 'x', aliases: ['al@example.test'] };
    expect((await put('/v1/domains/example.test/users/carol', body)).status).toBe(409);
    expect((await admin.call('DELETE', `${of('alice')}/al%40example.test`)).status).toBe(204);
    expect((await admin.call('DELETE', `${of('alice')}/al%40example.test`)).status).toBe(404);
    expect((await put('/v1/domains/example.test/users/carol', body)).status).toBe(201);
    expect((await admin.call('DELETE', '/v1/domains/example.test/users/al')).status).toBe(404);
  });

  it('A05 A07 are in domains of ours that the token sees', async () => {
    expect((await put(`${of('alice')}/al%40elsewhere.test`)).status).toBe(400);
    expect((await put(`${of('alice')}/mailto%3Aal%40example.test`)).status).toBe(400);
    const made = await admin.call('POST', '/v1/tokens', {
      body: { name: 't', scope: 'write', domains: ['example.test'] },
    });
    const token = made.json?.['token'] as string;
    const seen = await admin.call('PUT', `${of('alice')}/al%40example.test`, { token });
    const unseen = await admin.call('PUT', `${of('alice')}/al%40other.test`, { token });
    expect([seen.status, unseen.status]).toEqual([204, 404]);
  });
});

describe('A05 users', () => {
  const alice = '/v1/domains/example.test/users/alice';
  beforeEach(async () => {
    await put('/v1/domains/example.test', { realm: 'Example Realm' });
  });

  it('A05 a password becomes H(A1) for each algorithm and is never readable', async () => {
    const made = await put(alice, { password: 'correct horse', displayName: 'Alice' });
    expect(made.status).toBe(201);
    expect(made.json).toEqual({
      aor: 'sip:alice@example.test',
      user: 'alice',
      domain: 'example.test',
      authUser: 'alice',
      realm: 'Example Realm',
      enabled: true,
      displayName: 'Alice',
      algorithms: ['SHA-512-256', 'SHA-256', 'MD5'],
    });
    const stored = admin.users.users.get('sip:alice@example.test' as Aor);
    for (const algorithm of ['SHA-512-256', 'SHA-256', 'MD5'] as const) {
      expect(stored?.ha1[algorithm]).toBe(hashHa1(algorithm, 'alice', 'Example Realm', 'correct horse'));
    }
    for (const url of [alice, '/v1/domains/example.test/users', '/v1/audit']) {
      const { text } = await admin.call('GET', url);
      expect(text).not.toContain('horse');
      for (const hash of Object.values(stored?.ha1 ?? {})) expect(text).not.toContain(hash);
    }
  });

  it('A05 changes are told to the edges at once; without a password an existing user keeps theirs', async () => {
    await put(alice, { password: 'one' });
    const told: (Aor | undefined)[] = [];
    admin.users.onChange((aor) => told.push(aor));
    const before = admin.users.users.get('sip:alice@example.test' as Aor)?.ha1;
    const changed = await put(alice, { enabled: false });
    expect([changed.status, changed.json?.['enabled']]).toEqual([200, false]);
    expect(admin.users.users.get('sip:alice@example.test' as Aor)?.ha1).toEqual(before);
    expect((await admin.call('DELETE', alice)).status).toBe(204);
    expect((await admin.call('GET', alice)).status).toBe(404);
    expect(told).toEqual(['sip:alice@example.test', 'sip:alice@example.test']);
  });

  it('A05 H(A1) values may be given instead, of the right length', async () => {
    const md5 = 'a'.repeat(32);
    expect((await put(alice, { ha1: { MD5: md5 } })).json?.['algorithms']).toEqual(['MD5']);
    expect((await put(alice, { ha1: { MD5: 'short' } })).status).toBe(400);
    expect((await put(alice, { ha1: {} })).status).toBe(400);
    expect((await put(alice, { ha1: { MD5: md5 }, password: 'x' })).status).toBe(400);
  });

  it('A05 refusals: no password, no domain, a taken or unusable digest name', async () => {
    expect((await put(alice, {})).status).toBe(400);
    expect((await put('/v1/domains/other.test/users/alice', { password: 'x' })).status).toBe(404);
    expect((await put(alice, { password: 'x', authUser: 'a:b' })).status).toBe(400);
    await put(alice, { password: 'x' });
    const bob = '/v1/domains/example.test/users/bob';
    expect((await put(bob, { password: 'x', authUser: 'alice' })).status).toBe(409);
    expect((await put(alice, { authUser: 'other' })).status).toBe(400);
    expect((await put('/v1/domains/example.test/users/a%3Ab', { password: 'x' })).status).toBe(400);
  });

  it('A05 are listed page by page, each once', async () => {
    for (const name of ['u1', 'u2', 'u3', 'u4', 'u5']) {
      await put(`/v1/domains/example.test/users/${name}`, { password: 'x' });
    }
    const seen: string[] = [];
    let cursor = '';
    do {
      const query = cursor === '' ? '' : `&cursor=${cursor}`;
      const { json } = await admin.call('GET', `/v1/domains/example.test/users?limit=2${query}`);
      seen.push(...(json?.['items'] as { user: string }[]).map(({ user }) => user));
      cursor = (json?.['cursor'] as string | undefined) ?? '';
    } while (cursor !== '');
    expect(seen).toEqual(['u1', 'u2', 'u3', 'u4', 'u5']);
    expect((await admin.call('GET', '/v1/domains/example.test/users?limit=0')).status).toBe(400);
    // base64url of octets that are no text, and text that is no base64url
    for (const foreign of ['bad', '!!'])
      expect((await admin.call('GET', `/v1/domains/example.test/users?cursor=${foreign}`)).status).toBe(400);
  });

  it('A05 A12 a hostile user name comes back as it was given and stays one AoR of its domain', async () => {
    const names = [
      'a b',
      'é',
      '"><script>',
      '{x}',
      '@evil.test',
      '../../etc',
      '__proto__',
      'a%41',
      '*',
      'a;b=c',
    ];
    for (const name of names) {
      const url = `/v1/domains/example.test/users/${encodeURIComponent(name)}`;
      const made = await put(url, { password: 'x', authUser: 'u' + String(names.indexOf(name)) });
      expect([made.status, made.json?.['user']], name).toEqual([201, name]);
      const read = await admin.call('GET', url);
      expect(read.json?.['user']).toBe(name);
      expect(String(read.json?.['aor'])).toMatch(/^sip:[!-~]+@example\.test$/);
    }
  });
});

describe('A05 grants', () => {
  it('A05 are put, listed, deleted; only for users that exist', async () => {
    await put('/v1/domains/example.test');
    await put('/v1/domains/example.test/users/alice', { password: 'x' });
    const grants = '/v1/aors/sip:alice@example.test/grants';
    const bob = `${grants}/${encodeURIComponent('sip:bob@EXAMPLE.test')}`;
    expect((await admin.call('PUT', bob)).status).toBe(204);
    expect((await admin.call('PUT', bob)).status).toBe(204);
    expect((await admin.call('GET', grants)).json).toEqual({
      aor: 'sip:alice@example.test',
      identities: ['sip:bob@example.test'],
    });
    expect((await admin.call('DELETE', bob)).status).toBe(204);
    expect((await admin.call('DELETE', bob)).status).toBe(404);
    expect(
      (await admin.call('PUT', '/v1/aors/sip:nobody@example.test/grants/sip:bob@example.test')).status,
    ).toBe(404);
    expect((await admin.call('PUT', `${grants}/nonsense`)).status).toBe(400);
  });
});

describe('the audit log', () => {
  it('A05 has who did what to what, newest first', async () => {
    await put('/v1/domains/example.test');
    await put('/v1/domains/example.test/users/alice', { password: 'x' });
    const { json } = await admin.call('GET', '/v1/audit');
    expect(
      (json?.['items'] as { actor: string; action: string; target: string }[]).map(Object.values),
    ).toEqual([
      ['1970-01-01T00:00:00.000Z', 'admin:root', 'user.put', 'sip:alice@example.test'],
      ['1970-01-01T00:00:00.000Z', 'admin:root', 'domain.put', 'example.test'],
    ]);
  });

  it('A05 nothing is done without a record: with the log away every act is 503 and has not happened', async () => {
    const { call, audit, users, location, events, tokens } = admin;
    const alice = '/v1/domains/example.test/users/alice';
    const aor = '/v1/aors/sip:alice@example.test';
    const mailbox = { counts: { 'voice-message': { new: 1, old: 0 } } };
    await put('/v1/domains/example.test');
    await put('/v1/domains/empty.test');
    await put(alice, { password: 'x' });
    await put(`${aor}/grants/sip:bob@example.test`);
    await put(`${aor}/mailbox`, mailbox);
    await admin.register('sip:alice@example.test', [binding('b1')]);
    const made = await call('POST', '/v1/tokens', { body: { name: 'one', scope: 'read' } });
    const state = async (): Promise<string> =>
      JSON.stringify([
        [...users.users.values()],
        await users.domains.list(),
        await users.grants.get('sip:alice@example.test' as Aor),
        await location.read('sip:alice@example.test' as Aor),
        await events.readMailbox('sip:alice@example.test' as Aor),
        await tokens.list(undefined, 10),
      ]);
    const before = await state();
    audit.append = () => Promise.reject(new StoreUnavailable('away'));
    for (const [method, url, body] of [
      ['PUT', '/v1/domains/example.test', { maxContacts: 1 }],
      ['DELETE', '/v1/domains/empty.test'],
      ['PUT', alice, { password: 'y' }],
      ['DELETE', alice],
      ['PUT', `${aor}/grants/sip:carol@example.test`],
      ['DELETE', `${aor}/grants/sip:bob@example.test`],
      ['PUT', `${aor}/mailbox`, { counts: {} }],
      ['DELETE', `${aor}/mailbox`],
      ['DELETE', `${aor}/bindings`],
      ['DELETE', `${aor}/bindings/b1`],
      ['POST', '/v1/tokens', { name: 'two', scope: 'read' }],
      ['DELETE', `/v1/tokens/${String(made.json?.['id'])}`],
    ] as const) {
      const answer = await call(method, url, body === undefined ? {} : { body });
      expect(answer.status, `${method} ${url}`).toBe(503);
    }
    expect(await state()).toBe(before);
  });

  it('A05 an act that fails on its way keeps its record; one that is void from the start has none', async () => {
    await put('/v1/domains/example.test');
    const alice = '/v1/domains/example.test/users/alice';
    expect((await admin.call('DELETE', alice)).status).toBe(404);
    expect(admin.audit.records.map(({ action }) => action)).toEqual(['domain.put']);
    admin.users.put = () => Promise.reject(new StoreUnavailable('away'));
    expect((await put(alice, { password: 'x' })).status).toBe(503);
    expect(admin.audit.records.map(({ action }) => action)).toEqual(['user.put', 'domain.put']);
  });
});
