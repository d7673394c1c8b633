import { describe, expect, test } from 'vitest';
import { World, alice, bob, dialogOf, recordRoute, shown, tagOf } from './harness/world.ts';

// RFC 6665 §4.4.4: template packages are not named.
const ALLOW_EVENTS = 'presence, reg, message-summary, dialog, as-feature-event';

describe('SUBSCRIBE, RFC 6665 §4.2.1', () => {
  test('S02 message-summary: 200 with Expires, Contact and To-tag, and one NOTIFY at once', async () => {
    const world = new World();
    const response = await world.subscribe({ to: 'alice', event: 'message-summary', expires: 600 });
    expect(response.status).toBe(200);
    expect(response.header('expires')).toBe('600');
    const tag = tagOf(response);
    expect(response.header('contact')).toBe(`<sip:${tag}@198.51.100.1:5060;transport=tcp>`);
    expect(response.header('record-route')).toBe(recordRoute('u0-c0000201-5060'));
    expect(world.notifies).toHaveLength(1);
    const { request, peer } = world.last;
    expect(peer).toBe('127.0.0.1:7001');
    expect(request.requestUri).toBe('sip:alice@192.0.2.1:5060;transport=tcp');
    expect(request.header('route')).toBe(recordRoute('u0-c0000201-5060'));
    expect(request.header('event')).toBe('message-summary');
    expect(request.header('subscription-state')).toBe('active;expires=600');
    expect(request.header('content-type')).toBe('application/simple-message-summary');
    expect(request.body).toBe(`Messages-Waiting: no\r\nMessage-Account: ${alice}\r\nVoice-Message: 0/0\r\n`);
    expect(dialogOf(world)).toEqual({
      callId: 'c1',
      from: `<sip:alice@example.test>;tag=${tag}`,
      to: '<sip:alice@example.test>;tag=f1',
    });
  });

  test('S02 the tag and Contact are short enough for any dialog: tag 110, Contact 120 octets', async () => {
    const world = new World();
    const response = await world.subscribe();
    expect(tagOf(response).length).toBeLessThanOrEqual(110);
    expect((response.header('contact') ?? '').length - 2).toBeLessThanOrEqual(120);
  });

  test('S03 S04 a re-SUBSCRIBE through another replica: 200, full state, CSeq one higher', async () => {
    const world = new World(2);
    const toTag = tagOf(await world.subscribe({}, 0));
    const first = shown(world.last);
    const response = await world.subscribe({ toTag, cseq: 2, expires: 300 }, 1);
    expect(response.status).toBe(200);
    expect(response.header('expires')).toBe('300');
    expect(tagOf(response)).toBe(toTag);
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last)).toEqual({
      cseq: first.cseq + 1,
      state: 'active;expires=300',
      body: first.body,
    });
  });

  test('S05 Expires 0 in the dialog: 200, one NOTIFY terminated with state, and nothing is left', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    const response = await world.subscribe({ toTag, cseq: 2, expires: 0 });
    expect([response.status, response.header('expires')]).toEqual([200, '0']);
    expect(world.notifies).toHaveLength(2);
    expect(shown(world.last).state).toBe('terminated;reason=timeout');
    expect(shown(world.last).body).toContain('<basic>closed</basic>');
    expect(await world.events.watchers(bob)).toEqual([]);
    expect((await world.subscribe({ toTag, cseq: 3 })).status).toBe(481);
  });

  test('S05 Expires 0 at first is a fetch: one NOTIFY terminated with state, nothing stored', async () => {
    const world = new World();
    await world.register('registered');
    const response = await world.subscribe({ expires: 0 });
    expect([response.status, response.header('expires')]).toEqual([200, '0']);
    expect(world.notifies).toHaveLength(1);
    expect(shown(world.last).state).toBe('terminated;reason=timeout');
    expect(shown(world.last).body).toContain('<basic>open</basic>');
    expect(await world.events.watchers(bob)).toEqual([]);
  });

  test('S06 not refreshed: one NOTIFY terminated;reason=timeout, then 481', async () => {
    const world = new World(2);
    const toTag = tagOf(await world.subscribe({ expires: 60 }));
    await world.pass(59_000);
    expect(world.notifies).toHaveLength(1);
    world.time += 1_000;
    await Promise.all([world.work(0), world.work(1)]);
    expect(world.notifies.map((notify) => shown(notify).state)).toEqual([
      'active;expires=60',
      'terminated;reason=timeout',
    ]);
    expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(481);
    await world.pass(60_000, 1);
    expect(world.notifies).toHaveLength(2);
  });

  test('S06 after the expiry but before anybody came to end it: 481 already', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe({ expires: 60 }));
    world.time += 60_000;
    expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(481);
  });

  test.each(['x-spa-cti', 'Presence', 'ua-profile;profile-type="device"', undefined])(
    'S07 Event %s: 489 with Allow-Events',
    async (event) => {
      const world = new World();
      const response = await world.subscribe({ event });
      expect(response.status).toBe(489);
      expect(response.header('allow-events')).toBe(ALLOW_EVENTS);
      expect(world.notifies).toEqual([]);
    },
  );

  test('S08 10 s where 60 is the minimum: 423 with Min-Expires; nothing is refused above an hour', async () => {
    const world = new World();
    const response = await world.subscribe({ expires: 10 });
    expect([response.status, response.header('min-expires')]).toEqual([423, '60']);
    const long = await world.subscribe({ expires: 2_678_400 });
    expect([long.status, long.header('expires')]).toEqual([200, '3600']);
  });

  test('S08 no Expires: the default of the package', async () => {
    const world = new World();
    const response = await world.subscribe({ expires: undefined });
    expect(response.header('expires')).toBe('3600');
  });

  test('S09 Accept that nothing offers: 406 with what we have', async () => {
    const world = new World();
    const response = await world.subscribe({ accept: 'application/cpl+xml' });
    expect([response.status, response.header('accept')]).toEqual([
      406,
      'application/pidf+xml, application/cpim-pidf+xml, application/xpidf+xml',
    ]);
  });

  test.each(['multipart/related, application/rlmi+xml, application/pidf+xml', 'application/*', '*/*;q=0.1'])(
    'S09 Accept: %s is served',
    async (accept) => {
      const world = new World();
      expect((await world.subscribe({ accept })).status).toBe(200);
    },
  );

  test.each([
    ['<sip:a@192.0.2.1>, <sip:a@192.0.2.2>', 'More Than One Contact'],
    ['<sip:a@192.0.2.1>\r\nContact: <sip:a@192.0.2.2>', 'More Than One Contact'],
    ['*', 'Contact Names No Address'],
  ])('Contact: %s is 400, and the reason says what is wrong', async (contact, reason) => {
    const response = await new World().subscribe({ contact });
    expect([response.status, response.reason]).toEqual([400, reason]);
  });

  test('unknown To-tags are answered 481, whatever they look like', async () => {
    const world = new World();
    for (const toTag of ['as211b359e', '99.AAAAAAAAAAAAAAAA', '1.AAAAAAAAAAAAAAAA']) {
      expect((await world.subscribe({ toTag, cseq: 2 })).status).toBe(481);
    }
  });

  test('RFC 3261 §12.2.2: a lower CSeq in the dialog gets 500, the same one the same answer without a NOTIFY', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe({ cseq: 5 }));
    await world.subscribe({ toTag, cseq: 7 });
    expect(world.notifies).toHaveLength(2);
    expect((await world.subscribe({ toTag, cseq: 6 })).status).toBe(500);
    expect((await world.subscribe({ toTag, cseq: 7 })).status).toBe(200);
    expect(world.notifies).toHaveLength(2);
  });

  test('the same SUBSCRIBE given to a second replica is one subscription', async () => {
    const world = new World(2);
    const first = await world.subscribe({}, 0);
    const second = await world.subscribe({}, 1);
    expect(tagOf(second)).toBe(tagOf(first));
    expect(world.notifies).toHaveLength(1);
    expect(await world.events.watchers(bob)).toHaveLength(1);
  });

  test('S25 a phone that starts over with its old Call-ID goes on with the old subscription', async () => {
    const world = new World();
    const first = await world.subscribe({ cseq: 1 });
    const cseq = shown(world.last).cseq;
    const second = await world.subscribe({ cseq: 2 });
    expect(tagOf(second)).toBe(tagOf(first));
    expect(shown(world.last).cseq).toBe(cseq + 1);
    expect(await world.events.watchers(bob)).toHaveLength(1);
  });

  test('another Event in the dialog is no shared dialog: 403 (RFC 6665 §4.5.2)', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    expect((await world.subscribe({ toTag, cseq: 2, event: 'presence;id=7' })).status).toBe(403);
  });

  test('the id of the Event comes back in the NOTIFY', async () => {
    const world = new World();
    await world.subscribe({ event: 'presence;id=7' });
    expect(world.last.request.header('event')).toBe('presence;id=7');
  });

  test('who refreshes over another connection is notified there', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe({ flow: 't1' }));
    await world.subscribe({ toTag, cseq: 2, flow: 't2' });
    expect(world.last.request.header('route')).toBe(recordRoute('t2'));
  });

  test('only the owner and those with a grant watch reg and message-summary; presence is open', async () => {
    const world = new World();
    for (const event of ['reg', 'message-summary']) {
      expect((await world.subscribe({ event, callId: event })).status).toBe(403);
    }
    expect((await world.subscribe()).status).toBe(200);
    world.grants.set(bob, [alice]);
    expect((await world.subscribe({ event: 'reg', callId: 'granted' })).status).toBe(200);
  });

  test('nobody at all, and a domain that is not ours: 404', async () => {
    const world = new World();
    expect((await world.subscribe({ to: 'nobody' })).status).toBe(404);
  });

  test('without an asserted identity, a Contact, or with a Require: 403, 400, 420, and no NOTIFY', async () => {
    const world = new World();
    // RFC 4662 §4.1: eventlist is understood, if of no use here.
    const extension = await world.subscribe({ headers: 'Require: foo, eventlist\r\n' });
    expect([extension.status, extension.header('unsupported')]).toEqual([420, 'foo']);
    expect((await world.subscribe({ contact: '<sip:a@192.0.2.1>, <sip:a@192.0.2.2>' })).status).toBe(400);
    const bare =
      'SUBSCRIBE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TCP e.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n' +
      'To: <sip:bob@example.test>\r\nCall-ID: x\r\nCSeq: 1 SUBSCRIBE\r\nContact: <sip:a@192.0.2.1>\r\nEvent: presence\r\nContent-Length: 0\r\n\r\n';
    expect((await world.request(bare)).status).toBe(403);
    expect(world.notifies).toEqual([]);
  });

  test('other methods get 405 with Allow', async () => {
    const world = new World();
    const raw =
      'MESSAGE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TCP e.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n' +
      'To: <sip:bob@example.test>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n';
    const response = await world.request(raw);
    expect([response.status, response.header('allow')]).toEqual([405, 'SUBSCRIBE, PUBLISH']);
  });

  test('the store away: 503 with Retry-After, and afterwards all is as before', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe());
    world.storeUp = false;
    for (const attempt of [{}, { toTag, cseq: 2 }, { expires: 0, callId: 'fetch' }]) {
      const response = await world.subscribe(attempt);
      expect([response.status, response.header('retry-after')]).toEqual([503, '2']);
    }
    expect(world.notifies).toHaveLength(1);
    world.storeUp = true;
    expect((await world.subscribe({ toTag, cseq: 3 })).status).toBe(200);
  });
});
