import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALICE, eventually, TestSystem, token, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNTS, contactLine, freshAccount, ok, TRANSPORTS } from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, replicas: { registrar: 2 } });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

/** REGISTERs that the registrars have answered, over all replicas. */
const registered = () => system.metric('edge', 'rollcall_inner_requests_total', { target: 'registrar' });

describe('E02 rport', () => {
  it.each(TRANSPORTS)(
    'E02 over %s: received and rport name the source, whatever the Via says',
    async (transport) => {
      const phone = await system.phone(freshAccount(), { transport });
      const raw = phone.build('REGISTER').replace(/(Via: \S+ )[\d.:]+/, '$1192.0.2.77:9999');
      const answer = await phone.transact(raw);
      expect(answer.status).toBe(401);
      const via = answer.topVia();
      expect(via.ok && [via.value.host, via.value.port]).toEqual(['192.0.2.77', 9999]);
      expect(via.ok && via.value.received).toBe('127.0.0.1');
      expect(via.ok && via.value.rport).toBe(phone.wire.local.port);
    },
  );
});

describe('E05 retransmission', () => {
  it('E05 a repeated request is forwarded once and answered again (timer J)', async () => {
    const phone = await system.phone(freshAccount());
    phone.learn(await phone.transact(phone.build('REGISTER')));
    const before = await registered();
    const raw = phone.build('REGISTER', { headers: [contactLine(`<${phone.contact}>`)] });
    const first = await ok(phone.transact(raw));
    phone.send(raw);
    phone.send(raw);
    const again = await phone.expect((one) => one.kind === 'response', 'second answer');
    const third = await phone.expect((one) => one.kind === 'response', 'third answer');
    expect(again.raw).toBe(first.raw);
    expect(third.raw).toBe(first.raw);
    expect(await registered()).toBe(before + 1);
  });

  it('E05 the same request twice before its answer is forwarded once', async () => {
    const phone = await system.phone(freshAccount());
    phone.learn(await phone.transact(phone.build('REGISTER')));
    const before = await registered();
    const raw = phone.build('REGISTER', { headers: [contactLine(`<${phone.contact}>`)] });
    phone.send(raw);
    phone.send(raw);
    phone.send(raw);
    await phone.expect((one) => one.kind === 'response' && one.status === 200, 'answer');
    await sleep(200);
    expect(await registered()).toBe(before + 1);
  });
});

/** A bare TCP connection to the edge. */
async function stream(): Promise<{ socket: Socket; received: () => string; closed: () => boolean }> {
  const { host, port } = system.sip('tcp');
  const socket = connect({ host, port, noDelay: true });
  let text = '';
  let closed = false;
  socket.on('data', (data) => (text += data.toString('latin1')));
  socket.on('close', () => (closed = true));
  socket.on('error', () => (closed = true));
  await new Promise((resolve) => socket.on('connect', resolve));
  return { socket, received: () => text, closed: () => closed };
}

const count = (text: string, status: number): number => text.split(`SIP/2.0 ${status} `).length - 1;

