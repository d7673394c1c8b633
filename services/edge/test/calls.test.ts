import { describe, expect, it } from 'vitest';
import { FlowTokens } from '@rollcall/location';
import { ALICE, BOB, call, pathOf, statuses, tokenOf, TOKENS, uriOf, withBob } from './call-world.ts';
import { authorization, binding, draft, EDGE, nonceOf, settle } from './world.ts';
import type { FakeFlow, Sent } from './world.ts';

const flowsOf = (sent: readonly Sent[]): string[] => sent.map(({ flow }) => flow.id);

describe('who may call', () => {
  it('C11 a caller without credentials gets 407 without state', async () => {
    const edge = await withBob(['t1']);
    const transaction = edge.send(draft({ method: 'INVITE', uri: BOB, to: `<${BOB}>` }));
    expect(transaction.answer.status).toBe(407);
    expect(transaction.answer.headers('proxy-authenticate')).toHaveLength(3);
    expect(transaction.answers[0]?.stateless).toBe(true);
    expect(edge.front.sent).toHaveLength(0);
  });

  it('C11 a route of ours does not let a request in that begins a dialog', async () => {
    const edge = await withBob(['t1']);
    const route = `Route: ${uriOf(tokenOf('t1'))}\r\n`;
    expect(edge.send(draft({ method: 'INVITE', uri: BOB, headers: route })).answer.status).toBe(407);
  });
});

describe('RFC 3261 §16.6 forwarding', () => {
  it('C08 E03 the request goes on the flow of the Path, with both sides recorded and the identity asserted', async () => {
    const edge = await withBob(['t1']);
    await call(edge, { headers: 'P-Asserted-Identity: <sip:evil@example.test>\r\nSubject: kept\r\n' });
    const { request, flow } = edge.front.last;
    expect(flow.id).toBe('t1');
    expect(request.requestUri).toBe('sip:bob@10.0.0.1:5060;f=t1');
    expect(request.maxForwards()).toMatchObject({ value: 69 });
    expect(request.headers('via')).toEqual([
      expect.stringMatching(/^SIP\/2\.0\/TCP 198\.51\.100\.1:5060;branch=z9hG4bK/) as string,
      expect.stringMatching(/received=192\.0\.2\.1;rport=5062/) as string,
    ]);
    const recorded = request.recordRoutes();
    expect(
      recorded.ok &&
        recorded.value.map(({ uri }) => (uri.kind === 'sip' ? TOKENS.verify(uri.user ?? '')?.flow : '')),
    ).toEqual(['t1', 'u0-c0000201-5062']);
    expect(request.has('route')).toBe(false);
    expect(request.headers('p-asserted-identity')).toEqual([ALICE]);
    expect(request.has('proxy-authorization')).toBe(false);
    expect(request.header('subject')).toBe('kept');
  });

  it('E14 RFC 3325 §9.3 a caller who wants privacy is not named to the phone', async () => {
    const edge = await withBob(['t1']);
    await call(edge, { headers: 'Privacy: id\r\n' });
    expect(edge.front.last.request.has('p-asserted-identity')).toBe(false);
  });

  it('C09 a MESSAGE records no route', async () => {
    const edge = await withBob(['t1']);
    const transaction = await call(edge, { method: 'MESSAGE' });
    expect(edge.front.last.request.has('record-route')).toBe(false);
    edge.front.last.answer(200);
    expect(statuses(transaction)).toEqual([200]);
    expect(transaction.answer.headers('via')).toHaveLength(1);
  });

  it('C10 Max-Forwards 0, Proxy-Require, a loop, an unknown method', async () => {
    const edge = await withBob(['t1']);
    expect(edge.send(draft({ method: 'INVITE', uri: BOB, maxForwards: 0 })).answer.status).toBe(483);
    expect(
      edge.send(draft({ method: 'INVITE', uri: BOB, headers: 'Proxy-Require: gin\r\n' })).answer.status,
    ).toBe(420);
    await call(edge, { method: 'FOO' });
    const { request } = edge.front.last;
    expect(request.method).toBe('FOO');
    // It comes back as it was received, with our Via on top.
    const vias = request
      .headers('via')
      .map((via) => `Via: ${via}\r\n`)
      .join('');
    const original = edge.send(draft({ method: 'FOO', uri: BOB, to: `<${BOB}>` })).request;
    expect(original.requestUri).toBe(BOB);
    const loop = request.raw
      .replace(/^FOO \S+/, `FOO ${BOB}`)
      .replace(/Record-Route:[^\r]*\r\n/g, '')
      .replace(/Via:[^\r]*\r\n/g, '')
      .replace('\r\n', `\r\n${vias}`);
    const credentials = /\r\nContent-Length/;
    const withoutMark = edge.send(loop.replace(/branch=z9hG4bK[^;\r]*\.[0-9a-f]{12}/, 'branch=z9hG4bKother'));
    expect(withoutMark.answer.status).not.toBe(482);
    expect(credentials.test(loop)).toBe(true);
  });

  it('C10 the same request again through a loop of proxies is 482', async () => {
    const edge = await withBob(['t1']);
    const uri = BOB;
    const nonce = nonceOf(edge.send(draft({ method: 'INVITE', uri, to: `<${uri}>` })).answer);
    const message = draft({
      method: 'INVITE',
      uri,
      to: `<${uri}>`,
      headers: authorization({ nonce, method: 'INVITE', uri, proxy: true }),
    });
    edge.send(message);
    await settle();
    const ours = edge.front.last.request.headers('via')[0] ?? '';
    const back = message.replace(
      'Via: ',
      `Via: SIP/2.0/TCP 203.0.113.7;branch=z9hG4bKx\r\nVia: ${ours}\r\nVia: `,
    );
    expect(edge.send(back).answer.status).toBe(482);
  });
});

