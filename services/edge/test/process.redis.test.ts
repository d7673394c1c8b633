import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ha1Set } from '@rollcall/digest';
import type { Aor } from '@rollcall/location';
import { respond } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import { createInnerServer } from '@rollcall/sip-net';
import type { InnerServer } from '@rollcall/sip-net';
import { openStore } from '@rollcall/store-redis';
import { freePort, RedisProcess } from '@rollcall/testkit';
import { EdgeProcess, eventually, TcpPhone, UdpPhone } from './harness/processes.ts';
import { authorization, draft, nonceOf } from './world.ts';

/** One edge as a process over a real Redis and real sockets; the registrar is the test. */
let redis: RedisProcess;
let registrar: InnerServer;
let edge: EdgeProcess;
let udp: UdpPhone;
let sipPort: number;
let innerPort: number;
let httpPort: number;
const forwarded: SipRequest[] = [];

const SECRET = 'a secret of the process tests';
const environment = (change: Record<string, string> = {}): Record<string, string> => ({
  ROLLCALL_REDIS_URL: redis.url,
  ROLLCALL_SECRET: SECRET,
  ROLLCALL_EDGE_ID: 'edge-under-test',
  ROLLCALL_SIP_UDP: '127.0.0.1:0',
  ROLLCALL_SIP_TCP: '127.0.0.1:0',
  ROLLCALL_INNER_PORT: '0',
  ROLLCALL_HTTP_PORT: '0',
  ROLLCALL_REGISTRARS: `127.0.0.1:${String(registrar.port)}`,
  ROLLCALL_PRESENCES: `127.0.0.1:${String(registrar.port)}`,
  ...change,
});

async function addAlice(): Promise<void> {
  const store = openStore({ url: redis.url });
  await eventually('the store is there', () => store.ready());
  await store.users.domains.put({ name: 'example.test' });
  const ha1 = ha1Set('alice', 'example.test', 'secret');
  await store.users.put({
    aor: 'sip:alice@example.test' as Aor,
    authUser: 'alice',
    realm: 'example.test',
    ha1,
    enabled: true,
  });
  await store.close();
}

const fetchText = async (path: string): Promise<{ status: number; text: string }> => {
  const reply = await fetch(`http://127.0.0.1:${String(httpPort)}${path}`);
  return { status: reply.status, text: await reply.text() };
};

beforeAll(async () => {
  redis = await RedisProcess.make(['--appendonly', 'yes']);
  registrar = await createInnerServer({
    host: '127.0.0.1',
    port: 0,
    onRequest: (request, reply) => {
      forwarded.push(request);
      reply(
        respond(request, 200, {
          toTag: 'registrar',
          headers: 'Contact: <sip:alice@192.0.2.99:5062>;expires=3600\r\n',
        }),
      );
    },
  });
  edge = new EdgeProcess(environment());
  const ports = await edge.ready();
  sipPort = ports.sip.find(({ transport }) => transport === 'udp')?.port ?? 0;
  innerPort = ports.inner;
  httpPort = ports.http;
  udp = await UdpPhone.open(sipPort);
});

afterAll(async () => {
  udp.close();
  await edge.stop();
  await registrar.close();
  await redis.stop();
});

describe('a Redis that is missing, then there', () => {
  test('B21 O03 requests get 503 with Retry-After, liveness holds, readiness does not, one line says why', async () => {
    const reply = await udp.ask(draft());
    expect(reply.status).toBe(503);
    expect(reply.has('retry-after')).toBe(true);
    expect((await fetchText('/healthz')).status).toBe(200);
    const ready = await fetchText('/readyz');
    expect([ready.status, ready.text.includes('store')]).toEqual([503, true]);
    expect(edge.lines.filter(({ msg }) => String(msg).startsWith('the store is away'))).toHaveLength(1);
  });

  test('B21 O03 when it comes the edge is ready without a restart', async () => {
    await redis.begin();
    await addAlice();
    await eventually('the edge is ready', async () => (await fetchText('/readyz')).status === 200);
    expect((await udp.ask(draft())).status).toBe(401);
    expect(edge.lines.filter(({ msg }) => msg === 'the store is back')).toHaveLength(1);
    expect(edge.err).toBe('');
  });
});

