import { describe, expect, it } from 'vitest';
import { FlowTokens } from '@rollcall/location';
import { ADVERTISED, authorization, draft, EDGE, nonceOf, SECRET, settle, world } from './world.ts';
import type { Draft, FakeTransaction, World } from './world.ts';

const TOKENS = new FlowTokens(SECRET);
const BOB = 'sip:bob@example.test';
const CALLER = 'u0-c0000201-5062';
const uriOf = (flow: string, edge = EDGE): string =>
  `<sip:${TOKENS.sign({ edge: edge.id, epoch: edge.epoch, flow })}@${ADVERTISED.address}:${String(ADVERTISED.port)};lr>`;

async function ask(edge: World, change: Draft & { method: string; uri: string }): Promise<FakeTransaction> {
  const nonce = nonceOf(edge.send(draft(change)).answer);
  const { method, uri } = change;
  const transaction = edge.send(
    draft({ ...change, headers: `${change.headers ?? ''}${authorization({ nonce, method, uri })}` }),
  );
  await settle();
  return transaction;
}

async function withAlice(): Promise<World> {
  const edge = await world();
  edge.store.addUser('alice', 'secret');
  return edge;
}

describe('SUBSCRIBE and PUBLISH', () => {
  it('S01 without credentials: 401 complete, stateless', async () => {
    const edge = await withAlice();
    const transaction = edge.send(
      draft({ method: 'SUBSCRIBE', uri: BOB, headers: 'Event: message-summary\r\n' }),
    );
    expect(transaction.answer.status).toBe(401);
    expect(transaction.answer.headers('www-authenticate')).toHaveLength(3);
    expect(transaction.answers[0]?.stateless).toBe(true);
    expect(edge.presence.requests).toHaveLength(0);
  });

  it('S02 goes to presence with Record-Route and identity, and its answer comes back', async () => {
    const edge = await withAlice();
    const transaction = await ask(edge, {
      method: 'SUBSCRIBE',
      uri: BOB,
      to: `<${BOB}>`,
      headers: 'Event: presence\r\n',
    });
    const inner = edge.presence.only;
    expect(inner.header('record-route')).toBe(uriOf(CALLER));
    expect(inner.header('p-asserted-identity')).toBe('<sip:alice@example.test>');
    expect(inner.has('path')).toBe(false);
    expect(edge.presence.requests[0]?.key).toBe(BOB);
    edge.presence.answer(200, `Record-Route: ${uriOf(CALLER)}\r\nExpires: 3600\r\n`);
    expect(transaction.answer.status).toBe(200);
    expect(transaction.answer.header('record-route')).toBe(uriOf(CALLER));
  });

  it('S04 E18 a refresh to the Contact of presence, which has our address, goes to presence', async () => {
    const edge = await withAlice();
    const uri = 'sip:3.abcdef@198.51.100.1:5060;transport=tcp';
    await ask(edge, {
      method: 'SUBSCRIBE',
      uri,
      to: `<${BOB}>;tag=3.abcdef`,
      headers: `Route: ${uriOf(CALLER)}\r\nEvent: presence\r\n`,
    });
    expect(edge.presence.only.requestUri).toBe(uri);
    expect(edge.presence.only.has('route')).toBe(false);
  });

  it('S12 a refresh with an old nonce gets 401 with stale=true', async () => {
    const edge = await withAlice();
    const uri = 'sip:3.abcdef@198.51.100.1:5060';
    const refresh = { method: 'SUBSCRIBE', uri, to: `<${BOB}>;tag=3.abcdef` };
    const nonce = nonceOf(edge.send(draft(refresh)).answer);
    edge.hand.turn(3_600_001);
    const { answer } = edge.send(
      draft({ ...refresh, headers: authorization({ nonce, method: 'SUBSCRIBE', uri }) }),
    );
    expect(answer.status).toBe(401);
    expect(answer.header('www-authenticate')).toContain('stale=true');
    expect(edge.presence.requests).toHaveLength(0);
  });

  it('S15 PUBLISH goes to presence without Record-Route', async () => {
    const edge = await withAlice();
    await ask(edge, { method: 'PUBLISH', uri: 'sip:alice@example.test', headers: 'Event: presence\r\n' });
    expect(edge.presence.only.has('record-route')).toBe(false);
  });

  it('R07 a watcher of another domain of ours is asked for the credentials of that domain', async () => {
    const edge = await withAlice();
    const from = (host: string): string | undefined =>
      edge
        .send(draft({ method: 'SUBSCRIBE', uri: BOB, from: `<sip:x@${host}>` }))
        .answer.header('www-authenticate');
    expect(from('other.test')).toContain('realm="other.test"');
    expect(from('anonymous.invalid')).toContain('realm="example.test"');
  });

  it('R11 a resource of another domain is refused', async () => {
    const edge = await withAlice();
    expect(
      edge.send(draft({ method: 'SUBSCRIBE', uri: 'sip:x@elsewhere.test', from: '<sip:x@elsewhere.test>' }))
        .answer.status,
    ).toBe(404);
  });

  it('B21 presence away: 503 with Retry-After', async () => {
    const edge = await withAlice();
    const transaction = await ask(edge, { method: 'SUBSCRIBE', uri: BOB });
    edge.presence.requests[0]?.done({ kind: 'unavailable' });
    expect(transaction.answer.status).toBe(503);
  });
});