describe('RFC 3261 §16.7 answers', () => {
  it('C01 all devices ring, the first 200 wins, the others are cancelled', async () => {
    const edge = await withBob(['t1'], ['t2'], ['t3']);
    const transaction = await call(edge);
    expect(flowsOf(edge.front.sent).sort()).toEqual(['t1', 't2', 't3']);
    for (const sent of edge.front.sent) sent.answer(180);
    const [first, second, third] = edge.front.sent as [Sent, Sent, Sent];
    second.answer(200);
    expect([first.cancelled, second.cancelled, third.cancelled]).toEqual([true, false, true]);
    first.answer(487);
    third.answer(487);
    expect(statuses(transaction)).toEqual([180, 180, 180, 200]);
  });

  it('C01 a second 200 passes too', async () => {
    const edge = await withBob(['t1'], ['t2']);
    const transaction = await call(edge);
    for (const sent of edge.front.sent) sent.answer(200);
    expect(statuses(transaction)).toEqual([200, 200]);
  });

  it('C02 the best answer: 486 before 404, a 6xx ends the search, all silent is 408', async () => {
    const busy = await withBob(['t1'], ['t2']);
    const first = await call(busy);
    busy.front.sent[0]?.answer(404);
    busy.front.sent[1]?.answer(486);
    expect(statuses(first)).toEqual([486]);

    const decline = await withBob(['t1', 1_000], ['t2', 500]);
    const second = await call(decline);
    decline.front.last.answer(603);
    expect(decline.front.sent).toHaveLength(1);
    expect(statuses(second)).toEqual([603]);

    const silent = await withBob(['t1'], ['t2']);
    const third = await call(silent);
    for (const sent of silent.front.sent) sent.fail('timeout');
    expect(statuses(third)).toEqual([408]);
  });

  it('C02 a 6xx waits for the branches that it cancels', async () => {
    const edge = await withBob(['t1'], ['t2']);
    const transaction = await call(edge);
    const [first, second] = edge.front.sent as [Sent, Sent];
    first.answer(180);
    second.answer(603);
    expect(first.cancelled).toBe(true);
    expect(statuses(transaction)).toEqual([180]);
    first.answer(487);
    expect(statuses(transaction)).toEqual([180, 603]);
  });

  it('C02 challenges of all branches go back together; a lone 503 becomes 500', async () => {
    const edge = await withBob(['t1'], ['t2']);
    const transaction = await call(edge);
    edge.front.sent[0]?.answer(401, 'WWW-Authenticate: Digest realm="a", nonce="1"\r\n');
    edge.front.sent[1]?.answer(407, 'Proxy-Authenticate: Digest realm="b", nonce="2"\r\n');
    expect(transaction.answer.has('www-authenticate') && transaction.answer.has('proxy-authenticate')).toBe(
      true,
    );
    const away = await withBob(['t1']);
    const other = await call(away);
    away.front.last.answer(503);
    expect(statuses(other)).toEqual([500]);
  });

  it('C03 serial by q, parallel within', async () => {
    const edge = await withBob(['t1', 500], ['t2', 1_000], ['t3', 500]);
    const transaction = await call(edge);
    expect(flowsOf(edge.front.sent)).toEqual(['t2']);
    edge.front.last.answer(486);
    expect(flowsOf(edge.front.sent.slice(1)).sort()).toEqual(['t1', 't3']);
    edge.front.last.answer(200);
    expect(statuses(transaction)).toEqual([200]);
  });

  it('C04 one device is gone, the call still completes', async () => {
    const edge = await withBob(['t1', 1_000], ['t2', 500]);
    edge.front.flows.delete('t1');
    const transaction = await call(edge);
    expect(flowsOf(edge.front.sent)).toEqual(['t2']);
    edge.front.last.answer(200);
    expect(statuses(transaction)).toEqual([200]);
  });

  it('C05 nobody registered, all devices gone, unknown user', async () => {
    const edge = await withBob();
    expect(statuses(await call(edge))).toEqual([480]);
    expect(statuses(await call(edge, { uri: 'sip:nobody@example.test' }))).toEqual([404]);
    const gone = await withBob(['t1']);
    gone.front.flows.clear();
    expect(statuses(await call(gone))).toEqual([480]);
    expect(statuses(await call(edge, { method: 'MESSAGE' }))).toEqual([480]);
  });

  it('C05 an expired binding is no target', async () => {
    const edge = await withBob(['t1']);
    edge.hand.turn(2 * 3_600_000 + 1);
    expect(statuses(await call(edge))).toEqual([480]);
  });

  it('C06 the caller cancels: all devices are cancelled, 487', async () => {
    const edge = await withBob(['t1'], ['t2'], ['t3']);
    const transaction = await call(edge);
    for (const sent of edge.front.sent) sent.answer(180);
    transaction.onCancel?.('');
    expect(edge.front.sent.map(({ cancelled }) => cancelled)).toEqual([true, true, true]);
    for (const sent of edge.front.sent) sent.answer(487);
    expect(statuses(transaction)).toEqual([180, 180, 180, 487]);
  });

  it('C06 a device that ignores the CANCEL does not keep the caller waiting for ever', async () => {
    const edge = await withBob(['t1']);
    const transaction = await call(edge);
    edge.front.last.answer(180);
    transaction.onCancel?.('');
    edge.hand.turn(32_000);
    expect(statuses(transaction)).toEqual([180, 487]);
  });

  it('C12 timer C cancels what only rings; 408, whether the device then answers 487 or nothing', async () => {
    const edge = await withBob(['t1'], ['t2'], ['t3', 500]);
    const transaction = await call(edge);
    const [rings, trying] = edge.front.sent as [Sent, Sent];
    rings.answer(180);
    edge.hand.turn(180_001);
    expect([rings.cancelled, trying.cancelled]).toEqual([false, false]);
    edge.hand.turn(10_000);
    expect([rings.cancelled, trying.cancelled]).toEqual([true, true]);
    rings.answer(487);
    expect(flowsOf(edge.front.sent)).toEqual(['t1', 't2']);
    edge.hand.turn(32_000);
    expect(flowsOf(edge.front.sent)).toEqual(['t1', 't2', 't3']);
    edge.front.last.answer(404);
    expect(statuses(transaction)).toEqual([180, 408]);
  });
});

