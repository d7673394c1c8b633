import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Aor, CommitOutcome, LocationEvent } from '@rollcall/location';
import { MemoryLocation, StoreUnavailable } from '@rollcall/location';
import { epochMs } from '@rollcall/kernel';
import type { Harness } from './harness.ts';
import { binding, harness, NOW } from './harness.ts';

let admin: Harness;
beforeEach(async () => {
  admin = await harness();
});
afterEach(() => admin.app.close());

const URL = '/v1/aors/sip:alice@example.test/bindings';
const AOR = 'sip:alice@example.test';

describe('A01 bindings of an AoR', () => {
  it('A01 present right after the commit, ETag = version, remaining seconds', async () => {
    const version = await admin.register(AOR, [
      binding('b1', {
        q: 500,
        instance: '<urn:uuid:1>',
        regId: 1,
        path: ['<sip:t@e:5060;lr>'],
        userAgent: 'ua',
        source: 'udp:192.0.2.1:5060',
      }),
      binding('b2', { expiresAt: epochMs(NOW + 60_500) }),
    ]);
    admin.time.now += 400;
    const answer = await admin.call('GET', URL);
    expect(answer.status).toBe(200);
    expect(answer.headers['etag']).toBe(`"${String(version)}"`);
    expect(answer.json).toMatchObject({ aor: AOR, version });
    const [first, second] = answer.json?.['bindings'] as Record<string, unknown>[];
    expect(first).toEqual({
      id: 'b1',
      contact: 'sip:b1@192.0.2.1:5060',
      params: '',
      q: 0.5,
      instance: '<urn:uuid:1>',
      regId: 1,
      callId: 'b1@192.0.2.1',
      cseq: 1,
      path: ['<sip:t@e:5060;lr>'],
      userAgent: 'ua',
      source: 'udp:192.0.2.1:5060',
      registeredAt: '2026-01-31T12:00:00.000Z',
      refreshedAt: '2026-01-31T12:00:00.000Z',
      expiresAt: '2026-01-31T12:10:00.000Z',
      expires: 600,
    });
    expect(second?.['expires']).toBe(61);
  });

  it('A01 the AoR may be written in each of its forms', async () => {
    await admin.register(AOR, [binding('b1')]);
    for (const form of [
      'alice@example.test',
      'sip:%61lice@EXAMPLE.test',
      'sips:alice@example.test:5061;x=y',
    ]) {
      const { json } = await admin.call('GET', `/v1/aors/${encodeURIComponent(form)}/bindings`);
      expect(json?.['aor'], form).toBe(AOR);
      expect(json?.['bindings'], form).toHaveLength(1);
    }
    await admin.call('PUT', '/v1/domains/example.test', { body: { aliases: ['alias.test'] } });
    expect((await admin.call('GET', '/v1/aors/alice@alias.test/bindings')).json?.['aor']).toBe(AOR);
    expect((await admin.call('GET', '/v1/aors/nonsense/bindings')).status).toBe(400);
  });

  it('A01 A03 an alias is answered for its user, and what is deleted under it goes from its user', async () => {
    const url = '/v1/aors/al@example.test/bindings';
    await admin.call('PUT', '/v1/domains/example.test', { body: {} });
    await admin.call('PUT', '/v1/domains/example.test/users/alice', {
      body: { password: 'x', aliases: ['al@example.test'] },
    });
    expect((await admin.call('GET', url)).json).toEqual({ aor: AOR, version: 0, bindings: [] });
    const version = await admin.register(AOR, [binding('b1'), binding('b2')]);
    const answer = await admin.call('GET', url);
    expect(answer.json).toMatchObject({ aor: AOR, version, bindings: [{ id: 'b1' }, { id: 'b2' }] });
    expect(answer.headers['etag']).toBe(`"${String(version)}"`);
    expect((await admin.call('DELETE', `${url}/b1`)).status).toBe(204);
    expect((await admin.location.read(AOR as Aor)).bindings.map(({ id }) => id)).toEqual(['b2']);
    expect(admin.audit.records[0]).toMatchObject({ action: 'binding.delete', target: AOR });
    expect((await admin.call('DELETE', url)).status).toBe(204);
    expect((await admin.location.read(AOR as Aor)).bindings).toEqual([]);
    await admin.call('DELETE', '/v1/domains/example.test/users/alice/aliases/al%40example.test');
    await admin.register(AOR, [binding('b3')]);
    expect((await admin.call('GET', url)).json?.['bindings']).toEqual([]);
  });

  it('A01 a telephone number is that of the only domain where somebody has it', async () => {
    const tel = '/v1/aors/tel:+49-30-123/bindings';
    const give = (domain: string, user: string, name: string) =>
      admin.call('PUT', `/v1/domains/${domain}/users/${user}/aliases/${name}`);
    for (const domain of ['example.test', 'other.test']) {
      await admin.call('PUT', `/v1/domains/${domain}`, { body: {} });
      await admin.call('PUT', `/v1/domains/${domain}/users/alice`, { body: { password: 'x' } });
    }
    await admin.register(AOR, [binding('b1')]);
    expect((await admin.call('GET', tel)).json).toMatchObject({ aor: 'tel:+4930123', bindings: [] });
    expect((await give('example.test', 'alice', 'tel:+4930123')).status).toBe(204);
    const found = await admin.call('GET', tel);
    expect([found.json?.['aor'], found.json?.['bindings']]).toMatchObject([AOR, [{ id: 'b1' }]]);
    const made = await admin.call('POST', '/v1/tokens', {
      body: { name: 't', scope: 'write', domains: ['other.test'] },
    });
    const token = made.json?.['token'] as string;
    expect((await admin.call('GET', tel, { token })).status).toBe(404);
    await give('other.test', 'alice', 'tel:+4930123');
    expect((await admin.call('GET', tel, { token })).json?.['aor']).toBe('sip:alice@other.test');
    const { status, json } = await admin.call('GET', tel);
    expect(status).toBe(400);
    expect(json?.['detail']).toBe(
      'tel:+4930123 does not say which domain is meant, and users of several domains have it: write sip:+4930123@ and the domain',
    );
  });

  it('A07 an alias shows no user of a domain that the token does not see', async () => {
    for (const domain of ['example.test', 'other.test'])
      await admin.call('PUT', `/v1/domains/${domain}`, { body: {} });
    await admin.call('PUT', '/v1/domains/example.test/users/alice', {
      body: { password: 'x', aliases: ['al@other.test'] },
    });
    await admin.register(AOR, [binding('b1')]);
    const made = await admin.call('POST', '/v1/tokens', {
      body: { name: 't', scope: 'write', domains: ['other.test'] },
    });
    const token = made.json?.['token'] as string;
    const url = '/v1/aors/al@other.test/bindings';
    expect((await admin.call('GET', url)).json?.['aor']).toBe(AOR);
    expect((await admin.call('GET', url, { token })).status).toBe(404);
    expect((await admin.call('DELETE', url, { token })).status).toBe(404);
    expect((await admin.location.read(AOR as Aor)).bindings).toHaveLength(1);
  });

  it('A01 nobody registered is an empty list; a binding past its second is gone though not swept', async () => {
    expect((await admin.call('GET', URL)).json).toEqual({ aor: AOR, version: 0, bindings: [] });
    await admin.register(AOR, [binding('b1')]);
    admin.time.now = NOW + 600_000;
    expect((await admin.call('GET', URL)).json?.['bindings']).toEqual([]);
  });

  it('A01 If-None-Match spares what the client has', async () => {
    const version = await admin.register(AOR, [binding('b1')]);
    const ask = (tag: string) => admin.call('GET', URL, { headers: { 'if-none-match': tag } });
    expect((await ask(`"${String(version)}"`)).status).toBe(304);
    expect((await ask(`"x", W/"${String(version)}"`)).status).toBe(304);
    expect((await ask('*')).status).toBe(304);
    expect((await ask('"0"')).status).toBe(200);
  });

  it('A12 hostile octets are shown as text', async () => {
    const octets = Buffer.from('é\u001b[31m\r\nX: "<img onerror=x>\u0000\u202e', 'utf8').toString('latin1');
    await admin.register(AOR, [
      binding('b1', { userAgent: octets, contact: `sip:${octets}@h`, callId: octets }),
    ]);
    const { text, json, headers } = await admin.call('GET', URL);
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect((json?.['bindings'] as { userAgent: string }[])[0]?.userAgent).toBe(
      'é\\x1b[31m\\x0d\\x0aX: "<img onerror=x>\\x00\\u202e',
    );
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('a store that is away is 503 with Retry-After, never an empty list', async () => {
    admin.location.read = () => Promise.reject(new StoreUnavailable('away'));
    const answer = await admin.call('GET', URL);
    expect([answer.status, answer.headers['retry-after'], answer.json?.['type']]).toEqual([
      503,
      '2',
      '/problems/store-unavailable',
    ]);
  });
});

describe('A03 deleting bindings', () => {
  async function changes(): Promise<LocationEvent[]> {
    const seen: LocationEvent[] = [];
    const stop = new AbortController();
    const watching = admin.location.watch('0', (events) => seen.push(...events), stop.signal);
    await Promise.resolve();
    stop.abort();
    await watching;
    return seen;
  }

  it('A03 A05 those of a user who is disabled or deleted go with them; watchers are told rejected', async () => {
    const user = '/v1/domains/example.test/users/alice';
    await admin.call('PUT', '/v1/domains/example.test', { body: {} });
    await admin.call('PUT', user, { body: { password: 'x' } });
    for (const forbid of [
      () => admin.call('PUT', user, { body: { enabled: false } }),
      () => admin.call('DELETE', user),
    ]) {
      await admin.register(AOR, [binding('b1')]);
      await admin.call('PUT', user, { body: { enabled: true } });
      expect((await admin.location.read(AOR as Aor)).bindings).toHaveLength(1);
      expect((await forbid()).status).toBeLessThan(300);
      expect((await admin.location.read(AOR as Aor)).bindings).toEqual([]);
      expect((await changes()).at(-1)).toMatchObject({ kind: 'rejected', actor: 'admin:root' });
      expect(admin.audit.records[0]).toMatchObject({ action: 'binding.delete', target: AOR });
    }
  });

  it('A03 A05 a deletion that the store ends half way is finished by the next one', async () => {
    const user = '/v1/domains/example.test/users/alice';
    await admin.call('PUT', '/v1/domains/example.test', { body: {} });
    await admin.call('PUT', user, { body: { password: 'x' } });
    await admin.register(AOR, [binding('b1')]);
    const commit = admin.location.commit.bind(admin.location);
    admin.location.commit = () => Promise.reject(new StoreUnavailable('away'));
    expect((await admin.call('DELETE', user)).status).toBe(503);
    expect((await admin.call('GET', user)).json).toMatchObject({ enabled: false });
    expect((await admin.location.read(AOR as Aor)).bindings).toHaveLength(1);
    admin.location.commit = commit;
    expect((await admin.call('DELETE', user)).status).toBe(204);
    expect((await admin.location.read(AOR as Aor)).bindings).toEqual([]);
    expect((await admin.call('GET', user)).status).toBe(404);
    expect((await admin.call('DELETE', user)).status).toBe(404);
  });

  it('A03 one goes, the others stay; watchers are told deactivated by whom; the audit log has it', async () => {
    await admin.register(AOR, [binding('b1'), binding('b2')]);
    expect((await admin.call('DELETE', `${URL}/b1`)).status).toBe(204);
    expect((await admin.location.read(AOR as Aor)).bindings.map(({ id }) => id)).toEqual(['b2']);
    expect((await changes()).at(-1)).toMatchObject({
      kind: 'deactivated',
      bindingId: 'b1',
      actor: 'admin:root',
    });
    expect(admin.audit.records[0]).toMatchObject({
      actor: 'admin:root',
      action: 'binding.delete',
      target: AOR,
      detail: 'b1 sip:b1@192.0.2.1:5060',
    });
    expect((await admin.call('DELETE', `${URL}/b1`)).status).toBe(404);
  });

  it('A03 all of an AoR, as often as one likes', async () => {
    await admin.register(AOR, [binding('b1'), binding('b2')]);
    expect((await admin.call('DELETE', URL)).status).toBe(204);
    expect((await admin.call('DELETE', URL)).status).toBe(204);
    expect((await admin.call('GET', URL)).json).toMatchObject({ version: 0, bindings: [] });
    expect((await changes()).filter(({ kind }) => kind === 'deactivated')).toHaveLength(2);
    expect(admin.audit.records).toHaveLength(2);
  });

  it('A03 If-Match guards against what the client has not seen', async () => {
    const version = await admin.register(AOR, [binding('b1')]);
    const remove = (tag: string) => admin.call('DELETE', `${URL}/b1`, { headers: { 'if-match': tag } });
    const refused = await remove('"0"');
    expect([refused.status, refused.json?.['type']]).toEqual([412, '/problems/precondition-failed']);
    expect((await remove(`W/"${String(version)}"`)).status).toBe(412);
    expect((await remove('nonsense')).status).toBe(400);
    expect((await remove(`"${String(version)}"`)).status).toBe(204);
  });

  it('A03 a phone that refreshes in between is decided upon again, and never overwritten', async () => {
    await admin.register(AOR, [binding('b1'), binding('b2')]);
    const commit = admin.location.commit.bind(admin.location);
    let raced = false;
    admin.location.commit = async (wanted): Promise<CommitOutcome> => {
      if (!raced) {
        raced = true;
        await commit({
          ...wanted,
          bindings: [binding('b1'), binding('b2', { cseq: 2 }), binding('b3')],
          changes: [],
        });
      }
      return commit(wanted);
    };
    expect((await admin.call('DELETE', `${URL}/b1`)).status).toBe(204);
    const left = (await admin.location.read(AOR as Aor)).bindings;
    expect(left.map(({ id, cseq }) => [id, cseq])).toEqual([
      ['b2', 2],
      ['b3', 1],
    ]);
  });

  it('A03 gives up when others are always faster: 409', async () => {
    const clock = { now: () => epochMs(NOW) };
    const busy = new MemoryLocation(clock);
    busy.read = () => Promise.resolve({ version: 1, bindings: [binding('b1')] });
    busy.commit = () =>
      Promise.resolve({ kind: 'conflict', snapshot: { version: 2, bindings: [binding('b1')] } });
    await admin.app.close();
    admin = await harness({ ports: { location: busy } });
    expect((await admin.call('DELETE', `${URL}/b1`)).status).toBe(409);
  });
});
