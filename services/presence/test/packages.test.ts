import { describe, expect, test } from 'vitest';
import type { Aor, BindingId } from '@rollcall/location';
import { World, alice, bob, shown, tagOf } from './harness/world.ts';
import type { SentNotify } from './harness/world.ts';

const DIALOG_INFO = 'application/dialog-info+xml';
const FEATURES = 'application/x-as-feature-event+xml';
const SUMMARY = 'application/simple-message-summary';

const pidf = (basic: string): string =>
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:bob@example.test"><tuple id="t"><status><basic>${basic}</basic></status></tuple></presence>`;
const dialogInfo = (state: string, id = 'd1'): string =>
  `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:bob@example.test"><dialog id="${id}" call-id="c-${id}"><state>${state}</state></dialog></dialog-info>`;
const dnd = (on: boolean): string =>
  `<SetDoNotDisturb xmlns="http://www.ecma-international.org/standards/ecma-323/csta/ed3"><device/><doNotDisturbOn>${String(on)}</doNotDisturbOn></SetDoNotDisturb>`;

const version = (notify: SentNotify): number => Number(/ version="(\d+)"/.exec(notify.request.body)?.[1]);
const etagOf = (response: { header(name: string): string | undefined }): string =>
  response.header('sip-etag') ?? '';
const matching = (etag: string, expires = 600): string =>
  `Expires: ${String(expires)}\r\nSIP-If-Match: ${etag}\r\n`;