describe('over UDP', () => {
  test('R02 E02 E10 a registration, answered to the source, without an inner address', async () => {
    const challenge = await udp.ask(draft());
    expect(challenge.topVia()).toMatchObject({ ok: true, value: { received: '127.0.0.1', rport: udp.port } });
    const reply = await udp.ask(draft({ headers: authorization({ nonce: nonceOf(challenge) }) }));
    expect(reply.status).toBe(200);
    expect(reply.raw).not.toContain(String(innerPort));
    expect(forwarded.at(-1)?.header('p-asserted-identity')).toBe('<sip:alice@example.test>');
  });

  test('E05 a retransmission is answered from the transaction and forwarded once', async () => {
    const message = draft({ headers: authorization({ nonce: nonceOf(await udp.ask(draft())) }) });
    const before = forwarded.length;
    const first = await udp.ask(message);
    const second = await udp.ask(message);
    expect(second.raw).toBe(first.raw);
    expect(forwarded).toHaveLength(before + 1);
  });

  test('R05 the same bytes under a new branch get 401 with stale=true', async () => {
    const message = draft({
      branch: 'z9hG4bKfirst',
      headers: authorization({ nonce: nonceOf(await udp.ask(draft())) }),
    });
    expect((await udp.ask(message)).status).toBe(200);
    const replay = await udp.ask(message.replace('z9hG4bKfirst', 'z9hG4bKsecond'));
    expect([replay.status, replay.header('www-authenticate')?.includes('stale=true')]).toEqual([401, true]);
  });

  test('B24 what is malformed is refused or dropped, and counted', async () => {
    expect((await udp.ask(draft().replace(/CSeq: .*\r\n/, 'CSeq: x REGISTER\r\n'))).status).toBe(400);
    const { text } = await fetchText('/metrics');
    expect(text).toMatch(/rollcall_sip_malformed_total\{reason="refused"\} [1-9]/);
    expect(text).toMatch(/rollcall_digest_outcomes_total\{outcome="accepted"\} [1-9]/);
  });

  test('E16 OPTIONS to the edge', async () => {
    expect(
      (await udp.ask(draft({ method: 'OPTIONS', uri: `sip:127.0.0.1:${String(sipPort)}` }))).status,
    ).toBe(200);
  });
});

describe('over TCP', () => {
  const via = { via: 'SIP/2.0/TCP 192.0.2.99:5062;branch=z9hG4bKtcp;rport' };
  const tcpPort = (): number =>
    (
      edge.lines.find(({ msg }) => msg === 'ready') as { sip: { transport: string; port: number }[] }
    ).sip.find(({ transport }) => transport === 'tcp')?.port ?? 0;

  test('E13 a message in one-byte pieces, and two in one segment', async () => {
    const phone = await TcpPhone.open(tcpPort());
    await phone.write(...Array.from(draft(via)));
    await eventually('the first 401', () => phone.statuses.length === 1);
    await phone.write(draft({ via: `${via.via}2` }) + draft({ via: `${via.via}3` }));
    await eventually('both 401', () => phone.statuses.length === 3);
    expect(phone.statuses).toEqual([401, 401, 401]);
    phone.close();
  });

  test('E01 E18 a registration on a stream has the stream in its Path', async () => {
    const phone = await TcpPhone.open(tcpPort());
    await phone.write(draft(via));
    await eventually('the 401', () => phone.statuses.length === 1);
    const nonce = /nonce="([^"]+)"/.exec(phone.text)?.[1] ?? '';
    await phone.write(draft({ via: `${via.via}4`, headers: authorization({ nonce }) }));
    await eventually('the 200', () => phone.statuses.includes(200));
    expect(forwarded.at(-1)?.header('path')).toMatch(
      new RegExp(`^<sip:edge-under-test~[^@]+@127\\.0\\.0\\.1:${String(tcpPort())};transport=tcp;lr;ob>$`),
    );
    phone.close();
  });
});

