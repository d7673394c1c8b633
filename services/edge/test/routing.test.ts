import { describe, expect, it } from 'vitest';
import { BOB, bobWith, call, statuses, tokenOf, uriOf } from './call-world.ts';
import { authorization, draft, nonceOf, settle } from './world.ts';
import type { FakeFlow } from './world.ts';

const CALLER = 'u0-c0000201-5062';
const LISTENER = 'Route: <sip:198.51.100.1;lr>\r\n';
const VICTIM = 'Route: <sip:203.0.113.1;lr>\r\n';

describe('RFC 3261 §16.4: a route that a phone preloads', () => {
  async function register(route: string) {
    const edge = await bobWith([]);
    const nonce = nonceOf(edge.send(draft()).answer);
    const transaction = edge.send(draft({ headers: `${route}${authorization({ nonce })}` }));
    await settle();
    return { edge, transaction };
  }

  it('E17 P3 one to ourselves is popped, one that leads on is refused', async () => {
    const { edge } = await register(`${LISTENER}Route: <sip:example.test;lr>\r\n`);
    expect(edge.registrar.only.has('route')).toBe(false);
    expect((await register(LISTENER + VICTIM)).transaction.answer.status).toBe(403);
  });

  it('E17 P3 a phone may know us by a name or an address that we have never heard of', async () => {
    for (const name of ['sip:edge.provider.test;lr', 'sip:192.168.1.10:5080;transport=tcp;lr']) {
      const { edge } = await register(`Route: <${name}>\r\n`);
      expect(edge.registrar.only.has('route'), name).toBe(false);
    }
  });

  it('C01 E17 P3 its calls go through as well', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    await call(edge, { headers: 'Route: <sip:edge.provider.test;lr>\r\n' });
    expect(edge.front.last.flow.id).toBe('t1');
    expect(edge.front.last.request.has('route')).toBe(false);
  });

  it('R11 C11 nothing is relayed to other domains or along routes of others', async () => {
    const edge = await bobWith([]);
    expect((await call(edge, { uri: 'sip:x@elsewhere.test' })).answer.status).toBe(404);
    const onwards = draft({ method: 'INVITE', uri: BOB, headers: LISTENER + VICTIM });
    expect(edge.send(onwards).answer.status).toBe(403);
    const bye = { method: 'BYE', uri: 'sip:victim@203.0.113.1', to: '<sip:x@example.test>;tag=1' };
    expect((await call(edge, { ...bye, headers: VICTIM })).answer.status).toBe(404);
    expect(edge.send(draft({ ...bye, headers: LISTENER + VICTIM })).answer.status).toBe(404);
    expect(edge.front.sent).toHaveLength(0);
  });
});

describe('RFC 3261 §16.4: behind a strict router', () => {
  it('C01 our token in the Request-URI is the route, and the last Route the remote target', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    const device = edge.front.flow('t1') as FakeFlow;
    const strict = (method: string): string =>
      draft({
        method,
        uri: uriOf(tokenOf(CALLER)).slice(1, -1),
        to: `<${BOB}>;tag=t`,
        headers: `Route: ${uriOf(tokenOf('t1'))}\r\nRoute: <sip:bob@10.0.0.1:5060>\r\n`,
      });
    edge.send(strict('ACK'));
    expect(device.sent[0]).toMatch(/^ACK sip:bob@10\.0\.0\.1:5060 SIP/);
    const bye = edge.send(strict('BYE'));
    const { request, flow } = edge.front.last;
    expect(flow.id).toBe('t1');
    expect(request.requestUri).toBe('sip:bob@10.0.0.1:5060');
    expect(request.has('route')).toBe(false);
    edge.front.last.answer(200);
    expect(statuses(bye)).toEqual([200]);
  });
});