describe('E13 framing', () => {
  let phone: Phone;
  const register = (change: (raw: string) => string = (raw) => raw) =>
    change(phone.build('REGISTER', { auth: false, callId: token(), from: `<${phone.aor}>;tag=${token()}` }));
  beforeAll(async () => {
    phone = await system.phone(ALICE, { transport: 'tcp' });
  });

  it('E13 TCP: a message in pieces of one byte', async () => {
    const { socket, received } = await stream();
    for (const octet of register()) {
      socket.write(octet, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually('one 401', () => count(received(), 401) === 1);
    socket.destroy();
  });

  it('E13 TCP: two messages in one segment, with keep-alives between', async () => {
    const { socket, received } = await stream();
    socket.write(`\r\n\r\n${register()}\r\n\r\n\r\n\r\n${register()}`, 'latin1');
    await eventually('two 401s', () => count(received(), 401) === 2);
    socket.destroy();
  });

  it('E13 TCP: two messages cut at every offset are framed the same', async () => {
    const both = register() + register();
    const { socket, received } = await stream();
    let expected = 0;
    for (let at = 1; at < both.length; at += 37) {
      const fresh = both.replace(/branch=z9hG4bK\w+/g, () => `branch=z9hG4bK${token()}`);
      socket.write(fresh.slice(0, at), 'latin1');
      await sleep(2);
      socket.write(fresh.slice(at), 'latin1');
      expected += 2;
    }
    await eventually(`${expected} answers`, () => count(received(), 401) === expected);
    socket.destroy();
  });

  it.each([
    ['negative', (raw: string) => raw.replace('Content-Length: 0', 'Content-Length: -1')],
    ['no number', (raw: string) => raw.replace('Content-Length: 0', 'Content-Length: many')],
    [
      'given twice, differently',
      (raw: string) => raw.replace('Content-Length: 0', 'Content-Length: 0\r\nContent-Length: 5'),
    ],
    ['beyond every limit', (raw: string) => raw.replace('Content-Length: 0', 'Content-Length: 999999999999')],
  ])('E13 TCP: Content-Length %s: 400 or 413, and the stream is closed', async (_, change) => {
    const { socket, received, closed } = await stream();
    socket.write(register(change), 'latin1');
    await eventually('closed', closed);
    expect(received()).toMatch(/^(SIP\/2\.0 4(00|13) [^]*)?$/);
    socket.destroy();
  });

  it('E13 TCP: Content-Length missing on a stream is no body or 400', async () => {
    const { socket, received, closed } = await stream();
    socket.write(
      register((raw) => raw.replace('Content-Length: 0\r\n', '')),
      'latin1',
    );
    await eventually('an answer', () => /SIP\/2\.0 40[01] /.test(received()) || closed());
    socket.destroy();
  });

  it('E13 UDP: Content-Length larger than the datagram: 400', async () => {
    const udp = await system.phone(freshAccount());
    const raw = udp.build('REGISTER').replace('Content-Length: 0', 'Content-Length: 100');
    expect((await udp.transact(raw)).status).toBe(400);
  });

  it('E13 UDP: octets behind the body are ignored, a missing Content-Length takes the rest', async () => {
    const udp = await system.phone(freshAccount());
    expect((await udp.transact(`${udp.build('REGISTER')}trailing`)).status).toBe(401);
    expect((await udp.transact(udp.build('REGISTER').replace('Content-Length: 0\r\n', ''))).status).toBe(401);
  });

  it.each([
    [
      'a header block of 64 KiB and more',
      () =>
        register((raw) =>
          raw.replace('Max-Forwards: 70', `Max-Forwards: 70\r\nX-Long: ${'x'.repeat(80_000)}`),
        ),
    ],
    [
      'a body of 1 MiB',
      () =>
        register((raw) =>
          raw.replace('Content-Length: 0\r\n\r\n', `Content-Length: 1048576\r\n\r\n${'b'.repeat(1_048_576)}`),
        ),
    ],
  ])('E13 TCP: %s is refused with 400, 413 or 513 and the stream is closed', async (_, make) => {
    const { socket, received, closed } = await stream();
    socket.write(make(), 'latin1');
    await eventually('closed', closed, 10_000);
    expect(received()).toMatch(/^(SIP\/2\.0 (400|413|513) [^]*)?$/);
    socket.destroy();
  });

  it('E13 TCP: 200 stalled half messages hold little memory, and others are served', async () => {
    const memory = async () => (await system.metrics('edge-1')).sum('process_resident_memory_bytes');
    const before = await memory();
    const half = register((raw) =>
      raw.replace('Max-Forwards: 70', `Max-Forwards: 70\r\nX-Long: ${'x'.repeat(8000)}`),
    ).slice(0, 8000);
    const streams = await Promise.all(Array.from({ length: 200 }, () => stream()));
    for (const { socket } of streams) socket.write(half, 'latin1');
    await sleep(500);
    const other = await system.phone(freshAccount(), { transport: 'tcp' });
    await ok(other.register());
    expect((await memory()) - before).toBeLessThan(64 * 1024 * 1024);
    for (const { socket } of streams) socket.destroy();
  });

  it('E13 a malformed packet is answered 400 or dropped, and counted', async () => {
    const before = await system.metric('edge', 'rollcall_sip_malformed_total');
    const udp = await system.phone(freshAccount());
    udp.send('this is not SIP at all\r\n\r\n');
    udp.send('\u0000\u0001\u0002');
    expect((await udp.transact(udp.build('REGISTER').replace(/^Call-ID:.*\r\n/m, ''))).status).toBe(400);
    await eventually(
      'counted',
      async () => (await system.metric('edge', 'rollcall_sip_malformed_total')) > before,
    );
  });
});

describe('E14 the trust boundary', () => {
  it.each(TRANSPORTS)(
    'E14 over %s: asserted identity, foreign Path and inner trace headers from outside are removed',
    async (transport) => {
      const [attacker, victim] = [freshAccount(), freshAccount()];
      const phone = await system.phone(attacker, { transport });
      const forged = [
        `P-Asserted-Identity: <sip:${victim.user}@${system.domain}>`,
        'Path: <sip:forged-token@203.0.113.9;lr;ob>',
        'Traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01',
        'X-Rollcall-Anything: yes',
      ];
      const to = `<sip:${victim.user}@${system.domain}>`;
      const stolen = await phone.register(600, {
        to,
        headers: [contactLine(`<${phone.contact}>`), ...forged],
      });
      expect(stolen.status).toBe(403);
      const own = await ok(phone.register(600, { headers: [contactLine(`<${phone.contact}>`), ...forged] }));
      expect(own.raw).not.toContain('forged-token');
      const store = await system.store();
      const snapshot = await store.location.read(`sip:${attacker.user}@${system.domain}` as never);
      const [binding] = snapshot.bindings;
      expect(binding?.path).toHaveLength(1);
      expect(binding?.path.join()).not.toContain('forged-token');
      expect((await store.location.read(`sip:${victim.user}@${system.domain}` as never)).bindings).toEqual(
        [],
      );
    },
  );
});