describe('inside a dialog', () => {
  const route = (...flows: string[]): string =>
    flows.map((flow) => `Route: ${uriOf(tokenOf(flow))}\r\n`).join('');
  const CALLER = 'u0-c0000201-5062';
  const inDialog = (method: string, routes: string): string =>
    draft({ method, uri: 'sip:bob@10.0.0.1:5060', to: `<${BOB}>;tag=t`, headers: routes });

  it('C01 ACK and BYE of the caller reach the device, those of the device the caller', async () => {
    const edge = await withBob(['t1']);
    const device = edge.front.flow('t1') as FakeFlow;
    edge.send(inDialog('ACK', route(CALLER, 't1')));
    expect(device.sent).toHaveLength(1);
    expect(device.sent[0]).toMatch(/^ACK sip:bob@10\.0\.0\.1:5060 SIP/);
    expect(device.sent[0]).not.toContain('Route:');
    const bye = edge.send(inDialog('BYE', route(CALLER, 't1')));
    expect(edge.front.last.flow.id).toBe('t1');
    edge.front.last.answer(200);
    expect(statuses(bye)).toEqual([200]);
    edge.send(inDialog('BYE', route('t1', CALLER)), device);
    expect(edge.front.last.flow.id).toBe(CALLER);
  });

  it('C01 a caller whose NAT has given it another port is still routed', async () => {
    const edge = await withBob(['t1']);
    const moved = edge.front.open('u0-c0000201-6000');
    edge.send(inDialog('BYE', route(CALLER, 't1')), moved);
    expect(edge.front.last.flow.id).toBe('t1');
  });

  it('E06 a flow that is gone is 430; a forged token is no route of ours', async () => {
    const edge = await withBob(['t1']);
    edge.front.flows.delete('t1');
    expect(edge.send(inDialog('BYE', route(CALLER, 't1'))).answer.status).toBe(430);
    const forged = uriOf(
      new FlowTokens('another secret').sign({ edge: EDGE.id, epoch: EDGE.epoch, flow: 't1' }),
    );
    expect(edge.send(inDialog('BYE', `Route: ${forged}\r\n`)).answer.status).toBe(404);
  });

  it('E11 a stream of an earlier start of this edge is gone, a UDP flow is not', async () => {
    const edge = await withBob(['t1']);
    const before = { id: EDGE.id, epoch: EDGE.epoch - 1 };
    const old = (flow: string): string => `Route: ${uriOf(tokenOf(flow, before))}\r\n`;
    edge.front.open('u0-c0000205-5060');
    expect(edge.send(inDialog('BYE', old('t1'))).answer.status).toBe(430);
    edge.send(inDialog('BYE', old('u0-c0000205-5060')));
    expect(edge.front.last.flow.id).toBe('u0-c0000205-5060');
  });

  it('an ACK without a route of ours goes nowhere', async () => {
    const edge = await withBob(['t1']);
    expect(edge.send(inDialog('ACK', '')).answers).toHaveLength(0);
    expect(edge.front.sent).toHaveLength(0);
  });
});

