import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROBLEM_IDS, PROBLEMS } from '@rollcall/http';
import { createTracing } from '@rollcall/telemetry';
import type { SpanLine } from '@rollcall/telemetry';
import type { Aor } from '@rollcall/location';
import type { Subscription, SubscriptionId } from '@rollcall/events';
import { epochMs } from '@rollcall/kernel';
import type { Harness } from './harness.ts';
import { harness, NOW } from './harness.ts';

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { name: string; in: string; schema: object }[];
  readonly requestBody?: unknown;
  readonly responses: Record<string, { description: string; content?: Record<string, unknown> }>;
}
interface Spec {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { securitySchemes: Record<string, unknown> };
}

let admin: Harness;
beforeEach(async () => {
  admin = await harness();
});
afterEach(() => admin.app.close());

const spec = async (): Promise<Spec> =>
  (await admin.call('GET', '/openapi.json', { token: null })).json as unknown as Spec;
async function operations(): Promise<{ name: string; path: string; operation: Operation }[]> {
  return Object.entries((await spec()).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
  );
}

describe('A08 OpenAPI', () => {
  it('A08 is 3.1, without a token, and has every route', async () => {
    expect((await spec()).openapi).toBe('3.1.0');
    expect((await operations()).map(({ name }) => name).sort()).toEqual([
      'delete /v1/aors/{aor}/bindings',
      'delete /v1/aors/{aor}/bindings/{id}',
      'delete /v1/aors/{aor}/grants/{identity}',
      'delete /v1/aors/{aor}/mailbox',
      'delete /v1/aors/{aor}/publications/{etag}',
      'delete /v1/aors/{aor}/watcher-rules',
      'delete /v1/domains/{domain}',
      'delete /v1/domains/{domain}/users/{user}',
      'delete /v1/domains/{domain}/users/{user}/aliases/{alias}',
      'delete /v1/domains/{domain}/users/{user}/policy',
      'delete /v1/resource-lists/{uri}',
      'delete /v1/subscriptions/{id}',
      'delete /v1/tokens/{id}',
      'delete /v1/traces/{aor}',
      'delete /v1/webhooks/{id}',
      'get /problems',
      'get /problems/{id}',
      'get /v1/aors',
      'get /v1/aors/{aor}/bindings',
      'get /v1/aors/{aor}/grants',
      'get /v1/aors/{aor}/mailbox',
      'get /v1/aors/{aor}/publications',
      'get /v1/aors/{aor}/trace',
      'get /v1/aors/{aor}/trace.pcap',
      'get /v1/aors/{aor}/watcher-rules',
      'get /v1/audit',
      'get /v1/domains',
      'get /v1/domains/{domain}',
      'get /v1/domains/{domain}/users',
      'get /v1/domains/{domain}/users/{user}',
      'get /v1/domains/{domain}/users/{user}/aliases',
      'get /v1/domains/{domain}/users/{user}/policy',
      'get /v1/edges',
      'get /v1/edges/{id}',
      'get /v1/edges/{id}/flows',
      'get /v1/events',
      'get /v1/overview',
      'get /v1/resource-lists',
      'get /v1/resource-lists/{uri}',
      'get /v1/subscriptions',
      'get /v1/tokens',
      'get /v1/traces',
      'get /v1/webhooks',
      'get /v1/webhooks/{id}/dead-letters',
      'post /v1/tokens',
      'post /v1/traces',
      'post /v1/webhooks',
      'put /v1/aors/{aor}/grants/{identity}',
      'put /v1/aors/{aor}/mailbox',
      'put /v1/aors/{aor}/watcher-rules',
      'put /v1/domains/{domain}',
      'put /v1/domains/{domain}/users/{user}',
      'put /v1/domains/{domain}/users/{user}/aliases/{alias}',
      'put /v1/domains/{domain}/users/{user}/policy',
      'put /v1/resource-lists/{uri}',
      'put /v1/webhooks/{id}',
    ]);
  });

  it('A08 each operation has a summary, a tag, its path parameters, an answer and its problems', async () => {
    for (const { name, path, operation } of await operations()) {
      expect(operation.summary, name).toBeTruthy();
      expect(operation.tags, name).toHaveLength(1);
      const inPath = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect(inPath, name).toEqual(Array.from(path.matchAll(/\{(\w+)\}/g), (match) => match[1]));
      const codes = Object.keys(operation.responses);
      expect(
        codes.some((code) => code.startsWith('2')),
        name,
      ).toBe(true);
      expect(codes, name).toContain('500');
      if (path.startsWith('/v1/')) expect(codes, name).toEqual(expect.arrayContaining(['401', '503']));
      if (/^(put|post|delete) /.test(name)) expect(codes, name).toContain('403');
      for (const [code, answer] of Object.entries(operation.responses)) {
        if (code >= '400')
          expect(Object.keys(answer.content ?? {}), `${name} ${code}`).toEqual(['application/problem+json']);
      }
    }
  });

  it('A08 the problems that it names are those of the table, with their status, and each is explained', async () => {
    for (const { name, operation } of await operations()) {
      for (const [code, { description }] of Object.entries(operation.responses)) {
        if (code < '400') continue;
        for (const part of description.split('; ')) {
          const id = PROBLEM_IDS.find((known) => part === `${known}: ${PROBLEMS[known].title}`);
          expect(id && String(PROBLEMS[id].status), `${name}: ${part}`).toBe(code);
        }
      }
    }
    for (const id of PROBLEM_IDS) {
      const page = await admin.call('GET', `/problems/${id}`, { token: null });
      expect(page.json).toEqual({ type: `/problems/${id}`, ...PROBLEMS[id] });
    }
    expect((await admin.call('GET', '/problems', { token: null })).json?.['items']).toHaveLength(
      PROBLEM_IDS.length,
    );
    expect((await admin.call('GET', '/problems/other', { token: null })).status).toBe(404);
  });

  it('A08 the page for it is served from here alone, with a policy that has no unsafe-inline', async () => {
    const page = await admin.app.inject('/docs');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('unsafe');
    const links = Array.from(page.body.matchAll(/(?:src|href)="([^"]+)"/g), (match) => match[1] ?? '');
    expect(links.length).toBeGreaterThan(2);
    for (const link of links) expect((await admin.app.inject(link)).statusCode, link).toBe(200);
    expect(page.body).not.toMatch(/ on\w+=|<style|style=|<script(?![^>]* src=)/);
    const icon = /<link rel="icon" href="([^"]+)"/.exec(page.body)?.[1] ?? '/favicon.ico';
    expect((await admin.app.inject(icon)).headers['content-type']).toBe('image/svg+xml');
    const script = await admin.app.inject('/docs/docs.js');
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(script.body).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|https?:/);
  });
});

