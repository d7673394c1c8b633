import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import {
  ALICE,
  eventually,
  Subscription,
  TestSystem,
  type Account,
  type Phone,
  type SipTransport,
} from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNTS, freshAccount, ok } from './support.ts';

const ALL = ['udp', 'tcp', 'tls', 'ws', 'wss'] as const;
const STREAMS = ['tcp', 'tls', 'ws', 'wss'] as const;
const FAMILIES = ['127.0.0.1', '::1'] as const;
/** In URIs; "ws" stands for both (RFC 7118 §5.2). */
const PARAM = { udp: undefined, tcp: 'tcp', tls: 'tls', ws: 'ws', wss: 'ws' } as const;

let system: TestSystem;
/** Everything that a phone was sent. */
let received: string[] = [];
beforeAll(async () => {
  system = await TestSystem.start({
    host: '::',
    accounts: ACCOUNTS,
    replicas: { registrar: 2, presence: 2 },
    env: {
      edge: {
        ROLLCALL_HANDSHAKE_TIMEOUT: '3',
        ROLLCALL_FIRST_BYTE_TIMEOUT: '3',
        ROLLCALL_MESSAGE_TIMEOUT: '3',
      },
    },
  });
});
afterEach(() => {
  system.closePhones();
  received = [];
});
afterAll(() => system.stop());

async function open(account: Account, transport: SipTransport, host: string = FAMILIES[0]): Promise<Phone> {
  const { port } = system.sip(transport);
  const onTraffic = (direction: 'out' | 'in', raw: string): void => {
    if (direction === 'in') received.push(raw);
  };
  return system.phone(account, { transport, server: { host, port }, onTraffic });
}

/** Our advertised address is not where the test connects to, but must be one that the outside may know. */
function expectNothingInner(): void {
  const inner = system.plan.services.flatMap(({ ports, kind }) => (kind === 'edge' ? ports.slice(5) : ports));
  expect(received.length).toBeGreaterThan(0);
  for (const { port } of inner) {
    for (const raw of received) expect(raw).not.toContain(`:${String(port)}`);
  }
}

const matrix = FAMILIES.flatMap((host) => ALL.map((transport) => [transport, host] as const));

describe('E01 the same REGISTER over every transport and family', () => {
  it.each(matrix)('E01 E10 %s at %s', async (transport, host) => {
    const account = freshAccount();
    const phone = await open(account, transport, host);
    const answer = await ok(phone.register(300));
    expect(answer.headers('contact')).toHaveLength(1);
    expect(answer.topVia()).toMatchObject({ ok: true, value: { received: host } });
    const path = answer.paths();
    if (!path.ok || path.value[0]?.uri.kind !== 'sip') throw new Error('no Path');
    const { uri } = path.value[0];
    expect([uri.params.get('transport'), uri.params.has('ob'), uri.host.includes(':')]).toEqual([
      ...[PARAM[transport], true, host === '::1'],
    ]);
    const shown = await system.admin.bindings(`sip:${account.user}@${system.domain}`);
    expect(shown.map(({ contact }) => contact)).toEqual([phone.contact]);
    expectNothingInner();
  });
});

/** A MESSAGE from somebody over UDP. */
async function messageTo(account: Account, body: string): Promise<SipResponse> {
  const sender = await system.phone(ALICE, { server: { host: '127.0.0.1', port: system.sip('udp').port } });
  const to = `sip:${account.user}@${system.domain}`;
  return sender.request('MESSAGE', { uri: to, to: `<${to}>`, headers: ['Content-Type: text/plain'], body });
}

describe('E08 two phones of one user behind one address', () => {
  it.each(STREAMS)('E08 E10 over %s: both are reached', async (transport) => {
    const account = freshAccount();
    const phones = [await open(account, transport), await open(account, transport)];
    for (const phone of phones) await ok(phone.register(300));
    expect((await messageTo(account, 'to both')).status).toBe(200);
    for (const phone of phones) {
      const request = await phone.expectRequest('MESSAGE');
      expect([request.body, request.requestUri]).toEqual(['to both', phone.contact]);
      const via = request.topVia();
      expect(via.ok && via.value.transport).toBe(transport.toUpperCase());
    }
    expectNothingInner();
  });
});

describe('P14 a browser', () => {
  it('P14 a Contact that ends in .invalid is reached on its WSS flow, byte for byte; CSeq may jump', async () => {
    const account = freshAccount();
    const phone = await open(account, 'wss');
    const contact = `<sip:${account.user}@df7jal23ls0d.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";expires=600`;
    const headers = [`Contact: ${contact}`, 'Supported: path, gruu, outbound'];
    const answer = await ok(phone.request('REGISTER', { headers, cseq: 1 }));
    expect(answer.header('require')).toContain('outbound');
    expect(Number(answer.header('flow-timer'))).toBeGreaterThan(0);
    await ok(phone.request('REGISTER', { headers, cseq: 9 }));
    expect((await messageTo(account, 'to the browser')).status).toBe(200);
    const request = await phone.expectRequest('MESSAGE');
    expect(request.requestUri).toBe(`sip:${account.user}@df7jal23ls0d.invalid;transport=ws`);
  });
});

