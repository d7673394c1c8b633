import { describe, expect, it } from 'vitest';
import { addProbe, buildLadder, printLadder, readProbe, removeProbe } from '../src/index.ts';
import { answer, AUTHORIZATION, entry, INNER, lines, NOON, PHONE, register, REGISTRAR } from './support.ts';

const inner = { hop: 'registrar', transport: 'tcp', local: INNER, remote: REGISTRAR, flow: 'r1' } as const;
const CHALLENGE = ['WWW-Authenticate: Digest realm="example.test", nonce="n0nce", qop="auth", algorithm=MD5'];
const rule = { label: 'unauthorized', section: 'RFC 3261 §22.2' };

/** A whole registration over the inner hop. */
const registration = [
  entry(register(), { at: NOON }),
  entry(answer('401 Unauthorized', 1, CHALLENGE), { at: NOON + 300, direction: 'out', rule }),
  entry(register({ cseq: 2, more: [AUTHORIZATION] }), { at: NOON + 40_000 }),
  entry(
    register({ cseq: 2, more: ['P-Asserted-Identity: <sip:alice@example.test>', 'Path: <sip:x@e;lr>'] }),
    {
      ...inner,
      at: NOON + 40_200,
      direction: 'out',
    },
  ),
  entry(
    addProbe(answer('200 OK', 2, ['Contact: <sip:alice@192.0.2.1:5071>;expires=600']), {
      outcome: 'committed',
      commitAt: 100,
      commitTook: 400,
      total: 600,
    }),
    { ...inner, at: NOON + 41_000 },
  ),
  entry(answer('200 OK', 2, ['Contact: <sip:alice@192.0.2.1:5071>;expires=600']), {
    at: NOON + 41_200,
    direction: 'out',
  }),
];

describe('A10 the ladder of a registration', () => {
  const ladder = buildLadder([...registration].reverse());

  it('has phone, edge, registrar and Redis, from the outside in', () => {
    expect(ladder.lifelines.map(({ kind, name }) => [kind, name])).toEqual([
      ['phone', 'Phone'],
      ['edge', 'Edge edge-1'],
      ['registrar', 'Registrar'],
      ['store', 'Redis'],
    ]);
    expect(ladder.lifelines[0]?.detail).toBe('udp 192.0.2.1:5071, Desk <b>Phone</b>');
  });

  it('has each step in the order of time, the commit between request and answer', () => {
    expect(ladder.steps.map(({ label, at, tone }) => [label, at - NOON, tone])).toEqual([
      ['REGISTER', 0, 'plain'],
      ['401 Unauthorized', 300, 'challenge'],
      ['REGISTER', 40_000, 'plain'],
      ['REGISTER', 40_200, 'plain'],
      ['commit', 40_400, 'good'],
      ['200 OK', 41_000, 'good'],
      ['200 OK', 41_200, 'good'],
    ]);
    expect(ladder.steps[6]?.took).toBe(1_200);
    expect(ladder.steps[4]?.took).toBe(400);
  });

  it('says in plain words what happens', () => {
    const notes = ladder.steps.map(({ note }) => note);
    expect(notes[0]).toBe(
      'The phone registers sip:alice@192.0.2.1:5071 for alice@example.test for 600 s. It has sent no credentials yet.',
    );
    expect(notes[1]).toContain('the usual first half of a registration');
    expect(notes[2]).toContain('answers the challenge as alice with MD5, use 1 of this nonce');
    expect(notes[3]).toContain('vouches for alice@example.test and names the flow');
    expect(notes[6]).toContain('accepted, registered now: sip:alice@192.0.2.1:5071 (600 s)');
  });

  it('names the rule of a refusal, and shows no credentials', () => {
    expect(ladder.steps[1]?.refusal).toEqual({
      status: 401,
      label: 'unauthorized',
      rule: 'RFC 3261 §22.2',
      by: 'edge',
    });
    const text = JSON.stringify(ladder);
    expect(text).not.toContain('0123456789abcdef');
    expect(text).toContain('nonce=\\"n0nce\\"');
  });

  it('prints in a terminal', () => {
    const text = printLadder(ladder, { notes: true });
    expect(text.split('\n')[0]).toMatch(/Phone +Edge edge-1 +Registrar +Redis/);
    expect(text).toMatch(/40\.00 +│─+ REGISTER ─+▶│/);
    expect(text).toMatch(/41\.20 +│◀─+ 200 OK ─+│/);
    expect(text).toContain('[RFC 3261 §22.2]');
  });

  it('folds to the width of a terminal: columns first, then one part below the other', () => {
    const names = [
      'Presence',
      'Edge edge-1',
      ...Array.from({ length: 9 }, (_, n) => `Phone ${String(n + 1)}`),
    ];
    const lifelines = names.map((name) => ({ id: name, kind: 'phone', name, detail: '' }) as const);
    const notify = (n: number) =>
      ({
        at: n * 1_000,
        from: 'Edge edge-1',
        to: `Phone ${String(n)}`,
        kind: 'request',
        label: 'NOTIFY',
        tone: 'plain',
        note: 'Presence tells the watcher what has become of the registrations of alice, who has gone.',
      }) as const;
    const steps = Array.from({ length: 9 }, (_, n) => notify(n + 1));
    const crowd = { lifelines, steps };
    const wide = printLadder(crowd);
    expect(Math.max(...wide.split('\n').map((line) => line.length))).toBeGreaterThan(200);
    for (const width of [80, 100, 132]) {
      const text = printLadder(crowd, { notes: true, width });
      const lines = text.split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines.filter((line) => line.includes('▶'))).toHaveLength(9);
      for (const { name } of lifelines.slice(1)) expect(text).toContain(name);
    }
    const heads = printLadder(crowd, { width: 80 })
      .split('\n')
      .filter((line) => line.includes('Edge'));
    expect(heads.map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['Edge edge-1', 'Phone 1', 'Phone 2', 'Phone 3', 'Phone 4'],
      ['Edge edge-1', 'Phone 5', 'Phone 6', 'Phone 7', 'Phone 8'],
      ['Edge edge-1', 'Phone 9'],
    ]);
    const narrow = printLadder(ladder, { width: 70 }).split('\n')[0];
    expect(narrow).toMatch(/Phone +Edge edge-1 +Registrar +Redis/);
    expect(narrow?.length).toBeLessThanOrEqual(70);
  });
});

