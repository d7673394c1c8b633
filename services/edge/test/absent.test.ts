import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import { pushKey, WebhookPush } from '../src/push-sender.ts';
import { BOB, bobWith, call, deviceBinding, flowsOf, statuses } from './call-world.ts';
import { authorization, draft, nonceOf, settle } from './world.ts';
import type { World } from './world.ts';

const PUSH = ';pn-provider=fcm;pn-param=project;pn-prid=token1';

/** A device that can be woken; it comes back on `flow`. */
function comeBack(edge: World, flow: string): void {
  const fresh = deviceBinding(edge, { flow, refreshedAt: edge.hand.now() });
  edge.store.bindings.set(BOB, [{ ...fresh, contact: `sip:bob@10.0.0.2:7000${PUSH}` }]);
}

const sleeper = (flow: string, gone: boolean) => ({ flow, gone, contact: `sip:bob@10.0.0.1:5060${PUSH}` });

describe('RFC 8599 push wake-up', () => {
  it('C01 a device without its flow is woken, and the branch is added to the fork that rings', async () => {
    const edge = await bobWith([sleeper('t1', true), { flow: 't2' }]);
    const transaction = await call(edge);
    expect(edge.store.pushes).toEqual([
      { aor: BOB, binding: 'sip:bob@10.0.0.1:5060;f=t1', provider: 'fcm', prid: 'token1', param: 'project' },
    ]);
    expect(flowsOf(edge)).toEqual(['t2']);
    edge.front.last.answer(486);
    expect(statuses(transaction)).toEqual([]);
    edge.hand.turn(300);
    await settle();
    comeBack(edge, 't7');
    edge.hand.turn(300);
    await settle();
    expect(flowsOf(edge)).toEqual(['t2', 't7']);
    expect(edge.front.last.request.requestUri).toContain('10.0.0.2:7000');
    edge.front.last.answer(200);
    expect(statuses(transaction)).toEqual([200]);
  });

  it('C01 its binding stays while it sleeps, so that the next call wakes it again; it goes when the device is elsewhere', async () => {
    const gone = (edge: World): unknown[] =>
      edge.registrar.requests.map(({ request }) => JSON.parse(request.body) as unknown);
    const edge = await bobWith([sleeper('t1', true)]);
    const sleeping = edge.store.bindings.get(BOB) ?? [];
    const first = await call(edge);
    for (let i = 0; i < 41; i += 1) {
      edge.hand.turn(250);
      await settle();
    }
    expect(statuses(first)).toEqual([480]);
    expect(gone(edge)).toEqual([]);
    const second = await call(edge);
    const third = await call(edge);
    expect(edge.store.pushes).toHaveLength(2);
    comeBack(edge, 't7');
    edge.store.bindings.set(BOB, [...sleeping, ...(edge.store.bindings.get(BOB) ?? [])]);
    edge.hand.turn(300);
    await settle();
    expect(flowsOf(edge)).toEqual(['t7', 't7']);
    for (const sent of edge.front.sent) sent.answer(200);
    expect([statuses(second), statuses(third)]).toEqual([[200], [200]]);
    expect(gone(edge)).toMatchObject([{ binding: sleeping[0]?.id, state: 'gone' }]);
  });

  it('C05 one that does not come in time is 480, and so is one whose gateway refuses', async () => {
    const edge = await bobWith([sleeper('t1', true)]);
    const transaction = await call(edge);
    for (let i = 0; i < 41; i += 1) {
      edge.hand.turn(250);
      await settle();
    }
    expect(statuses(transaction)).toEqual([480]);
    expect(edge.core.waker?.size).toBe(0);
    edge.store.pushTaken = false;
    expect(statuses(await call(edge))).toEqual([480]);
  });

  it('C06 a CANCEL while it is being woken ends the call at once', async () => {
    const edge = await bobWith([sleeper('t1', true)]);
    const transaction = await call(edge);
    transaction.onCancel?.('');
    expect(statuses(transaction)).toEqual([487]);
    comeBack(edge, 't7');
    edge.hand.turn(300);
    await settle();
    expect(edge.front.sent).toHaveLength(0);
  });

  it('C01 a device on UDP may sleep unseen: it is called and woken, and called again where it registers', async () => {
    const edge = await bobWith([sleeper('u0-c0000232-40001', false)]);
    const transaction = await call(edge);
    expect(edge.store.pushes).toHaveLength(1);
    expect(flowsOf(edge)).toEqual(['u0-c0000232-40001']);
    comeBack(edge, 't7');
    edge.hand.turn(300);
    await settle();
    expect(flowsOf(edge)).toEqual(['u0-c0000232-40001', 't7']);
    edge.front.last.answer(200);
    expect(edge.front.sent[0]?.cancelled).toBe(true);
    expect(statuses(transaction)).toEqual([200]);
  });

  it('the push webhook is signed, and a gateway that refuses or is away is no wake-up', async () => {
    const got: { body: string; signature: string }[] = [];
    const gateway = createServer((request, response) => {
      let body = '';
      request.on('data', (data: Buffer) => (body += data.toString()));
      request.on('end', () => {
        got.push({ body, signature: String(request.headers['rollcall-signature']) });
        response.writeHead(body.includes('refuse') ? 403 : 204).end();
      });
    });
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${String((gateway.address() as AddressInfo).port)}/push`;
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const push = new WebhookPush({ url, secret: 's' }, log, () => 5_000);
    const send = (prid: string): Promise<boolean> =>
      new Promise((resolve) => {
        push.send({ aor: BOB as Aor, binding: 'b', provider: 'fcm', prid }, resolve);
      });
    expect(await send('p1')).toBe(true);
    expect(await send('refuse')).toBe(false);
    await new Promise((resolve) => gateway.close(resolve));
    expect(await send('p2')).toBe(false);
    const [first] = got;
    const mac = createHmac('sha256', pushKey('s'))
      .update(`5.${first?.body ?? ''}`)
      .digest('hex');
    expect(first?.signature).toBe(`t=5,v1=${mac}`);
    expect(JSON.parse(first?.body ?? '')).toMatchObject({ aor: BOB, prid: 'p1' });
    expect(push.running).toBe(0);
  });
});

/** Bob registers through this edge. */
async function register(edge: World): Promise<void> {
  const from = '<sip:bob@example.test>';
  const nonce = nonceOf(edge.send(draft({ from, to: from })).answer);
  edge.send(draft({ from, to: from, headers: authorization({ nonce, username: 'bob' }) }));
  await settle();
  edge.registrar.answer(200, 'Contact: <sip:bob@10.0.0.1:5060>;expires=60\r\n');
  await settle();
}

describe('C09 messages for users who are away', () => {
  const offline = { messages: 2, octets: 2_000, ttlMs: 3_600_000 };
  const body = 'Content-Type: text/plain\r\n';

  it('C09 a MESSAGE to nobody waits, 202; it is sent once when the user registers, without the hops that brought it', async () => {
    const edge = await bobWith([], { offline });
    const sent = await call(edge, { method: 'MESSAGE', headers: body });
    expect(statuses(sent)).toEqual([202]);
    edge.store.bindings.set(BOB, [deviceBinding(edge, { flow: 't1' })]);
    await register(edge);
    const { request } = edge.front.last;
    expect([request.method, request.requestUri]).toEqual(['MESSAGE', 'sip:bob@10.0.0.1:5060;f=t1']);
    expect(request.headers('via')).toHaveLength(1);
    expect(request.header('date')).toMatch(/ GMT$/);
    expect(request.header('p-asserted-identity')).toBe('<sip:alice@example.test>');
    expect(request.has('proxy-authorization')).toBe(false);
    edge.front.last.answer(200);
    await settle();
    await register(edge);
    expect(edge.front.sent.filter(({ request: one }) => one.method === 'MESSAGE')).toHaveLength(1);
    expect(edge.core.offline?.counters).toEqual({ kept: 1, full: 0, delivered: 1, failed: 0 });
  });

  it('C09 messages are sent one after the other, in order; what a phone does not take waits on', async () => {
    const edge = await bobWith([], { offline });
    for (const subject of ['one', 'two'])
      await call(edge, { method: 'MESSAGE', headers: `Subject: ${subject}\r\n` });
    expect(statuses(await call(edge, { method: 'MESSAGE' }))).toEqual([480]);
    edge.store.bindings.set(BOB, [deviceBinding(edge, { flow: 't1' })]);
    await register(edge);
    expect(edge.front.sent.map(({ request }) => request.header('subject'))).toEqual(['one']);
    edge.front.last.answer(200);
    await settle();
    expect(edge.front.sent.map(({ request }) => request.header('subject'))).toEqual(['one', 'two']);
    edge.front.last.fail('timeout');
    await settle();
    await register(edge);
    expect(edge.front.sent).toHaveLength(2);
    edge.hand.turn(61_000);
    await register(edge);
    expect(edge.front.sent.map(({ request }) => request.header('subject'))).toEqual(['one', 'two', 'two']);
  });

  it('C09 two edges that see the same registration send it once', async () => {
    const edge = await bobWith([], { offline });
    await call(edge, { method: 'MESSAGE' });
    const taken = await edge.messages.take(BOB as Aor, 1, 40_000);
    expect(taken).toHaveLength(1);
    edge.store.bindings.set(BOB, [deviceBinding(edge, { flow: 't1' })]);
    await register(edge);
    expect(edge.front.sent).toHaveLength(0);
  });

  it('C09 a message lives as long as its sender says at most, and nothing is kept of one to nobody known, or where the store is off', async () => {
    const edge = await bobWith([], { offline });
    await call(edge, { method: 'MESSAGE', headers: 'Expires: 60\r\n' });
    const [kept] = await edge.messages.take(BOB as Aor, 1, 0);
    expect(kept?.expiresAt).toBe(epochMs(edge.hand.now() + 60_000));
    expect(statuses(await call(edge, { method: 'MESSAGE', uri: 'sip:nobody@example.test' }))).toEqual([404]);
    const typing = 'Content-Type: application/im-iscomposing+xml\r\n';
    expect(statuses(await call(edge, { method: 'MESSAGE', headers: typing }))).toEqual([480]);
    const off = await bobWith([]);
    expect(statuses(await call(off, { method: 'MESSAGE' }))).toEqual([480]);
  });
});

describe('E16 qualify', () => {
  const qualify = { intervalMs: 60_000, limit: 100 };
  const states = (edge: World): unknown[] =>
    edge.registrar.requests
      .filter(({ request }) => request.method === 'PUBLISH')
      .map(({ request }) => JSON.parse(request.body) as unknown);

  /** The edge asks about once a minute. */
  async function minute(edge: World): Promise<void> {
    for (let i = 0; i < 240; i += 1) {
      edge.hand.turn(250);
      await settle();
    }
  }

  it('E16 each binding of a flow of ours is asked, its round trip goes into the record, and news of it', async () => {
    const edge = await bobWith([], { qualify });
    const flow = 'u0-c0000201-5062';
    edge.store.bindings.set(BOB, [deviceBinding(edge, { flow }), deviceBinding(edge, { flow: 't2' })]);
    await register(edge);
    await minute(edge);
    expect(flowsOf(edge)).toEqual([flow]);
    expect(edge.front.last.request.method).toBe('OPTIONS');
    edge.front.last.answer(404);
    expect(states(edge)).toMatchObject([{ state: 'reachable' }]);
    await minute(edge);
    edge.front.last.fail('timeout');
    expect(states(edge)).toMatchObject([{ state: 'reachable' }, { state: 'unreachable' }]);
    expect(edge.core.qualifier?.reachable()).toEqual({ reachable: 0, unreachable: 1 });
    expect(edge.core.qualifier?.counters).toEqual({ sent: 2, answered: 1, lost: 1 });
    // What the record says is no news; of a binding that was made anew it says nothing.
    const unreachable = { reachability: { reachable: false, at: edge.hand.now() } };
    edge.store.bindings.set(BOB, [deviceBinding(edge, { flow, ...unreachable })]);
    await minute(edge);
    edge.front.last.fail('timeout');
    expect(states(edge)).toHaveLength(2);
    edge.store.bindings.set(BOB, [deviceBinding(edge, { flow })]);
    await minute(edge);
    edge.front.last.fail('timeout');
    expect(states(edge).at(2)).toMatchObject({ state: 'unreachable' });
    // The user has gone.
    edge.store.bindings.set(BOB, []);
    await minute(edge);
    await minute(edge);
    expect(edge.core.qualifier?.size).toBe(0);
  });
});