describe('to another edge', () => {
  it('C08 a device of another edge is called through that edge, its token on the route', async () => {
    const edge = await withBob();
    const there = { id: 'edge-2', epoch: 77 };
    edge.store.leases.set('edge-2', { ...there, inner: '10.9.9.2:5070' });
    edge.store.bindings.set(BOB, [binding('sip:bob@10.0.0.1', [pathOf('t9', there)])]);
    const transaction = await call(edge);
    const { request, flow } = edge.front.last;
    expect(flow.id).toBe('tcp:10.9.9.2:5070');
    expect(request.headers('route')).toEqual([pathOf('t9', there)]);
    expect(request.headers('record-route')).toHaveLength(1);
    edge.front.last.answer(200);
    expect(statuses(transaction)).toEqual([200]);
  });

  it('E11 an edge without a lease, or started again, is not asked', async () => {
    const edge = await withBob();
    const there = { id: 'edge-2', epoch: 77 };
    edge.store.bindings.set(BOB, [binding('sip:bob@10.0.0.1', [pathOf('t9', there)])]);
    expect(statuses(await call(edge))).toEqual([480]);
    edge.hand.turn(5_000);
    edge.store.leases.set('edge-2', { id: 'edge-2', epoch: 78, inner: '10.9.9.2:5070' });
    expect(statuses(await call(edge))).toEqual([480]);
    expect(edge.front.sent).toHaveLength(0);
  });

  it('E11 a lease is believed until it ends, and no longer', async () => {
    const edge = await withBob();
    const there = { id: 'edge-2', epoch: 77 };
    edge.store.leases.set('edge-2', { ...there, inner: '10.9.9.2:5070', leftMs: 700 });
    edge.store.bindings.set(BOB, [binding('sip:bob@10.0.0.1', [pathOf('t9', there)])]);
    await call(edge);
    edge.store.leases.delete('edge-2');
    edge.hand.turn(699);
    await call(edge);
    expect(edge.front.sent).toHaveLength(2);
    edge.hand.turn(1);
    expect(statuses(await call(edge))).toEqual([480]);
    expect(edge.front.sent).toHaveLength(2);
  });

  it('B21 the store away is 503 with Retry-After', async () => {
    const edge = await withBob(['t1']);
    await call(edge, { method: 'MESSAGE' });
    edge.store.away = true;
    const transaction = await call(edge, { method: 'MESSAGE' });
    expect(transaction.answer.status).toBe(503);
    expect(transaction.answer.has('retry-after')).toBe(true);
  });
});
