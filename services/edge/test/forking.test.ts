import { describe, expect, it } from 'vitest';
import { Gruus } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import {
  BOB,
  BOB_URN,
  bobWith,
  call,
  deviceBinding,
  flowsOf,
  pathOf,
  statuses,
  tokenOf,
  uriOf,
} from './call-world.ts';
import { draft, EDGE, SECRET, settle } from './world.ts';
import type { Sent } from './world.ts';

const OTHER_URN = '<urn:uuid:00000000-0000-1000-8000-000A95A0E199>';
const NOON = Date.UTC(2026, 5, 1, 11);
const at = (s: number) => (NOON + s * 1_000) as never;

/** What registrars were told of flows. */
const reportsOf = (edge: Awaited<ReturnType<typeof bobWith>>): unknown[] =>
  edge.registrar.requests
    .filter(({ request }) => request.method === 'PUBLISH')
    .map(({ request }) => JSON.parse(request.body) as unknown);

describe('RFC 3261 §16.5, §16.6: targets', () => {
  it('C01 a phone that is listed with its instance and as it was before rings once', async () => {
    const edge = await bobWith([
      { flow: 't1', refreshedAt: at(1) },
      { flow: 't1', instance: BOB_URN, regId: 1, refreshedAt: at(2) },
      { flow: 't2', refreshedAt: at(1) },
    ]);
    await call(edge);
    expect(flowsOf(edge)).toEqual(['t1', 't2']);
  });

  it('B16 C01 headers and method of a Contact are not for a Request-URI', async () => {
    for (const [contact, uri] of [
      ['sip:b@192.0.2.1;method=BYE;x=1?Route=%3Csip:evil%3E&Subject=x', 'sip:b@192.0.2.1;x=1'],
      ['sip:b?c;method=d@192.0.2.1;method=BYE', 'sip:b?c;method=d@192.0.2.1'],
      ['sip:b?c@192.0.2.1', 'sip:b?c@192.0.2.1'],
    ]) {
      const edge = await bobWith([{ flow: 't1', contact: contact ?? '' }]);
      await call(edge);
      expect(edge.front.last.request.requestUri).toBe(uri);
    }
  });
});

describe('RFC 3326: why a device is told to stop', () => {
  const ELSEWHERE = 'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n';

  it('C01 somebody else has taken the call, so that it is no missed call; C02 somebody has declined it for all', async () => {
    for (const [status, reason] of [
      [200, ELSEWHERE],
      [603, 'Reason: SIP;cause=603\r\n'],
    ] as const) {
      const edge = await bobWith([{ flow: 't1' }, { flow: 't2' }]);
      await call(edge);
      const [first, second] = edge.front.sent as [Sent, Sent];
      second.answer(180);
      first.answer(status);
      expect(second.cancelled).toBe(true);
      expect(second.cancelHeaders).toBe(reason);
    }
  });

  it('C06 what the caller says goes on to each device', async () => {
    const edge = await bobWith([{ flow: 't1' }, { flow: 't2' }]);
    const transaction = await call(edge);
    transaction.onCancel?.(ELSEWHERE);
    expect(edge.front.sent.map(({ cancelHeaders }) => cancelHeaders)).toEqual([ELSEWHERE, ELSEWHERE]);
  });
});