describe('dialog, RFC 4235', () => {
  test('S17 version rises from 0 over replicas, first full, states in order, the end is told', async () => {
    const world = new World(3);
    const toTag = tagOf(await world.subscribe({ event: 'dialog' }, 0));
    let etag = '';
    for (const [n, state] of ['trying', 'early', 'confirmed'].entries()) {
      const headers = etag === '' ? 'Expires: 600\r\n' : matching(etag);
      const options = { event: 'dialog', type: DIALOG_INFO, headers, replica: n };
      etag = etagOf(await world.publish(dialogInfo(state), options));
      await world.work(n);
    }
    await world.publish('', { event: 'dialog', headers: matching(etag, 0) });
    await world.work(2);
    await world.subscribe({ event: 'dialog', toTag, cseq: 2 }, 1);
    expect(world.notifies.map(version)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(world.notifies.every(({ request }) => request.body.includes('state="full"'))).toBe(true);
    const states = world.notifies.map(({ request }) => /<state>(\w+)</.exec(request.body)?.[1]);
    expect(states).toEqual(['terminated', 'trying', 'early', 'confirmed', 'terminated', 'terminated']);
    expect(world.notifies[4]?.request.body).toContain('<dialog id="d1"><state>terminated');
    expect(world.last.request.header('content-type')).toBe(DIALOG_INFO);
  });

  test('S17 what is published of dialogs is no news to watchers of presence, and the other way round', async () => {
    const world = new World();
    await world.subscribe({ event: 'dialog', callId: 'c1' });
    await world.subscribe({ event: 'presence', callId: 'c2' });
    await world.publish(dialogInfo('early'), { event: 'dialog', type: DIALOG_INFO });
    await world.work();
    await world.publish(pidf('open'));
    await world.work();
    const events = world.notifies.map(({ request }) => request.header('event'));
    expect(events).toEqual(['dialog', 'presence', 'dialog', 'presence']);
  });

  test('S17 S16 phone and edge publish: one dies and its publication expires, the other stays', async () => {
    const world = new World();
    await world.subscribe({ event: 'dialog', expires: 3600 });
    const options = { event: 'dialog', type: DIALOG_INFO };
    await world.publish(dialogInfo('confirmed', 'phone'), { ...options, headers: 'Expires: 60\r\n' });
    await world.publish(dialogInfo('early', 'edge'), options);
    await world.work();
    expect(world.last.request.body.match(/<dialog /g)).toHaveLength(2);
    await world.pass(61_000);
    await world.work();
    expect(world.last.request.body).toContain('<dialog id="phone"><state>terminated</state>');
    expect(world.last.request.body).toContain('<state>early</state>');
  });
});

describe('watcher information, RFC 3857', () => {
  const watching = { as: 'bob', to: 'bob', event: 'presence.winfo', callId: 'w1' };

  test('S19 full at first, then partial: who came, who went', async () => {
    const world = new World(2);
    await world.subscribe({ callId: 'c1' });
    await world.subscribe(watching);
    expect(world.last.request.header('content-type')).toBe('application/watcherinfo+xml');
    expect(world.last.request.body).toContain('version="0" state="full"');
    expect(world.last.request.body.match(/<watcher /g)).toHaveLength(1);
    const toTag = tagOf(await world.subscribe({ callId: 'c2', as: 'carol' }, 1));
    await world.work(1);
    expect(world.last.request.body).toContain('version="1" state="partial"');
    expect(world.last.request.body).toMatch(/status="active" event="subscribe"[^>]*>sip:carol@example.test</);
    expect(world.last.request.body.match(/<watcher /g)).toHaveLength(1);
    await world.subscribe({ callId: 'c2', as: 'carol', toTag, cseq: 2, expires: 0 }, 1);
    await world.work(0);
    expect(world.last.request.body).toContain('version="2" state="partial"');
    expect(world.last.request.body).toMatch(/status="terminated" event="timeout"[^>]*>sip:carol@/);
  });

  test('S19 a refresh is no news; expiry is', async () => {
    const world = new World();
    await world.subscribe({ ...watching, expires: 3600 });
    const toTag = tagOf(await world.subscribe({ callId: 'c1', expires: 600 }));
    await world.work();
    const before = world.notifies.length;
    await world.subscribe({ callId: 'c1', toTag, cseq: 2, expires: 60 });
    await world.work();
    expect(world.notifies).toHaveLength(before + 1);
    await world.replicas[0]?.worker.flush();
    await world.pass(61_000);
    await world.work();
    expect(world.last.request.header('event')).toBe('presence.winfo');
    expect(world.last.request.body).toContain('status="terminated" event="timeout"');
  });

  test('S19 only the owner: 403 to others', async () => {
    const world = new World();
    expect((await world.subscribe({ ...watching, as: 'alice' })).status).toBe(403);
  });

  test('dialog.winfo tells of those who watch dialogs', async () => {
    const world = new World();
    await world.subscribe({ ...watching, event: 'dialog.winfo' });
    await world.subscribe({ callId: 'c1', event: 'presence' });
    await world.work();
    expect(world.notifies).toHaveLength(2);
    await world.subscribe({ callId: 'c2', event: 'dialog' });
    await world.work();
    expect(world.last.request.body).toContain('package="dialog"');
    expect(world.last.request.body.match(/<watcher /g)).toHaveLength(1);
  });
});

describe('feature keys', () => {
  const keys = { as: 'bob', to: 'bob', event: 'as-feature-event' };
  const setting = { headers: `Content-Type: ${FEATURES}\r\n` };

  test('S21 a key pressed on one phone is told to all phones of the user, over replicas', async () => {
    const world = new World(2);
    const toTag = tagOf(await world.subscribe({ ...keys, callId: 'c1' }, 0));
    await world.subscribe({ ...keys, callId: 'c2' }, 1);
    expect(world.last.request.body).toContain('<doNotDisturbOn>false</doNotDisturbOn>');
    const response = await world.subscribe(
      { ...keys, ...setting, callId: 'c1', toTag, cseq: 2, body: dnd(true) },
      1,
    );
    expect(response.status).toBe(200);
    await world.work(0);
    const told = world.notifies
      .slice(2)
      .map(({ request }) => [request.header('call-id'), request.body.includes('>true<')]);
    expect(told.sort()).toEqual([
      ['c1', true],
      ['c2', true],
    ]);
    await world.subscribe({ ...keys, callId: 'c3' }, 0);
    expect(world.last.request.body).toContain('<doNotDisturbOn>true</doNotDisturbOn>');
    expect(world.last.request.header('content-type')).toBe(FEATURES);
  });

  test('S21 the first SUBSCRIBE may carry it', async () => {
    const world = new World();
    await world.subscribe({ ...keys, ...setting, body: dnd(true) });
    expect(world.last.request.body).toContain('<doNotDisturbOn>true</doNotDisturbOn>');
  });

  test.each([
    ['another type', { headers: 'Content-Type: text/plain\r\n', body: dnd(true) }, 415],
    ['a document that is none', { ...setting, body: '<x>' }, 400],
    ['more than 48 KiB', { ...setting, body: dnd(true) + ' '.repeat(49_152) }, 413],
  ])('S21 S26 %s is refused', async (_, options, status) => {
    const world = new World();
    expect((await world.subscribe({ ...keys, ...options })).status).toBe(status);
    expect(await world.events.readPublications(bob)).toEqual({ version: 0, publications: [] });
  });

  test('S21 nobody sets the keys of another', async () => {
    const world = new World();
    const toTag = tagOf(await world.subscribe({ ...keys, callId: 'c1' }));
    const before = await world.events.readPublications(bob);
    const outside = await world.subscribe({ ...keys, ...setting, as: 'alice', body: dnd(true) });
    expect(outside.status).toBe(403);
    const inside = { ...keys, ...setting, as: 'alice', toTag, callId: 'c1', cseq: 2, body: dnd(true) };
    expect((await world.subscribe(inside)).status).toBe(403);
    expect(await world.events.readPublications(bob)).toEqual(before);
  });
});

describe('profiles of devices, RFC 6080', () => {
  const event = 'ua-profile;profile-type="device";vendor="snom";model="snom370";version="8.7.5.48"';
  const profileUrl = 'https://boot.example.test/{mac}.xml';
  const device = { as: 'MAC%3a000413AABBCC', to: 'MAC%3a000413AABBCC', event };

  test('S21 snom fetches its URL: 200 and one NOTIFY', async () => {
    const world = new World(1, false, { profileUrl });
    const response = await world.subscribe({ ...device, expires: 0, accept: 'application/url' });
    expect(response.status).toBe(200);
    expect(world.last.request.header('content-type')).toBe('application/url');
    expect(world.last.request.body).toBe('https://boot.example.test/000413aabbcc.xml');
  });

  test('S21 P19 without a URL there is no such package: 489', async () => {
    const world = new World();
    expect((await world.subscribe({ ...device, expires: 0, accept: 'application/url' })).status).toBe(489);
  });

  test('S21 RFC 6080 a day is granted to it, and the limit of all to a package without its own', async () => {
    const world = new World(1, false, { profileUrl });
    const day = await world.subscribe({ ...device, expires: undefined });
    expect(day.header('expires')).toBe('86400');
    const other = await world.subscribe({ expires: 86_400, callId: 'c2' });
    expect(other.header('expires')).toBe('3600');
  });

  test('S21 a device that is registered for it is given a reference', async () => {
    const world = new World(1, false, { profileUrl });
    await world.subscribe(device);
    expect(world.last.request.header('content-type')).toContain(
      'URL="https://boot.example.test/000413aabbcc.xml"',
    );
  });
});

describe('presence for old phones', () => {
  test.each([
    ['application/xpidf+xml, text/xml+msrtc.pidf', 'application/xpidf+xml', '<status status="open" />'],
    ['application/cpim-pidf+xml', 'application/cpim-pidf+xml', '<basic>open</basic>'],
    ['application/xpidf+xml, application/pidf+xml', 'application/pidf+xml', '<basic>open</basic>'],
    [
      'application/xpidf+xml, application/pidf+xml;q=0.5',
      'application/xpidf+xml',
      '<status status="open" />',
    ],
  ])('S13 P10 Accept: %s', async (accept, type, body) => {
    const world = new World();
    await world.register('registered');
    await world.subscribe({ accept });
    expect(world.last.request.header('content-type')).toBe(type);
    expect(world.last.request.body).toContain(body);
  });
});

describe('reg with GRUUs, RFC 5628', () => {
  test('S18 the public and a temporary GRUU of a device that has them', async () => {
    const world = new World();
    const instance = '<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>';
    const gruu = { since: world.clock.now(), firstCseq: 17 };
    await world.register('registered', { instance, gruu });
    await world.register('registered', { id: 'b2' as BindingId });
    await world.subscribe({ as: 'bob', event: 'reg' });
    const { body } = world.last.request;
    expect(body).toContain('xmlns:gr="urn:ietf:params:xml:ns:gruuinfo"');
    expect(body).toContain(
      '<gr:pub-gruu uri="sip:bob@example.test;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"/>',
    );
    expect(body).toMatch(/<gr:temp-gruu uri="sip:tgruu\.[^"]+@example\.test;gr" first-cseq="17"\/>/);
    expect(body.match(/<gr:pub-gruu/g)).toHaveLength(1);
  });
});

describe('mailboxes', () => {
  test('S27 a voice mail system publishes unsolicited, with a grant', async () => {
    const world = new World();
    await world.subscribe({ to: 'alice', event: 'message-summary' });
    const options = { as: 'vm', to: 'alice', event: 'message-summary', type: SUMMARY };
    const body = 'Messages-Waiting: yes\r\nVoice-Message: 1/0\r\n';
    expect((await world.publish(body, options)).status).toBe(403);
    world.grants.set(alice, ['sip:vm@example.test' as Aor]);
    const etag = etagOf(await world.publish(body, options));
    await world.work();
    expect(shown(world.last).body).toBe(
      `Messages-Waiting: yes\r\nMessage-Account: ${alice}\r\nVoice-Message: 1/0\r\n`,
    );
    await world.publish('Messages-Waiting: no\r\n', { ...options, headers: matching(etag) });
    await world.work();
    expect(shown(world.last).body).toContain('Messages-Waiting: no');
  });
});

describe('publications', () => {
  test('S15 of concurrent PUBLISHs with one entity-tag over replicas one wins, the others are told 412', async () => {
    const world = new World(3);
    const etag = etagOf(await world.publish(pidf('open')));
    const bodies = ['open', 'closed', 'open'].map((basic, n) =>
      pidf(basic).replace('id="t"', `id="t${String(n)}"`),
    );
    const answers = await Promise.all(
      bodies.map((body, replica) => world.publish(body, { headers: matching(etag), replica })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    expect((await world.events.readPublications(bob)).publications).toHaveLength(1);
  });

  test('S15 the same PUBLISH by way of a second replica: the same answer, carried out once', async () => {
    const world = new World(2);
    await world.subscribe();
    const first = { branch: 'z9hG4bKphone1', cseq: 7 };
    const one = await world.publish(pidf('open'), { ...first, replica: 0 });
    const again = await world.publish(pidf('open'), { ...first, replica: 1 });
    expect([again.status, etagOf(again), again.header('expires')]).toEqual([200, etagOf(one), '600']);
    expect((await world.events.readPublications(bob)).publications).toHaveLength(1);
    const next = { branch: 'z9hG4bKphone2', cseq: 8, headers: matching(etagOf(one)) };
    const two = await world.publish('', { ...next, replica: 1 });
    expect(etagOf(await world.publish('', { ...next, replica: 0 }))).toBe(etagOf(two));
  });

  test('S15 a refresh without a body tells nobody; If-Match decides before the body is looked at', async () => {
    const world = new World();
    await world.subscribe();
    const etag = etagOf(await world.publish(pidf('open')));
    await world.work();
    const before = world.notifies.length;
    expect((await world.publish('', { headers: matching(etag) })).status).toBe(200);
    await world.work();
    expect(world.notifies).toHaveLength(before);
    expect((await world.publish('x', { type: 'text/plain', headers: matching('other') })).status).toBe(412);
    expect((await world.publish('x', { headers: `${matching('a')}SIP-If-Match: b\r\n` })).status).toBe(400);
  });

  test('S15 an entity-tag is of one package', async () => {
    const world = new World();
    const etag = etagOf(await world.publish(pidf('open')));
    const other = { event: 'dialog', type: DIALOG_INFO, headers: matching(etag) };
    expect((await world.publish(dialogInfo('early'), other)).status).toBe(412);
  });

  test('S26 more than 48 KiB is 413; so is more than 32 publications or 48 KiB of one resource, until there is room', async () => {
    const world = new World();
    const note = (length: number): string =>
      pidf('open').replace('</tuple>', `<note>${'x'.repeat(length)}</note></tuple>`);
    const alone = await world.publish(note(49_152));
    expect([alone.status, alone.has('retry-after')]).toEqual([413, false]);
    const large = await world.publish(note(40_000));
    expect(large.status).toBe(200);
    const full = await world.publish(note(10_000));
    expect([full.status, full.header('retry-after')]).toEqual([413, '2']);
    expect((await world.publish('', { headers: matching(etagOf(large), 0) })).status).toBe(200);
    for (let n = 0; n < 32; n += 1) expect((await world.publish(pidf('open'))).status).toBe(200);
    expect((await world.publish(pidf('open'))).status).toBe(413);
    await world.pass(601_000);
    expect((await world.publish(pidf('open'))).status).toBe(200);
  });

  test('pres: names the same user as sip:, in PUBLISH and in SUBSCRIBE', async () => {
    const world = new World();
    await world.subscribe();
    const response = await world.publish(pidf('open'), { uri: 'pres:bob@example.test' });
    expect(response.status).toBe(200);
    await world.work();
    expect(shown(world.last).body).toContain('<basic>open</basic>');
  });

  test('a publication under an alias is that of the user', async () => {
    const world = new World();
    await world.subscribe();
    expect((await world.publish(pidf('open'), { to: 'alias-of-bob' })).status).toBe(200);
    await world.work();
    expect(shown(world.last).body).toContain(`entity="${bob}"`);
    expect(shown(world.last).body).toContain('<basic>open</basic>');
  });
});
