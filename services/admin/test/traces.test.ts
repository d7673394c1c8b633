import { afterEach, describe, expect, it } from 'vitest';
import { startOpsServer, internalToken } from '@rollcall/http';
import type { EdgeLease } from '@rollcall/location';
import type { EdgeStatus, TraceEntry } from '@rollcall/trace';
import { createEdgeClient } from '../src/trace/edge-client.ts';
import type { EdgeClient } from '../src/trace/edge-client.ts';
import { History } from '../src/trace/history.ts';
import { LiveEdges } from '../src/trace/live-edges.ts';
import type { Harness } from './harness.ts';
import { harness } from './harness.ts';

const ALICE = 'sip:alice@example.test';
const REGISTER = [
  'REGISTER sip:example.test SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bK1',
  `From: "<img src=x>" <${ALICE}>;tag=1`,
  `To: <${ALICE}>`,
  'Call-ID: c1',
  'CSeq: 1 REGISTER',
  'Contact: <sip:alice@192.0.2.1>',
  '\r\n',
].join('\r\n');

const entry = (edge: string, at: number, octets = REGISTER): TraceEntry => ({
  ...{ at, edge, octets, hop: 'phone', direction: 'in', transport: 'udp', flow: 'u' },
  local: { address: '198.51.100.1', port: 5060 },
  remote: { address: '192.0.2.1', port: 5071 },
});

const status = (fields: Partial<EdgeStatus> = {}): EdgeStatus => ({
  ...{
    id: 'e1',
    epoch: 7,
    ready: { ok: true },
    storeConnected: true,
    listeners: [],
    requests: {},
    answers: {},
  },
  ...{ refusals: {}, delivered: 0, flows: { tcp: 2 }, transactions: 0, cpu: 0, memory: 1 },
  ...{ inner: {}, trace: { entries: 1, bytes: 1, kept: 1, percent: 100, active: 0 } },
  ...fields,
});

const EDGES: readonly EdgeLease[] = [
  { id: 'e1', epoch: 7, inner: '10.0.0.1:5070', http: '10.0.0.1:9090' },
  { id: 'e2', epoch: 8, inner: '10.0.0.2:5070', http: '10.0.0.2:9090' },
  { id: 'old', epoch: 9, inner: '10.0.0.3:5070' },
];

/** Edges in memory: what each answers by path, and what was asked. */
function edgesOf(answers: Readonly<Record<string, unknown>>): {
  readonly client: EdgeClient;
  readonly asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    client: {
      ask: (http, path, { method = 'GET', body } = {}) => {
        asked.push(`${method} ${http}${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`);
        const key = Object.keys(answers).find((one) => `${http}${path}`.startsWith(one));
        return key === undefined ? Promise.reject(new Error('away')) : Promise.resolve(answers[key]);
      },
    },
  };
}

let admin: Harness | undefined;
afterEach(() => admin?.app.close());

async function withEdges(answers: Readonly<Record<string, unknown>>, leases = EDGES) {
  const { client, asked } = edgesOf(answers);
  admin = await harness({ ports: { edges: { list: () => Promise.resolve(leases) } }, edgeClient: client });
  return { ...admin, asked };
}

describe('A10 GET /v1/aors/{aor}/trace', () => {
  const answers = {
    '10.0.0.1:9090/internal/trace?': { entries: [entry('e1', 2_000)] },
    '10.0.0.1:9090/internal/traces': { traces: [{ aor: ALICE, until: 1_769_860_800_000_000 }] },
  };

  it('A10 merges what the edges have kept and says who could not be asked', async () => {
    const { call, asked } = await withEdges(answers);
    const { status: code, json } = await call('GET', `/v1/aors/${ALICE}/trace`);
    expect(code).toBe(200);
    expect(json).toMatchObject({
      aor: ALICE,
      tracedUntil: '2026-01-31T12:00:00.000Z',
      edges: [
        { id: 'e1', reachable: true, messages: 1 },
        { id: 'e2', reachable: false, reason: 'away', messages: 0 },
        { id: 'old', reachable: false, messages: 0 },
      ],
      steps: [{ label: 'REGISTER', from: 'phone udp 192.0.2.1:5071', to: 'edge e1' }],
    });
    expect(asked).toContain('GET 10.0.0.1:9090/internal/trace?aor=sip%3Aalice%40example.test&limit=300');
  });

  it('A12 what phones send is text in it', async () => {
    const { call } = await withEdges(answers);
    const { text, headers } = await call('GET', `/v1/aors/${ALICE}/trace`);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect((JSON.parse(text) as { steps: { message: string }[] }).steps[0]?.message).toContain(
      '"<img src=x>"',
    );
  });

  it('A10 trace.pcap is a capture file, and who took it is in the audit log', async () => {
    const { app, audit } = await withEdges(answers);
    const answer = await app.inject({
      url: `/v1/aors/${ALICE}/trace.pcap`,
      headers: { authorization: 'Bearer root-token-of-the-tests' },
    });
    expect(answer.headers['content-type']).toBe('application/vnd.tcpdump.pcap');
    expect(answer.headers['content-disposition']).toBe(
      'attachment; filename="rollcall-alice@example.test.pcap"',
    );
    expect(answer.rawPayload.subarray(0, 4).toString('hex')).toBe('d4c3b2a1');
    expect(answer.rawPayload.toString('latin1')).toContain(REGISTER);
    expect((await audit.list(undefined, 1)).items[0]).toMatchObject({
      action: 'trace.download',
      target: ALICE,
    });
  });

  it('is 503 when no edge can be asked, which is not the same as nothing', async () => {
    const { call } = await withEdges({});
    const { status: code, json } = await call('GET', `/v1/aors/${ALICE}/trace`);
    expect([code, json?.['type']]).toEqual([503, '/problems/edges-unreachable']);
    expect(String(json?.['detail'])).toContain('e1: away');
  });
});

