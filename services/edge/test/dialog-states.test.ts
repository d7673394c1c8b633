import { describe, expect, it } from 'vitest';
import { BOB, bobWith, call, statuses, tokenOf, uriOf } from './call-world.ts';
import { draft, settle } from './world.ts';
import type { World } from './world.ts';

const dialogs = { calls: 100 };

/** What presence was told: entity, state or `-` for a removal, and whether it modifies. */
function told(edge: World): string[] {
  return edge.presence.requests.map(({ request }) => {
    const state = /<state>(\w+)</.exec(request.body)?.[1] ?? '-';
    return `${request.requestUri} ${state}${request.has('sip-if-match') ? ` ${String(request.header('sip-if-match'))}` : ''}`;
  });
}

/** Presence answers the request at `index`. */
function answer(edge: World, index: number, status: number, etag = ''): void {
  const one = edge.presence.requests[index];
  const headers = etag === '' ? '' : `SIP-ETag: ${etag}\r\n`;
  one?.done({
    kind: 'response',
    status,
    below: `SIP/2.0 ${String(status)} X\r\n${headers}Content-Length: 0\r\n\r\n`,
  });
}

describe('RFC 4235 dialog states from proxied calls', () => {
  it('S17 both sides are published from trying to confirmed, in order, one request in flight for each, and removed by BYE', async () => {
    const edge = await bobWith([{ flow: 't1' }], { dialogs });
    const transaction = await call(edge);
    expect(told(edge)).toEqual([`${BOB} trying`, 'sip:alice@example.test trying']);
    const { request } = edge.presence.requests[0] ?? { request: undefined };
    expect(request?.header('event')).toBe('dialog');
    expect(request?.header('p-asserted-identity')).toBe(`<${BOB}>`);
    expect(request?.body).toContain('direction="recipient"');
    edge.front.last.answer(180);
    expect(told(edge)).toHaveLength(2);
    answer(edge, 0, 200, 'e1');
    expect(told(edge).slice(2)).toEqual([`${BOB} early e1`]);
    edge.front.last.answer(200);
    answer(edge, 2, 200, 'e2');
    expect(told(edge).slice(3)).toEqual([`${BOB} confirmed e2`]);
    expect(edge.presence.requests[3]?.request.body).toMatch(/local-tag="t1"/);
    answer(edge, 3, 200, 'e3');
    // The other side catches up with the newest state.
    answer(edge, 1, 200, 'f1');
    expect(told(edge).slice(4)).toEqual(['sip:alice@example.test confirmed f1']);
    answer(edge, 4, 200, 'f2');
    expect(statuses(transaction)).toEqual([180, 200]);

    const route = ['u0-c0000201-5062', 't1'].map((flow) => `Route: ${uriOf(tokenOf(flow))}\r\n`).join('');
    const callId = transaction.request.header('call-id') ?? '';
    const bye = draft({ method: 'BYE', uri: 'sip:bob@10.0.0.1', to: `<${BOB}>;tag=t1`, headers: route });
    edge.send(bye.replace(/Call-ID: [^\r]*/, `Call-ID: ${callId}`));
    await settle();
    expect(told(edge).slice(5)).toEqual([`${BOB} - e3`, 'sip:alice@example.test - f2']);
    expect(edge.presence.requests[5]?.request.header('expires')).toBe('0');
    expect(edge.core.dialogs?.size).toBe(0);
  });

  it('S17 a call that fails is removed, one that was never published is not mentioned again', async () => {
    const edge = await bobWith([{ flow: 't1' }], { dialogs });
    await call(edge);
    answer(edge, 0, 200, 'e1');
    edge.front.last.answer(486);
    expect(told(edge).slice(2)).toEqual([`${BOB} - e1`]);
    answer(edge, 1, 503);
    expect(told(edge)).toHaveLength(3);
    expect(edge.core.dialogs?.size).toBe(0);
  });

  it('S17 a publication that presence has lost is made anew, and a long call is refreshed', async () => {
    const edge = await bobWith([{ flow: 't1' }], { dialogs });
    await call(edge);
    answer(edge, 0, 200, 'e1');
    answer(edge, 1, 200, 'f1');
    edge.front.last.answer(200);
    answer(edge, 2, 412);
    expect(told(edge).slice(2)).toEqual([
      `${BOB} confirmed e1`,
      'sip:alice@example.test confirmed f1',
      `${BOB} confirmed`,
    ]);
    answer(edge, 3, 200, 'f2');
    answer(edge, 4, 200, 'e2');
    for (let i = 0; i < 11; i += 1) edge.hand.turn(30_000);
    expect(told(edge).slice(5)).toEqual([`${BOB} confirmed e2`, 'sip:alice@example.test confirmed f2']);
  });

  it('S17 a caller who wants privacy is not named, and what phones write cannot break the document', async () => {
    const edge = await bobWith([{ flow: 't1' }], { dialogs });
    await call(edge, { headers: 'Privacy: id\r\n' });
    const body = edge.presence.requests[0]?.request.body ?? '';
    expect(body).toContain('anonymous.invalid');
    expect(body).not.toContain('alice');
    const other = await bobWith([{ flow: 't1' }], { dialogs });
    await call(other, { from: '"<&\\"x" <sip:alice@example.test>' });
    expect(other.presence.requests[0]?.request.body).toMatch(/display="[^"<]*&lt;&amp;[^"<]*"/);
  });

  it('S17 nothing is published where it is off', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    await call(edge);
    expect(edge.presence.requests).toHaveLength(0);
  });
});