describe('A08 errors', () => {
  it('A08 faults of requests are problems of the table', async () => {
    const check = async (
      answer: Promise<{ status: number; json: Record<string, unknown> | undefined }>,
      id: keyof typeof PROBLEMS,
    ) => {
      const { status, json } = await answer;
      expect([status, json?.['type']]).toEqual([PROBLEMS[id].status, `/problems/${id}`]);
    };
    await check(admin.call('GET', '/v1/nothing'), 'not-found');
    await check(admin.call('POST', '/v1/domains/a.test', { body: {} }), 'method-not-allowed');
    await check(admin.call('GET', '/v1/domains/%zz'), 'invalid-request');
    await check(admin.call('GET', `/v1/aors/${'a'.repeat(3_000)}/bindings`), 'uri-too-long');
    await check(
      admin.call('PUT', '/v1/domains/a.test', { body: { realm: 'x'.repeat(100_000) } }),
      'content-too-large',
    );
    await check(admin.call('GET', '/v1/domains/a.test'), 'not-found');
    const fault = admin.call('GET', '/v1/audit?limit=many');
    await check(fault, 'invalid-request');
    expect((await fault).json?.['errors']).toEqual([
      { at: 'query/limit', detail: expect.any(String) as string },
    ]);
  });

  it('A08 a bug is 500 without its inside, and is logged under the id that the client sees', async () => {
    admin.location.read = () => Promise.reject(new Error('inner detail'));
    const { status, text, json } = await admin.call('GET', '/v1/aors/a@example.test/bindings');
    expect(status).toBe(500);
    expect(text).not.toContain('inner detail');
    expect(json?.['instance']).toBe(`urn:uuid:${String(admin.logged[0]?.fields['request'])}`);
  });
});

describe('O04 tracing', () => {
  it('O04 a request continues the trace of its caller and hands it to the store', async () => {
    await admin.app.close();
    const spans: SpanLine[] = [];
    const env = { OTEL_TRACES_EXPORTER: 'console' };
    const tracing = await createTracing({
      service: 'rollcall-admin',
      env,
      write: (line) => spans.push(JSON.parse(line) as SpanLine),
    });
    admin = await harness({ tracing });
    let handed: string | undefined;
    admin.events.putMailbox = (_aor, _mailbox, trace) => {
      handed = trace;
      return Promise.resolve();
    };
    const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    const body = { counts: { 'voice-message': { new: 1, old: 0 } } };
    await admin.call('PUT', '/v1/aors/sip:alice@example.test/mailbox', { body, headers });
    expect(spans[0]).toMatchObject({
      span: 'http.admin.request',
      kind: 'server',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      parent_span_id: 'b7ad6b7169203331',
      attributes: {
        'http.request.method': 'PUT',
        'http.route': '/v1/aors/:aor/mailbox',
        'http.response.status_code': 200,
      },
    });
    expect(handed).toBe(`00-0af7651916cd43dd8448eb211c80319c-${String(spans[0]?.span_id)}-01`);
  });
});