describe('A10 /v1/traces', () => {
  const answers = {
    '10.0.0.1:9090/internal/traces': { traces: [{ aor: ALICE, until: 1_769_860_800_000_000 }] },
  };

  it('A10 every edge is told, for a limited time, and it is in the audit log', async () => {
    const { call, asked, audit } = await withEdges(answers);
    const before = Date.now();
    const made = await call('POST', '/v1/traces', { body: { aor: 'alice@EXAMPLE.test', seconds: 60 } });
    expect(made.status).toBe(201);
    expect(made.json?.['aor']).toBe(ALICE);
    expect(Date.parse(String(made.json?.['until'])) - before).toBeGreaterThan(55_000);
    expect(asked.map((line) => line.split(' ', 2).join(' '))).toEqual([
      'PUT 10.0.0.1:9090/internal/traces',
      'PUT 10.0.0.2:9090/internal/traces',
    ]);
    expect((await call('GET', '/v1/traces')).json).toEqual({
      items: [{ aor: ALICE, until: '2026-01-31T12:00:00.000Z' }],
    });
    expect((await call('DELETE', `/v1/traces/${ALICE}`)).status).toBe(204);
    const acts = (await audit.list(undefined, 5)).items.map(({ action }) => action);
    expect(acts).toEqual(['trace.stop', 'trace.start']);
    for (const seconds of [0, 3_601, 1.5]) {
      expect((await call('POST', '/v1/traces', { body: { aor: ALICE, seconds } })).status).toBe(400);
    }
  });

  it('A07 packets are for tokens of scope trace or write, and only of their domains', async () => {
    const { call } = await withEdges(answers);
    const token = async (scope: string, domains?: string[]): Promise<string> => {
      const made = await call('POST', '/v1/tokens', {
        body: { name: 't', scope, ...(domains && { domains }) },
      });
      return String(made.json?.['token']);
    };
    const [read, trace, other] = [
      await token('read'),
      await token('trace'),
      await token('trace', ['other.test']),
    ];
    const start = (as: string) => call('POST', '/v1/traces', { body: { aor: ALICE }, token: as });
    expect((await start(read)).status).toBe(403);
    expect((await call('GET', `/v1/aors/${ALICE}/trace`, { token: read })).status).toBe(403);
    expect((await call('GET', `/v1/aors/${ALICE}/trace.pcap`, { token: read })).status).toBe(403);
    expect((await start(trace)).status).toBe(201);
    expect((await call('GET', '/v1/domains', { token: trace })).status).toBe(200);
    expect((await call('DELETE', `/v1/aors/${ALICE}/bindings`, { token: trace })).status).toBe(403);
    expect((await start(other)).status).toBe(404);
    expect((await call('GET', '/v1/traces', { token: other })).json).toEqual({ items: [] });
  });
});

describe('edges and overview', () => {
  it('show how each edge is, and one that hangs hides no other', async () => {
    const { call } = await withEdges({ '10.0.0.1:9090/internal/status': status() });
    const { json } = await call('GET', '/v1/overview');
    expect(json).toMatchObject({
      edges: [
        { id: 'e1', reachable: true, status: { flows: { tcp: 2 } } },
        { id: 'e2', reachable: false },
        { id: 'old', reachable: false },
      ],
      moments: [],
    });
    expect((await call('GET', '/v1/edges/e1')).json).toMatchObject({ id: 'e1', status: { epoch: 7 } });
    expect((await call('GET', '/v1/edges/none')).status).toBe(404);
    expect((await call('GET', '/v1/edges/e2/flows')).status).toBe(503);
  });

  it('rates are those between two moments, and a new start of an edge is no jump', () => {
    const history = new History(new LiveEdges({ list: () => Promise.resolve([]) }, undefined));
    history.take([status()], 1_000);
    history.take(
      [status({ requests: { REGISTER: 50 }, answers: { '200': 20, '401': 25, '423': 5 } })],
      6_000,
    );
    expect(history.moments).toEqual([
      expect.objectContaining({
        at: 6_000,
        register: 10,
        ok: 4,
        challenged: 5,
        refused: 1,
        failed: 0,
        flows: 2,
      }),
    ]);
    history.take([status({ epoch: 8, requests: { REGISTER: 5_000 } })], 11_000);
    expect(history.moments[1]).toMatchObject({ register: 0 });
  });

  it('an edge is asked over HTTP with the token of the shared secret', async () => {
    const secret = 'a secret that is shared';
    const server = await startOpsServer({
      ...{ host: '127.0.0.1', port: 0, live: () => true, ready: () => ({ ok: true }) },
      metrics: () => Promise.resolve(''),
      internal: {
        token: internalToken(secret),
        handle: ({ path }) =>
          Promise.resolve(path === '/internal/status' ? { status: 200, value: status() } : undefined),
      },
    });
    const http = `127.0.0.1:${String(server.port)}`;
    try {
      expect(await createEdgeClient(secret).ask(http, '/internal/status')).toEqual(status());
      await expect(createEdgeClient('another secret').ask(http, '/internal/status')).rejects.toThrow('401');
      await expect(createEdgeClient(secret).ask(http, '/internal/none')).rejects.toThrow('404');
    } finally {
      await server.close();
    }
  });
});