describe('RFC 5626 §5.3, §7: the flows of one device', () => {
  const two = [
    { flow: 't1', instance: BOB_URN, regId: 1, refreshedAt: at(2) },
    { flow: 't2', instance: BOB_URN, regId: 2, refreshedAt: at(1) },
  ];

  it('E06 one flow of a device is tried at a time; its next one rings when that is gone, and the dead binding is reported', async () => {
    const edge = await bobWith(two);
    const first = await call(edge);
    expect(flowsOf(edge)).toEqual(['t1']);
    edge.front.last.answer(486);
    expect(statuses(first)).toEqual([486]);

    edge.front.flows.delete('t1');
    const second = await call(edge);
    expect(flowsOf(edge)).toEqual(['t1', 't2']);
    edge.front.last.answer(200);
    expect(statuses(second)).toEqual([200]);
    const path = pathOf('t1');
    expect(reportsOf(edge)).toEqual([{ binding: 'sip:bob@10.0.0.1:5060;f=t1', path, state: 'gone' }]);
  });

  it('E06 a connection that is cut while it rings gives way to the next flow', async () => {
    const edge = await bobWith(two);
    const transaction = await call(edge);
    edge.front.last.answer(180);
    edge.front.flows.get('t1')?.close();
    edge.front.last.fail('transport');
    expect(flowsOf(edge)).toEqual(['t1', 't2']);
    edge.front.last.answer(200);
    expect(statuses(transaction)).toEqual([180, 200]);
    expect(reportsOf(edge)).toHaveLength(1);
  });

  it('E06 430 from another edge: the next flow, then the other device of the fork goes on ringing', async () => {
    const edge = await bobWith(two.slice(1));
    const there = { id: 'edge-2', epoch: 77 };
    edge.store.leases.set('edge-2', { ...there, inner: '10.9.9.2:5070' });
    const dead = {
      ...deviceBinding(edge, { flow: 't9', ...two[0], gone: true }),
      path: [pathOf('t9', there)],
    };
    const desk = deviceBinding(edge, { flow: 't3', instance: OTHER_URN, regId: 1 });
    edge.store.bindings.set(BOB, [...(edge.store.bindings.get(BOB) ?? []), dead, desk]);
    const transaction = await call(edge);
    expect(flowsOf(edge).sort()).toEqual(['t3', 'tcp:10.9.9.2:5070']);
    const inner = edge.front.sent.find(({ flow }) => flow.id.startsWith('tcp:')) as Sent;
    inner.answer(430);
    expect(flowsOf(edge).at(-1)).toBe('t2');
    expect(statuses(transaction)).toEqual([]);
    expect(reportsOf(edge)).toMatchObject([{ path: pathOf('t9', there), state: 'gone' }]);
    edge.front.last.answer(200);
    expect(edge.front.sent.find(({ flow }) => flow.id === 't3')?.cancelled).toBe(true);
    expect(statuses(transaction)).toEqual([200]);
  });

  it('E11 a binding of an edge without a lease is skipped, not reported: the edge may come back', async () => {
    const edge = await bobWith([]);
    const there = { id: 'edge-2', epoch: 77 };
    edge.store.bindings.set(BOB, [
      { ...deviceBinding(edge, { flow: 't9', gone: true }), path: [pathOf('t9', there)] },
    ]);
    expect(statuses(await call(edge))).toEqual([480]);
    expect(reportsOf(edge)).toEqual([]);
    edge.hand.turn(5_000);
    edge.store.leases.set('edge-2', { id: 'edge-2', epoch: 78, inner: '10.9.9.2:5070' });
    expect(statuses(await call(edge))).toEqual([480]);
    expect(reportsOf(edge)).toHaveLength(1);
  });

  it('E08 two phones behind one NAT address are two flows, and both ring', async () => {
    const edge = await bobWith([{ flow: 'u0-c0000232-40001' }, { flow: 'u0-c0000232-40002' }]);
    await call(edge);
    expect(flowsOf(edge).sort()).toEqual(['u0-c0000232-40001', 'u0-c0000232-40002']);
  });
});