describe('E18 a watcher on a stream', () => {
  it.each(STREAMS)(
    'E18 E10 over %s: our Contact carries the transport, and the refresh comes on the flow',
    async (transport) => {
      const phone = await open(freshAccount(), transport);
      await ok(phone.register(300));
      const subscription = new Subscription(phone, {
        ...{ event: 'message-summary', expires: 300, accept: 'application/simple-message-summary' },
      });
      const contacts = [
        (await ok(subscription.send())).contacts(),
        (await subscription.nextNotify()).contacts(),
      ];
      for (const contact of contacts) {
        if (!contact.ok || contact.value.kind !== 'list') throw new Error('no Contact');
        const [{ uri } = {}] = contact.value.contacts;
        expect(uri?.kind === 'sip' && [uri.params.get('transport'), uri.port]).toEqual([
          ...[PARAM[transport], system.sip(transport).port],
        ]);
      }
      await ok(subscription.send());
      const notify: SipRequest = await subscription.nextNotify();
      const cseq = notify.cseq();
      expect(cseq.ok && cseq.value.seq).toBeGreaterThan(1);
      expectNothingInner();
    },
  );
});

describe('WS2 one socket, two users', () => {
  it.each(['ws', 'wss', 'tls'] as const)(
    "WS2 over %s: alice's socket does not make her bob",
    async (transport) => {
      const [alice, bob] = [freshAccount(), freshAccount()];
      const phone = await open(alice, transport);
      await ok(phone.register(300));
      const of = (account: Account): string => `<sip:${account.user}@${system.domain}>`;
      const headers = [`Contact: <${phone.contact}>`];
      const asBob = await phone.request('REGISTER', {
        to: of(bob),
        from: `${of(bob)};tag=x`,
        headers,
        auth: false,
      });
      expect(asBob.status).toBe(401);
      const asAlice = await phone.request('REGISTER', { to: of(bob), headers });
      expect(asAlice.status).toBe(403);
      expect(await system.admin.bindings(`sip:${bob.user}@${system.domain}`)).toEqual([]);
    },
  );
});

describe('F06 K20 slow and half-open connections', () => {
  it('F06 K20 hundreds of them are cut off in time, and a phone is served meanwhile', async () => {
    const many = 60;
    const begun = (
      transport: SipTransport,
      first: Buffer,
    ): { readonly closed: () => boolean; readonly end: () => void } => {
      const socket = connect(system.sip(transport).port, '127.0.0.1');
      let closed = false;
      socket
        .on('close', () => (closed = true))
        .on('error', () => undefined)
        .resume();
      socket.write(first);
      return { closed: () => closed, end: () => socket.destroy() };
    };
    const hello = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]);
    const half = Buffer.from('REGISTER sip:example.test SIP/2.0\r\nVia: ');
    const upgrade = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n');
    const slow = Array.from({ length: many }, () => [
      ...[
        begun('tcp', half),
        begun('tls', hello),
        begun('ws', upgrade),
        begun('wss', hello),
        begun('tcp', Buffer.alloc(0)),
      ],
    ]).flat();
    const phone = await open(freshAccount(), 'tls');
    await ok(phone.register(300));
    await eventually('all are cut off', () => slow.every(({ closed }) => closed()), 20_000);
    for (const { end } of slow) end();
    await ok(phone.register(300));
    const refused = await system.metric('edge', 'rollcall_sip_connections_refused_total', {
      reason: 'timeout',
    });
    expect(refused).toBeGreaterThanOrEqual(3 * many);
    const closed = (reason: string) => system.metric('edge', 'rollcall_sip_flows_closed_total', { reason });
    expect(await closed('unfinished-message')).toBeGreaterThanOrEqual(many);
    expect(await closed('first-byte')).toBeGreaterThanOrEqual(many);
    expect(await system.metric('edge', 'rollcall_bound_size', { queue: 'handshakes' })).toBe(0);
  });

  it('the flows and the handshakes show in the metrics, the certificate with its end', async () => {
    const phones = await Promise.all(STREAMS.map((transport) => open(freshAccount(), transport)));
    await Promise.all(phones.map((phone) => ok(phone.register(300))));
    for (const transport of STREAMS)
      expect(await system.metric('edge', 'rollcall_sip_flows', { transport })).toBeGreaterThanOrEqual(1);
    expect(await system.metric('edge', 'rollcall_tls_handshakes_total')).toBeGreaterThanOrEqual(2);
    const expiry = await system.metric('edge', 'rollcall_tls_certificate_expiry_timestamp_seconds');
    expect(expiry * 1_000).toBeGreaterThan(Date.now());
  });
});

describe('certificates', () => {
  it('SIGHUP and a changed file: the new certificate is shown, flows go on', async () => {
    const { localCertificate } = await import('@rollcall/local');
    const phone = await open(freshAccount(), 'tls');
    await ok(phone.register(300));
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls(
          { host: '127.0.0.1', port: system.sip('tls').port, rejectUnauthorized: false },
          () => {
            resolve(socket.getPeerCertificate().fingerprint256);
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });
    const before = await shown();
    // A certificate for another host takes the place of the one that there is.
    localCertificate(`${system.folder}/tls`, system.domain, '192.0.2.200');
    system.service('edge-1').process.kill('SIGHUP');
    await eventually('the new certificate', async () => (await shown()) !== before, 20_000);
    await ok(phone.register(300));
  });
});