/** A request as presence sends it to the edge. */
function fromInside(method: string, routes: string, change: Draft = {}): string {
  return draft({
    method,
    uri: 'sip:alice@10.0.0.7:5060',
    to: '<sip:alice@example.test>;tag=w1',
    from: `<${BOB}>`,
    via: `SIP/2.0/TCP 10.9.9.3:5080;branch=${change.branch ?? `z9hG4bKp${routes.length.toString()}${method}`}`,
    headers: `${routes}Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Rollcall-Test: x\r\n`,
    ...change,
  });
}

describe('requests from inside', () => {
  it('S02 a NOTIFY goes out on the flow of its token, and the answer back inside', async () => {
    const edge = await withAlice();
    const replies = edge.inner(fromInside('NOTIFY', `Route: ${uriOf(CALLER)}\r\n`));
    const { request, flow } = edge.front.last;
    expect(flow.id).toBe(CALLER);
    expect(request.requestUri).toBe('sip:alice@10.0.0.7:5060');
    expect(request.headers('via')[0]).toMatch(
      /^SIP\/2\.0\/UDP 198\.51\.100\.1:5060;branch=z9hG4bK[^;]+;rport$/,
    );
    expect(request.raw).not.toMatch(/^(Route|Traceparent|X-Rollcall)/im);
    expect(request.has('record-route')).toBe(false);
    edge.front.last.answer(200);
    expect(replies.map(({ status }) => status)).toEqual([200]);
    expect(replies[0]?.headers('via')).toEqual([expect.stringContaining('10.9.9.3:5080') as string]);
  });

  it('S02 a NOTIFY that overtakes the answer to its SUBSCRIBE waits for it; others do not', async () => {
    const edge = await withAlice();
    const callId = 'dialog@test';
    const notify = (change: Draft = {}): unknown =>
      edge.inner(fromInside('NOTIFY', `Route: ${uriOf(CALLER)}\r\n`, change));
    const subscribe = await ask(edge, {
      ...{ method: 'SUBSCRIBE', uri: BOB, to: `<${BOB}>`, callId },
      headers: 'Event: presence\r\n',
    });
    notify({ callId, branch: 'z9hG4bKearly' });
    expect(edge.front.sent).toHaveLength(0);
    notify({ branch: 'z9hG4bKother' });
    expect(edge.front.sent).toHaveLength(1);
    edge.presence.answer(200, 'Expires: 3600\r\n');
    expect(subscribe.answer.status).toBe(200);
    expect(edge.front.sent).toHaveLength(2);
    expect(edge.front.last.request.callId()).toMatchObject({ ok: true, value: callId });
    notify({ callId, branch: 'z9hG4bKlater' });
    expect(edge.front.sent).toHaveLength(3);
  });

  it('S02 a NOTIFY does not wait for an answer that does not come', async () => {
    const edge = await withAlice();
    const callId = 'dialog@test';
    await ask(edge, {
      method: 'SUBSCRIBE',
      uri: BOB,
      to: `<${BOB}>`,
      callId,
      headers: 'Event: presence\r\n',
    });
    edge.inner(fromInside('NOTIFY', `Route: ${uriOf(CALLER)}\r\n`, { callId }));
    edge.hand.turn(499);
    expect(edge.front.sent).toHaveLength(0);
    edge.hand.turn(1);
    expect(edge.front.sent).toHaveLength(1);
    edge.presence.answer(200);
    expect(edge.front.sent).toHaveLength(1);
  });

  it('E06 a flow that is gone, another edge or a forged token is 430', async () => {
    const edge = await withAlice();
    const forged = new FlowTokens('another secret').sign({
      ...{ edge: EDGE.id, epoch: EDGE.epoch },
      flow: CALLER,
    });
    const routes = [
      uriOf('t77'),
      uriOf(CALLER, { id: 'edge-2', epoch: 1 }),
      `<sip:${forged}@198.51.100.1:5060;lr>`,
    ];
    for (const route of routes) {
      const [reply] = edge.inner(fromInside('NOTIFY', `Route: ${route}\r\n`));
      expect(reply?.status === 430 || edge.front.sent.length === 1).toBe(true);
    }
    expect(edge.core.counters.flowsGone).toBeGreaterThan(0);
  });

  it('S11 a phone that does not answer is 408 inside: a 480 would end its subscription', async () => {
    const edge = await withAlice();
    const replies = edge.inner(fromInside('NOTIFY', `Route: ${uriOf(CALLER)}\r\n`));
    edge.front.last.fail('timeout');
    expect(replies.map(({ status }) => status)).toEqual([408]);
  });

  it('S11 what a phone says of when to come again reaches presence', async () => {
    const edge = await withAlice();
    const replies = edge.inner(fromInside('NOTIFY', `Route: ${uriOf(CALLER)}\r\n`));
    edge.front.last.answer(503, 'Retry-After: 30\r\n');
    expect(replies.map(({ status }) => status)).toEqual([500]);
    expect(replies[0]?.header('retry-after')).toBe('30');
  });

  it('C08 an INVITE of another edge is delivered, recorded, cancelled and acknowledged', async () => {
    const edge = await withAlice();
    const route = `Route: ${uriOf(CALLER)}\r\n`;
    const invite = { branch: 'z9hG4bKinv', to: '<sip:alice@example.test>' };
    const replies = edge.inner(fromInside('INVITE', route, invite));
    expect(edge.front.last.request.headers('record-route')).toHaveLength(1);
    edge.front.last.answer(180);
    const elsewhere = 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n';
    const cancel = edge.inner(fromInside('CANCEL', route + elsewhere, invite));
    expect(cancel.map(({ status }) => status)).toEqual([200]);
    expect(edge.front.last.cancelled).toBe(true);
    expect(edge.front.last.cancelHeaders).toBe(elsewhere);
    edge.front.last.answer(487);
    expect(replies.map(({ status }) => status)).toEqual([180, 487]);
    const flow = edge.front.last.flow;
    const before = flow.sent.length;
    edge.inner(fromInside('ACK', route, invite));
    expect(flow.sent).toHaveLength(before);
    edge.inner(fromInside('ACK', route, { branch: 'z9hG4bKack2xx' }));
    expect(flow.sent).toHaveLength(before + 1);
  });
});