describe('RFC 5627 §6.1 GRUUs', () => {
  const gruus = new Gruus(SECRET);
  const devices = [
    { flow: 't1', instance: BOB_URN, gruu: { since: NOON as never, firstCseq: 1 } },
    { flow: 't2', instance: OTHER_URN, gruu: { since: NOON as never, firstCseq: 1 } },
  ];

  it('C07 a public GRUU and a temporary one reach only their device', async () => {
    for (const uri of [gruus.pub(BOB as Aor, BOB_URN), gruus.temp(BOB as Aor, BOB_URN, NOON)]) {
      const edge = await bobWith(devices);
      const transaction = await call(edge, { uri });
      expect(flowsOf(edge)).toEqual(['t1']);
      expect(edge.front.last.request.requestUri).toBe('sip:bob@10.0.0.1:5060;f=t1');
      edge.front.last.answer(200);
      expect(statuses(transaction)).toEqual([200]);
    }
  });

  it('C07 a void temporary GRUU and a forged one are 404, a public one of nobody registered 480', async () => {
    const edge = await bobWith(devices);
    expect(statuses(await call(edge, { uri: gruus.temp(BOB as Aor, BOB_URN, NOON - 1) }))).toEqual([404]);
    expect(statuses(await call(edge, { uri: 'sip:tgruu.forged@example.test;gr' }))).toEqual([404]);
    expect(statuses(await call(edge, { uri: gruus.pub(BOB as Aor, '<urn:uuid:0>') }))).toEqual([480]);
  });

  it('C07 inside a dialog a GRUU reaches the device on the flow that it has now', async () => {
    const edge = await bobWith(devices);
    const route = ['u0-c0000201-5062', 't7'].map((flow) => `Route: ${uriOf(tokenOf(flow))}\r\n`).join('');
    const uri = gruus.pub(BOB as Aor, BOB_URN);
    edge.send(draft({ method: 'BYE', uri, to: `<${BOB}>;tag=t`, headers: route }));
    await settle();
    expect(flowsOf(edge)).toEqual(['t1']);
    expect(edge.front.last.request.requestUri).toBe('sip:bob@10.0.0.1:5060;f=t1');
  });
});

describe('aliases', () => {
  it('C01 a call to an alias reaches the devices of its user', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    const bob = edge.store.userList.findIndex(({ aor }) => aor === BOB);
    const user = edge.store.userList[bob];
    if (user !== undefined)
      edge.store.userList[bob] = { ...user, aliases: ['sip:sales@example.test' as Aor] };
    await call(edge, { uri: 'sip:sales@example.test' });
    expect(flowsOf(edge)).toEqual(['t1']);
  });
});

describe('RFC 5393 §5.3 Max-Breadth', () => {
  const three = [{ flow: 't1' }, { flow: 't2' }, { flow: 't3' }];

  it('C10 what came in is shared by the branches, 60 when nothing was said, and never more', async () => {
    for (const [headers, share] of [
      ['', '20'],
      ['Max-Breadth: 9\r\n', '3'],
      ['Max-Breadth: 5000\r\n', '20'],
    ] as const) {
      const edge = await bobWith(three);
      await call(edge, { headers });
      for (const { request } of edge.front.sent) expect(request.headers('max-breadth')).toEqual([share]);
    }
  });

  it('C10 too little of it makes the fork serial, and a branch that ends lets the next one start', async () => {
    const edge = await bobWith(three);
    const transaction = await call(edge, { headers: 'Max-Breadth: 2\r\n' });
    expect(edge.front.sent).toHaveLength(2);
    edge.front.sent[0]?.answer(486);
    expect(edge.front.sent).toHaveLength(3);
    edge.front.sent[1]?.answer(486);
    edge.front.sent[2]?.answer(200);
    expect(statuses(transaction)).toEqual([200]);
  });
});

