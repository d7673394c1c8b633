import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ha1Set } from '@rollcall/digest';
import { epochMs } from '@rollcall/kernel';
import type { Aor, BindingId } from '@rollcall/location';
import { respond } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { createInnerServer } from '@rollcall/sip-net';
import type { InnerServer } from '@rollcall/sip-net';
import { openStore } from '@rollcall/store-redis';
import type { Store } from '@rollcall/store-redis';
import { RedisProcess } from '@rollcall/testkit';
import { EdgeProcess, eventually, UdpPhone } from './harness/processes.ts';
import { authorization, draft, nonceOf } from './world.ts';

/** Two edges as processes over one Redis; the registrar is the test and stores what it is sent. */
let redis: RedisProcess;
let store: Store;
let registrar: InnerServer;
const edges: EdgeProcess[] = [];
const ports: { sip: number; inner: number; http: number }[] = [];
const phones: UdpPhone[] = [];

const HOUR_MS = 3_600_000;

async function bind(request: SipRequest): Promise<void> {
  const aor = (request.header('to') ?? '').replace(/[<>]/g, '') as Aor;
  const { version } = await store.location.read(aor);
  const now = store.clock.now();
  const contact = /<([^>]+)>/.exec(request.header('contact') ?? '')?.[1] ?? '';
  const binding = {
    id: 'b1' as BindingId,
    contact,
    params: '',
    callId: 'r1',
    cseq: 1,
    path: request.headers('path'),
    registeredAt: now,
    refreshedAt: now,
    expiresAt: epochMs(now + HOUR_MS),
  };
  const outcome = await store.location.commit({
    aor,
    expectedVersion: version,
    bindings: [binding],
    changes: [],
  });
  if (outcome.kind !== 'committed') throw new Error('not committed');
}

/** A phone of a user, registered through one of the edges. */
async function phone(user: string, edge: number): Promise<UdpPhone> {
  const one = await UdpPhone.open(ports[edge]?.sip ?? 0);
  phones.push(one);
  const uri = `<sip:${user}@example.test>`;
  // What a phone behind a NAT says of itself; nobody can reach it there.
  const message = { from: uri, to: uri, contact: `<sip:${user}@10.255.0.1:5060>` };
  const nonce = nonceOf(await one.ask(draft(message)));
  const reply = await one.ask(draft({ ...message, headers: authorization({ nonce, username: user }) }));
  expect(reply.status).toBe(200);
  return one;
}

async function invite(caller: UdpPhone, to: string): Promise<SipResponse> {
  const uri = `sip:${to}@example.test`;
  const message = { method: 'INVITE', uri, to: `<${uri}>`, contact: `<sip:alice@10.255.0.9:5060>` };
  const nonce = nonceOf(await caller.ask(draft(message)));
  const before = caller.received.length;
  const credentials = authorization({ nonce, method: 'INVITE', uri, proxy: true });
  caller.send(draft({ ...message, headers: credentials }));
  await eventually('something else than 100', () =>
    caller.received.slice(before).some(({ status }) => status > 100),
  );
  return caller.received.slice(before).find(({ status }) => status > 100) as SipResponse;
}

/** A request in the dialog that a 200 has made, as the caller sends it. */
function inDialog(method: string, ok: SipResponse): string {
  const routes = [...ok.headers('record-route')].reverse().map((value) => `Route: ${value}\r\n`);
  const target = /<([^>]+)>/.exec(ok.header('contact') ?? '')?.[1] ?? '';
  return draft({ method, uri: target, to: ok.header('to') ?? '', headers: routes.join('') }).replace(
    /From: [^\r]*/,
    `From: ${ok.header('from') ?? ''}`,
  );
}

beforeAll(async () => {
  redis = await RedisProcess.make(['--appendonly', 'yes']);
  await redis.begin();
  store = openStore({ url: redis.url });
  await eventually('the store is there', () => store.ready());
  await store.users.domains.put({ name: 'example.test' });
  for (const name of ['alice', 'bob']) {
    const ha1 = ha1Set(name, 'example.test', 'secret');
    await store.users.put({
      aor: `sip:${name}@example.test` as Aor,
      authUser: name,
      realm: 'example.test',
      ha1,
      enabled: true,
    });
  }
  registrar = await createInnerServer({
    host: '127.0.0.1',
    port: 0,
    onRequest: (request, reply) => {
      bind(request).then(
        () => {
          reply(respond(request, 200, { toTag: 'registrar' }));
        },
        () => {
          reply(respond(request, 500, { toTag: 'registrar' }));
        },
      );
    },
  });
  for (const id of ['edge-a', 'edge-b']) {
    const edge = new EdgeProcess({
      ROLLCALL_REDIS_URL: redis.url,
      ROLLCALL_SECRET: 'a secret of the process tests',
      ROLLCALL_EDGE_ID: id,
      ROLLCALL_SIP_UDP: '127.0.0.1:0',
      ROLLCALL_SIP_TCP: '127.0.0.1:0',
      ROLLCALL_INNER_PORT: '0',
      ROLLCALL_HTTP_PORT: '0',
      ROLLCALL_REGISTRARS: `127.0.0.1:${String(registrar.port)}`,
      ROLLCALL_PRESENCES: `127.0.0.1:${String(registrar.port)}`,
    });
    edges.push(edge);
    const { sip, inner, http } = await edge.ready();
    ports.push({ sip: sip.find(({ transport }) => transport === 'udp')?.port ?? 0, inner, http });
  }
});