describe('subscriptions, mailboxes, edges', () => {
  const AOR = 'sip:alice@example.test' as Aor;
  const subscription = (id: string): Subscription => ({
    id: id as SubscriptionId,
    resource: AOR,
    package: 'message-summary',
    eventId: '',
    watcher: 'sip:bob@example.test',
    callId: 'c1',
    remoteTag: 't',
    remoteUri: 'sip:bob@example.test',
    localUri: AOR,
    remoteTarget: 'sip:bob@192.0.2.9',
    route: [],
    localTarget: 'sip:x@198.51.100.1',
    remoteCseq: 1,
    localCseq: 3,
    accept: 'application/simple-message-summary',
    expiresAt: epochMs(NOW + 300_000),
    delivery: 'settled',
    until: epochMs(0),
    failures: 0,
    sent: 'f',
    documents: 3,
    access: 'active',
    reason: 'timeout',
    retryAfter: 0,
    createdAt: epochMs(NOW),
    minInterval: 0,
    notifiedAt: epochMs(NOW),
    answered: 200,
    quenched: false,
    list: undefined,
  });

  it('A04 subscriptions of a resource are listed page by page with the last NOTIFY', async () => {
    const shard = String(admin.events.shardOf(AOR));
    for (const name of ['a', 'b', 'c']) {
      const next = subscription(`${shard}.${name}`);
      await admin.events.commit({ id: next.id, resource: AOR, expectedVersion: 0, next });
    }
    const first = await admin.call('GET', `/v1/subscriptions?resource=${AOR}&limit=2`);
    const items = first.json?.['items'] as Record<string, unknown>[];
    expect(items.map((item) => item['id'])).toEqual([`${shard}.a`, `${shard}.b`]);
    expect(items[0]).toMatchObject({
      resource: AOR,
      event: 'message-summary',
      watcher: 'sip:bob@example.test',
      expires: 300,
      notify: { cseq: 3, delivery: 'settled', failures: 0 },
    });
    const more = await admin.call(
      'GET',
      `/v1/subscriptions?resource=${AOR}&limit=2&cursor=${String(first.json?.['cursor'])}`,
    );
    expect((more.json?.['items'] as unknown[]).length).toBe(1);
    expect(more.json).not.toHaveProperty('cursor');
    expect((await admin.call('GET', '/v1/subscriptions')).status).toBe(400);
  });

  it('S16 publications are listed and removed, which tells who watches', async () => {
    const url = `/v1/aors/${AOR}/publications`;
    const expiresAt = epochMs(NOW + 60_000);
    const publications = [
      { etag: 'e-1', package: 'presence', expiresAt, body: 'n\tx' },
      { etag: 'e-2', package: 'dialog', expiresAt, body: 'full' },
      { etag: 'e-3', package: 'presence', expiresAt: epochMs(NOW), body: '' },
    ];
    await admin.events.commitPublications({ resource: AOR, expectedVersion: 0, publications, changed: true });
    expect((await admin.call('GET', url)).json).toEqual({
      items: [
        { etag: 'e-1', event: 'presence', octets: 3, expires: 60, expiresAt: '2026-01-31T12:01:00.000Z' },
        { etag: 'e-2', event: 'dialog', octets: 4, expires: 60, expiresAt: '2026-01-31T12:01:00.000Z' },
      ],
    });
    expect((await admin.call('DELETE', `${url}/other`)).status).toBe(404);
    expect((await admin.call('DELETE', `${url}/e-1`)).status).toBe(204);
    expect((await admin.events.readPublications(AOR)).publications.map(({ etag }) => etag)).toEqual([
      'e-2',
      'e-3',
    ]);
    expect((await admin.call('DELETE', `${url}/e-1`)).status).toBe(404);
  });

  it('S27 a mailbox is set, read and removed', async () => {
    const url = `/v1/aors/${AOR}/mailbox`;
    const mailbox = {
      account: 'sip:vm@example.test',
      counts: { 'voice-message': { new: 2, old: 8, urgentNew: 1, urgentOld: 0 } },
    };
    expect((await admin.call('GET', url)).status).toBe(404);
    expect((await admin.call('PUT', url, { body: mailbox })).json).toEqual(mailbox);
    expect(await admin.events.readMailbox(AOR)).toEqual({
      account: 'sip:vm@example.test',
      counts: { 'voice-message': { fresh: 2, old: 8, urgentFresh: 1, urgentOld: 0 } },
    });
    expect((await admin.call('GET', url)).json).toEqual(mailbox);
    for (const bad of [
      {},
      { counts: { other: { new: 1, old: 1 } } },
      { counts: { 'voice-message': { new: -1, old: 0 } } },
    ]) {
      expect((await admin.call('PUT', url, { body: bad })).status, JSON.stringify(bad)).toBe(400);
    }
    expect((await admin.call('DELETE', url)).status).toBe(204);
    expect((await admin.call('GET', url)).status).toBe(404);
  });

  it('edges that live are listed', async () => {
    expect((await admin.call('GET', '/v1/edges')).json).toEqual({
      items: [{ id: 'e1', epoch: 7, inner: '10.0.0.1:5070' }],
    });
  });
});