describe('trusted peers', () => {
  it('C11 a gateway calls without credentials, by address or by certificate, and its asserted identity goes along', async () => {
    const trusted = { networks: ['198.51.100.0/28'], names: ['GW.example.net'] };
    const edge = await bobWith([{ flow: 't1' }], { trusted });
    const byAddress = edge.front.open('t20', 'tcp', { address: '198.51.100.7', port: 5060 });
    const byName = edge.front.open('t21', 'tls', { address: '203.0.113.9', port: 5061 });
    Object.assign(byName, { certificateNames: ['gw.example.net'] });
    const message = { method: 'INVITE', uri: BOB, from: '<sip:+4930@gw.example.net>', to: `<${BOB}>` };
    for (const flow of [byAddress, byName]) {
      edge.send(draft({ ...message, headers: 'P-Asserted-Identity: <tel:+4930>\r\n' }), flow);
      await settle();
      expect(edge.front.last.request.headers('p-asserted-identity')).toEqual(['<tel:+4930>']);
      expect(edge.front.last.flow.id).toBe('t1');
    }
    const stranger = edge.front.open('t22', 'tcp', { address: '198.51.100.16', port: 5060 });
    expect(edge.send(draft(message), stranger).answer.status).toBe(407);
    const elsewhere = edge.send(draft({ ...message, uri: 'sip:x@elsewhere.test' }), byAddress);
    expect(elsewhere.answer.status).toBe(404);
  });
});

describe('two users on one connection', () => {
  it('C01 a dialog whose both sides are on the same flow is routed back on it', async () => {
    const edge = await bobWith([{ flow: 't1' }]);
    const flow = edge.front.flows.get('t1');
    const route = `Route: ${uriOf(tokenOf('t1'))}\r\n`.repeat(2);
    edge.send(draft({ method: 'BYE', uri: 'sip:bob@10.0.0.1', to: `<${BOB}>;tag=t`, headers: route }), flow);
    expect(flowsOf(edge)).toEqual(['t1']);
    expect(edge.front.last.request.has('route')).toBe(false);
    expect(EDGE.id).toBe('edge-1');
  });
});

describe('RFC 3841 caller preferences', () => {
  const video = { flow: 't1', params: ';audio;video;methods="INVITE,ACK,BYE"' };
  const audio = { flow: 't2', params: ';audio;automata;methods="INVITE,ACK,BYE,MESSAGE"' };
  const plain = { flow: 't3' };

  it.each([
    ['nothing said: all that take the method', '', [['t1', 't2', 't3']]],
    ['Accept-Contact ranks', 'Accept-Contact: *;video\r\n', [['t1', 't3'], ['t2']]],
    ['require keeps only what may fit', 'Accept-Contact: *;video="FALSE";require\r\n', [['t3'], ['t2']]],
    ['require and explicit keep only what says so', 'a: *;video;require;explicit\r\n', [['t1', 't3']]],
    ['Reject-Contact', 'Reject-Contact: *;automata\r\n', [['t1', 't3']]],
    ['compact form, negation', 'j: *;methods="MESSAGE"\r\n', [['t1', 't3']]],
    ['one of several alternatives', 'Accept-Contact: *;methods="MESSAGE,INFO";require\r\n', [['t2', 't3']]],
    ['no-fork', 'Request-Disposition: no-fork\r\n', [['t1']]],
    ['sequential', 'd: sequential\r\n', [['t1'], ['t2'], ['t3']]],
  ])('C03 %s', async (_name, headers, groups) => {
    const edge = await bobWith([video, audio, plain]);
    const transaction = await call(edge, { headers });
    const rung: string[][] = [];
    for (let done = 0; done < edge.front.sent.length;) {
      const group = edge.front.sent.slice(done);
      done = edge.front.sent.length;
      rung.push(group.map(({ flow }) => flow.id).sort());
      for (const sent of group) sent.answer(486);
    }
    expect(rung).toEqual(groups);
    expect(statuses(transaction)).toEqual([486]);
  });

  it('C09 a MESSAGE goes to the devices that take it; when none does it is 480', async () => {
    const edge = await bobWith([video, audio]);
    await call(edge, { method: 'MESSAGE' });
    expect(flowsOf(edge)).toEqual(['t2']);
    const without = await bobWith([video]);
    expect(statuses(await call(without, { method: 'MESSAGE' }))).toEqual([480]);
  });
});