afterAll(async () => {
  for (const one of phones) one.close();
  await Promise.all(edges.map((edge) => edge.stop()));
  await registrar.close();
  await store.close();
  await redis.stop();
});

describe.each([
  ['of one edge', 0, 0],
  ['of two edges', 0, 1],
])('a call between phones %s', (_name, callers, callees) => {
  test('C01 E03 E10 INVITE, 180, 200, ACK and BYE pass both ways, and show no inner address', async () => {
    const alice = await phone('alice', callers);
    const bob = await phone('bob', callees);
    const ringing = invite(alice, 'bob');
    const call = await bob.next('INVITE');
    expect(call.header('p-asserted-identity')).toBe('<sip:alice@example.test>');
    for (const { inner } of ports) expect(call.raw).not.toContain(`:${String(inner)}`);
    bob.answer(call, 180);
    expect((await ringing).status).toBe(180);
    bob.answer(call, 200);
    await eventually('the 200', () =>
      alice.received.some(({ status, raw }) => status === 200 && raw.includes('INVITE')),
    );
    const ok = alice.received.find(
      ({ status, raw }) => status === 200 && raw.includes('INVITE'),
    ) as SipResponse;
    for (const { inner } of ports) expect(ok.raw).not.toContain(`:${String(inner)}`);

    alice.send(inDialog('ACK', ok));
    expect((await bob.next('ACK')).requestUri).toBe(`sip:phone@127.0.0.1:${String(bob.port)}`);

    const bye = alice.ask(inDialog('BYE', ok));
    bob.answer(await bob.next('BYE'), 200);
    expect((await bye).status).toBe(200);

    // The other way: the callee's route set is that of the INVITE in order.
    const routes = call.headers('record-route').map((value) => `Route: ${value}\r\n`);
    const info = bob.ask(
      draft({
        method: 'INFO',
        uri: 'sip:alice@10.255.0.9:5060',
        to: call.header('from') ?? '',
        headers: routes.join(''),
      }),
    );
    alice.answer(await alice.next('INFO'), 200);
    expect((await info).status).toBe(200);
  });

  test('C06 the caller cancels', async () => {
    const alice = await phone('alice', callers);
    const bob = await phone('bob', callees);
    const ringing = invite(alice, 'bob');
    const call = await bob.next('INVITE');
    bob.answer(call, 180);
    const { raw } = await ringing;
    const via = /Via: ([^\r]*)/.exec(raw)?.[1]?.replace(/;received=.*/, ';rport') ?? '';
    const head = (name: string): string => new RegExp(`^${name}: ([^\r]*)`, 'm').exec(raw)?.[1] ?? '';
    alice.send(
      `CANCEL sip:bob@example.test SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: 70\r\nFrom: ${head('From')}\r\nTo: ${head('To').replace(/;tag=.*/, '')}\r\n` +
        `Call-ID: ${head('Call-ID')}\r\nCSeq: 1 CANCEL\r\nReason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n`,
    );
    const cancel = await bob.next('CANCEL');
    expect(cancel.headers('reason')).toEqual(['SIP;cause=200']);
    bob.answer(cancel, 200);
    bob.answer(call, 487);
    await eventually('the 487', () => alice.received.some(({ status }) => status === 487));
    expect((await bob.next('ACK')).method).toBe('ACK');
  });

  test('C09 a MESSAGE', async () => {
    const alice = await phone('alice', callers);
    const bob = await phone('bob', callees);
    const message = { method: 'MESSAGE', uri: 'sip:bob@example.test', to: '<sip:bob@example.test>' };
    const nonce = nonceOf(await alice.ask(draft(message)));
    const sent = alice.ask(
      draft({
        ...message,
        headers: authorization({ nonce, method: 'MESSAGE', uri: message.uri, proxy: true }),
      }),
    );
    bob.answer(await bob.next('MESSAGE'), 200);
    expect((await sent).status).toBe(200);
  });
});

describe('an edge that ends', () => {
  test('E11 its phones are 480 for the others, at once when it says good-bye', async () => {
    const alice = await phone('alice', 0);
    await phone('bob', 1);
    await edges[1]?.stop();
    await eventually('the lease is given up', async () => (await store.edges.find('edge-b')) === undefined);
    await eventually('480', async () => (await invite(alice, 'bob')).status === 480, 10_000);
  });
});