describe('a Redis that goes away and comes back', () => {
  test('B21 known users are served on, unknown ones get 503; one line each; no restart', async () => {
    await redis.kill();
    await eventually('the edge is not ready', async () => (await fetchText('/readyz')).status === 503);
    const nonce = nonceOf(await udp.ask(draft()));
    const stranger = await udp.ask(draft({ headers: authorization({ nonce, username: 'bob' }) }));
    expect([stranger.status, stranger.has('retry-after')]).toEqual([503, true]);
    await redis.begin();
    await eventually('the edge is ready again', async () => (await fetchText('/readyz')).status === 200);
    const again = await udp.ask(
      draft({ headers: authorization({ nonce: nonceOf(await udp.ask(draft())) }) }),
    );
    expect(again.status).toBe(200);
    expect(edge.lines.filter(({ msg }) => String(msg).startsWith('the store is away'))).toHaveLength(2);
  });
});

describe('the process', () => {
  test('O06 a wrong setting ends with one line that names it, exit code 78', async () => {
    const wrong = new EdgeProcess(environment({ ROLLCALL_HTTP_PORT: 'abc' }));
    expect(await wrong.ended).toBe(78);
    expect(wrong.err).toMatch(/^rollcall-edge: ROLLCALL_HTTP_PORT: "abc" [^\n]+\n$/);
  });

  test('a busy port ends with one line, exit code 1', async () => {
    for (const name of ['ROLLCALL_SIP_UDP', 'ROLLCALL_SIP_TCP'] as const) {
      const port = name === 'ROLLCALL_SIP_UDP' ? sipPort : innerPort;
      const second = new EdgeProcess(environment({ [name]: `127.0.0.1:${String(port)}` }));
      expect(await second.ended).toBe(1);
      expect(second.err).toBe(
        `rollcall-edge: 127.0.0.1:${String(port)} (${name === 'ROLLCALL_SIP_UDP' ? 'udp' : 'tcp'}) is already in use\n`,
      );
    }
  });

  test('O04 E14 a traced request carries our trace inside, never one from outside', async () => {
    const tracing = { OTEL_TRACES_EXPORTER: 'console', ROLLCALL_EDGE_ID: 'edge-that-traces' };
    const other = new EdgeProcess(environment(tracing));
    const ports = await other.ready();
    await eventually(
      'it has the store',
      async () => (await fetch(`http://127.0.0.1:${String(ports.http)}/readyz`)).status === 200,
    );
    const phone = await UdpPhone.open(ports.sip.find(({ transport }) => transport === 'udp')?.port ?? 0);
    const outside = 'Traceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\n';
    const nonce = nonceOf(await phone.ask(draft()));
    await phone.ask(draft({ headers: outside + authorization({ nonce }) }));
    const inner = forwarded.at(-1)?.headers('traceparent') ?? [];
    expect(inner).toHaveLength(1);
    expect(inner[0]).toMatch(/^00-(?!1{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    phone.close();
    await other.stop();
    expect(other.out).toContain(String(inner[0]?.split('-')[1]));
  });

  test('E12 SIGTERM: it drains, gives its lease up and ends with 0', async () => {
    const other = new EdgeProcess(
      environment({ ROLLCALL_EDGE_ID: 'edge-that-ends', ROLLCALL_INNER_PORT: String(await freePort()) }),
    );
    await other.ready();
    const store = openStore({ url: redis.url });
    await eventually(
      'the lease',
      async () => store.ready() && (await store.edges.find('edge-that-ends')) !== undefined,
    );
    expect(await other.stop()).toBe(0);
    expect(await store.edges.find('edge-that-ends')).toBeUndefined();
    expect(await store.edges.find('edge-under-test')).toMatchObject({
      inner: `127.0.0.1:${String(innerPort)}`,
    });
    await store.close();
  });
});