describe('A10 the ladder of what presence does', () => {
  const PRESENCE = { address: '10.0.0.3', port: 5090 };
  const hop = { hop: 'presence', transport: 'tcp', local: INNER, remote: PRESENCE, flow: 'p1' } as const;
  const report = { outcome: 'committed', commitAt: 200, commitTook: 300, total: 800 };

  it.each([
    ['SUBSCRIBE', 'Expires: 600'],
    ['PUBLISH', 'SIP-ETag: e1'],
  ])('A10 a %s has its commit between presence and Redis', (method, header) => {
    const request = lines(
      `${method} sip:bob@example.test SIP/2.0`,
      'Via: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKs',
      'From: <sip:alice@example.test>;tag=f1',
      'To: <sip:bob@example.test>',
      'Call-ID: c1',
      `CSeq: 1 ${method}`,
      'Event: presence',
      'Expires: 600',
      'Content-Length: 0',
    );
    const accepted = addProbe(answer('200 OK', 1, [header], method), report);
    const { lifelines, steps } = buildLadder([
      entry(request, { ...hop, direction: 'out' }),
      entry(accepted, { ...hop, at: NOON + 1_000 }),
    ]);
    expect(lifelines.map(({ kind }) => kind)).toEqual(['edge', 'presence', 'store']);
    expect(steps.map(({ label, from, to, at }) => [label, from, to, at - NOON])).toEqual([
      [method, 'edge edge-1', 'presence', 0],
      ['commit', 'presence', 'store', 300],
      ['200 OK', 'presence', 'edge edge-1', 1_000],
    ]);
    expect(steps[1]).toMatchObject({ took: 300, tone: 'good' });
  });
});

