import { describe, expect, it } from 'vitest';
import { FlowTokens } from '@rollcall/location';
import { binding, harness } from './harness.ts';

const flow = (edge: string): string =>
  `<sip:${new FlowTokens('a secret of some length').sign({ edge, epoch: 1, flow: 'u0-7f000001-5060' })}@192.0.2.9;lr;ob>`;

async function filled() {
  const admin = await harness();
  const put = (aor: string, id: string, fields: Parameters<typeof binding>[1]) =>
    admin.register(aor, [binding(id, fields)]);
  await put('sip:alice@example.test', 'a', {
    source: 'udp:192.0.2.1:5060',
    userAgent: 'Acme/1',
    path: [flow('e1')],
  });
  await put('sip:albert@example.test', 'b', { source: 'tcp:192.0.2.1:40000', userAgent: 'baresip' });
  await put('sip:alice@other.test', 'c', {
    source: 'udp:192.0.2.1:5061',
    userAgent: '<img onerror>\u001b[31m',
  });
  const list = async (query: string, more = {}): Promise<string[]> => {
    const answer = await admin.call('GET', `/v1/aors${query}`, more);
    expect(answer.status).toBe(200);
    return (answer.json?.['items'] as { aor: string }[]).map(({ aor }) => aor).sort();
  };
  return { ...admin, list };
}

describe('A02 GET /v1/aors', () => {
  it('A02 lists by domain, prefix, transport, user agent and edge', async () => {
    const { list } = await filled();
    expect(await list('')).toHaveLength(3);
    expect(await list('?domain=EXAMPLE.test')).toEqual(['sip:albert@example.test', 'sip:alice@example.test']);
    expect(await list('?prefix=alb')).toEqual(['sip:albert@example.test']);
    expect(await list('?transport=TCP')).toEqual(['sip:albert@example.test']);
    expect(await list('?user_agent=acme')).toEqual(['sip:alice@example.test']);
    expect(await list('?edge=e1&domain=example.test')).toEqual(['sip:alice@example.test']);
    expect(await list('?edge=e2')).toEqual([]);
  });

  it('A02 goes on by cursor until there is none', async () => {
    const { call } = await filled();
    const seen: string[] = [];
    let cursor = '';
    do {
      const { json } = await call('GET', `/v1/aors?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...(json?.['items'] as { aor: string }[]).map(({ aor }) => aor));
      cursor = (json?.['cursor'] as string | undefined) ?? '';
    } while (cursor !== '');
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(3);
  });

  it('A02 shows what a binding is: transport, user agent, edge, seconds left', async () => {
    const { call } = await filled();
    const { json } = await call('GET', '/v1/aors?edge=e1');
    expect(json?.['items']).toMatchObject([
      { bindings: [{ id: 'a', transport: 'udp', userAgent: 'Acme/1', edge: 'e1', expires: 600 }] },
    ]);
  });

  it('A12 a hostile User-Agent is text without control characters', async () => {
    const { call } = await filled();
    const { text } = await call('GET', '/v1/aors?domain=other.test');
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('\\u001b');
  });

  it('A07 a token of one domain sees that domain alone, of several has to name one; another is 404', async () => {
    const { call, list } = await filled();
    const token = async (domains: string[]): Promise<string> => {
      const made = await call('POST', '/v1/tokens', { body: { name: 't', scope: 'read', domains } });
      return String(made.json?.['token']);
    };
    const one = await token(['other.test']);
    expect(await list('', { token: one })).toEqual(['sip:alice@other.test']);
    expect((await call('GET', '/v1/aors?domain=example.test', { token: one })).status).toBe(404);
    const two = await token(['other.test', 'example.test']);
    expect((await call('GET', '/v1/aors', { token: two })).status).toBe(400);
    expect(await list('?domain=other.test', { token: two })).toEqual(['sip:alice@other.test']);
  });

  it('wrong parameters are 400', async () => {
    const { call } = await filled();
    for (const query of ['?transport=%20', '?domain=a%20b', '?limit=0', '?sort=x']) {
      expect((await call('GET', `/v1/aors${query}`)).status, query).toBe(400);
    }
  });
});
