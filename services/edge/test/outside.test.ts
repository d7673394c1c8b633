import { describe, expect, test } from 'vitest';
import type { NextHop, TransportName } from '@rollcall/sip-transaction';
import { authorization, draft, FakeFlow, FakeStore, nonceOf, settle, world } from './world.ts';
import type { World } from './world.ts';

const hop = (transport: TransportName, address: string): NextHop => ({
  ...{ transport, address, port: 5060 },
  serverName: 'pbx.test',
});

const HOPS = [hop('tls', '192.0.2.21'), hop('tcp', '192.0.2.22'), hop('udp', '192.0.2.23')];
const at = (w: World): string[] => w.front.sent.map(({ flow }) => `${flow.transport} ${flow.remote.address}`);

/** A NOTIFY from inside for somebody whom no flow leads to. */
const notify = (uri = 'sip:alice@pbx.test'): string =>
  draft({
    method: 'NOTIFY',
    uri,
    to: '<sip:alice@pbx.test>;tag=t1',
    via: 'SIP/2.0/TCP 10.9.9.1:5070;branch=z9hG4bKin1',
    headers: 'Event: reg\r\n',
  });

describe('RFC 3263: a request from inside to a next hop outside', () => {
  const open = (locate = () => Promise.resolve(HOPS)): Promise<World> =>
    world({}, new FakeStore(), { locate });

  test('goes to the first address, under its transport in Via', async () => {
    const w = await open();
    const replies = w.inner(notify());
    await settle();
    expect(at(w)).toEqual(['tls 192.0.2.21']);
    expect(w.front.last.request.header('via')).toMatch(/^SIP\/2\.0\/TLS /);
    w.front.last.answer(200);
    expect(replies.map(({ status }) => status)).toEqual([200]);
  });

  test('§4.3: the next address when one is not reached, does not answer, or says 503', async () => {
    const w = await open();
    const replies = w.inner(notify());
    await settle();
    w.front.last.fail('transport');
    await settle();
    w.front.last.answer(503);
    await settle();
    expect(at(w)).toEqual(['tls 192.0.2.21', 'tcp 192.0.2.22', 'udp 192.0.2.23']);
    const branches = w.front.sent.map(
      ({ request }) => /branch=([^;]+)/.exec(request.header('via') ?? '')?.[1],
    );
    expect(new Set(branches).size).toBe(3);
    w.front.last.answer(202);
    expect(replies.map(({ status }) => status)).toEqual([202]);
  });

  test('when none answers the sender hears it; any other answer is final', async () => {
    const w = await open();
    const replies = w.inner(notify());
    for (let i = 0; i < HOPS.length; i += 1) {
      await settle();
      w.front.last.fail('transport');
    }
    await settle();
    expect(replies.map(({ status }) => status)).toEqual([430]);
    const other = w.inner(notify());
    await settle();
    w.front.last.answer(481);
    expect(other.map(({ status }) => status)).toEqual([481]);
  });

  test('a name that leads nowhere, or a DNS that does not answer, is a flow that failed', async () => {
    for (const locate of [() => Promise.resolve([]), () => Promise.reject(new Error('ETIMEOUT'))]) {
      const w = await open(locate);
      const replies = w.inner(notify());
      await settle();
      expect(replies.map(({ status }) => status)).toEqual([430]);
      expect(w.front.sent).toEqual([]);
    }
  });

  test('an address in the URI needs no DNS; its transport is obeyed, a WebSocket leads nowhere', async () => {
    const w = await open(() => Promise.reject(new Error('nobody asks')));
    w.inner(notify('sip:alice@192.0.2.30:5090;transport=tcp'));
    w.inner(notify('sips:alice@192.0.2.31'));
    await settle();
    expect(at(w)).toEqual(['tcp 192.0.2.30', 'tls 192.0.2.31']);
    const replies = w.inner(notify('sip:alice@192.0.2.32;transport=ws'));
    await settle();
    expect(replies.map(({ status }) => status)).toEqual([430]);
  });
});

describe('RFC 5626 §5.4: Flow-Timer', () => {
  class WatchedFlow extends FakeFlow {
    expected: number | undefined;
    expectKeepAlive(withinMs: number): void {
      this.expected = withinMs;
    }
  }
  const registered = async (headers: string): Promise<WatchedFlow> => {
    const w = await world();
    w.store.addUser('alice', 'secret');
    const flow = new WatchedFlow('t1', 'tcp', { address: '192.0.2.1', port: 40_000 });
    const nonce = nonceOf(w.send(draft(), flow).answer);
    w.send(draft({ headers: authorization({ nonce }) }), flow);
    await settle();
    w.registrar.answer(200, headers);
    return flow;
  };

  test('a stream that was told one is to be silent no longer than that and a grace time', async () => {
    const flow = await registered('Require: outbound\r\nFlow-Timer: 120\r\n');
    expect(flow.expected).toBe(135_000);
  });
  test('one that was told none is left alone', async () => {
    expect((await registered('')).expected).toBeUndefined();
  });
});