describe('refusals', () => {
  it('of the registrar have the label that it tells, also where the edge hands them on', () => {
    const brief = answer('423 Interval Too Brief', 1, ['Min-Expires: 60']);
    const steps = buildLadder([
      entry(register(), { ...inner, direction: 'out' }),
      entry(addProbe(brief, { outcome: 'interval-too-brief', total: 90 }), { ...inner, at: NOON + 500 }),
      entry(brief, { at: NOON + 900, direction: 'out' }),
    ]).steps;
    for (const step of steps.slice(1)) {
      expect(step.refusal).toEqual({
        status: 423,
        label: 'interval-too-brief',
        rule: 'RFC 3261 §10.3 step 7',
        by: 'registrar',
      });
      expect(step.note).toBe(
        'The phone asks for a shorter time than the policy allows. At least 60 s are wanted.',
      );
    }
  });

  it('a wrong password and a stale nonce are told apart', () => {
    const asked = entry(register({ cseq: 2, more: [AUTHORIZATION] }));
    const answered = (more: readonly string[]) =>
      buildLadder([
        asked,
        entry(answer('401 Unauthorized', 2, more), { at: NOON + 9, direction: 'out', rule }),
      ]).steps[1];
    expect(answered(CHALLENGE)).toMatchObject({
      tone: 'refused',
      note: expect.stringContaining('password is wrong') as string,
    });
    expect(answered([`${CHALLENGE[0] ?? ''}, stale=true`])?.note).toContain('password was not judged');
  });

  it('a device that refuses a NOTIFY is named as the one who does', () => {
    const notify = lines(
      'NOTIFY sip:bob@192.0.2.9 SIP/2.0',
      'Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKn',
      'From: <sip:alice@example.test>;tag=s',
      'To: <sip:bob@example.test>;tag=b',
      'Call-ID: c1',
      'CSeq: 1 NOTIFY',
      'Event: presence',
      'Subscription-State: active;expires=60',
      'Content-Length: 0',
    );
    const steps = buildLadder([
      entry(notify, { direction: 'out' }),
      entry(answer('481 Subscription does not exist', 1, [], 'NOTIFY'), { at: NOON + 9 }),
    ]).steps;
    expect(steps[0]?.note).toContain(
      'tells the watcher the presence of alice@example.test: active;expires=60',
    );
    expect(steps[1]).toMatchObject({ refusal: { status: 481, by: 'phone' }, tone: 'refused' });
  });
});

describe('what is odd', () => {
  it('a retransmission says so', () => {
    const steps = buildLadder([entry(register()), entry(register(), { at: NOON + 500_000 })]).steps;
    expect(steps.map(({ repeated }) => repeated)).toEqual([undefined, true]);
    expect(steps[1]?.note).toMatch(/^Sent again/);
  });

  it('F08 hostile text is shown as text and no line breaks out', () => {
    const hostile = lines(
      'REGISTER sip:example.test SIP/2.0',
      'Via: SIP/2.0/UDP h;branch=z9hG4bKx',
      'From: "<script>alert(1)</script>\u0000\u001b[31m" <sip:alice@example.test>;tag=1',
      'To: <sip:a%00b@example.test>',
      'Call-ID: c1',
      'CSeq: 1 REGISTER',
      'User-Agent: <img src=x onerror=alert(1)>',
    );
    const [step] = buildLadder([entry(hostile)]).steps;
    expect(step?.message).toContain('<script>alert(1)</script>\\x00\\x1b[31m');
    expect(step?.message?.split('\n').length).toBe(hostile.split('\r\n').length);
  });

  it('what is no SIP is a step of its own', () => {
    const [step] = buildLadder([entry('\x16\x03\x01 hello')]).steps;
    expect(step).toMatchObject({ label: 'not SIP', message: '\\x16\\x03\\x01 hello' });
  });

  it('what one edge hands to another is one step', () => {
    const invite = lines(
      'INVITE sip:bob@192.0.2.9 SIP/2.0',
      'Via: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKi',
      'From: <sip:alice@example.test>;tag=1',
      'To: <sip:bob@example.test>',
      'Call-ID: c1',
      'CSeq: 1 INVITE',
    );
    const ladder = buildLadder(
      [
        entry(invite, { direction: 'out', transport: 'tcp', remote: { address: '10.0.0.9', port: 5070 } }),
        entry(invite, {
          at: NOON + 50,
          edge: 'edge-2',
          hop: 'inner',
          transport: 'tcp',
          remote: { address: '10.0.0.1', port: 50_000 },
        }),
        entry(invite, { at: NOON + 90, edge: 'edge-2', direction: 'out', remote: PHONE }),
      ],
      {
        edges: [
          { id: 'edge-1', inner: '10.0.0.1:5070' },
          { id: 'edge-2', inner: '10.0.0.9:5070' },
        ],
      },
    );
    expect(ladder.steps.map(({ from, to }) => `${from} > ${to}`)).toEqual([
      'edge edge-1 > edge edge-2',
      'edge edge-2 > phone udp 192.0.2.1:5071',
    ]);
  });
});

describe('the report of an inner service', () => {
  it('goes into an answer and out of it again', () => {
    const plain = answer('200 OK', 1);
    const report = { outcome: 'committed', commitAt: 12, commitTook: 345, conflicts: 2, total: 400 };
    const told = addProbe(plain, report);
    expect(readProbe(told)).toEqual(report);
    expect(removeProbe(told)).toBe(plain);
    expect(readProbe(plain)).toBeUndefined();
  });
});
