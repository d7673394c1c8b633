import type { SipRequest, SipResponse } from '@rollcall/sip';
import { createUsers } from '@rollcall/local';
import { eventually, Subscription, TestSystem, token, type Account, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Callee, OutgoingCall } from './call-phones.ts';
import { ACCOUNTS, contactLine, freshAccount, ok, refused } from './support.ts';

/** Publications and event packages over real processes: two edges, three replicas of presence. */
let system: TestSystem;
const DEVICE: Account = { user: 'mac-000413aabbcc', password: 'device-secret' };
const REPLICAS = ['presence-1', 'presence-2', 'presence-3'];
const BRIEF = 'brief.test';

beforeAll(async () => {
  system = await TestSystem.start({
    accounts: [...ACCOUNTS, DEVICE],
    replicas: { edge: 2, presence: 3 },
    env: {
      edge: { ROLLCALL_DIALOG_STATES: 'true' },
      presence: {
        ROLLCALL_SUBSCRIPTION_MIN: '2',
        ROLLCALL_PROFILE_URL: 'https://boot.example.test/{mac}.xml',
      },
    },
  });
  await createUsers(system.redisUrl, BRIEF, ACCOUNTS);
  const { domains } = (await system.store()).users;
  await domains.put({ name: BRIEF, minExpires: 1, maxExpires: 3600, defaultExpires: 3600 });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const PIDF = 'application/pidf+xml';
const DIALOG_INFO = 'application/dialog-info+xml';
const FEATURES = 'application/x-as-feature-event+xml';

const pidf = (basic: string, id = 't'): string =>
  `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:x"><tuple id="${id}"><status><basic>${basic}</basic></status></tuple></presence>`;
const dialogInfo = (state: string): string =>
  `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:x"><dialog id="d" call-id="c"><state>${state}</state></dialog></dialog-info>`;

interface Publishing {
  readonly event?: string;
  readonly type?: string;
  readonly expires?: number;
  readonly etag?: string;
  readonly uri?: string;
}

const publish = (phone: Phone, body: string, options: Publishing = {}): Promise<SipResponse> => {
  const { event = 'presence', type = PIDF, expires = 600, etag, uri } = options;
  const headers = [
    `Event: ${event}`,
    `Expires: ${String(expires)}`,
    ...(etag === undefined ? [] : [`SIP-If-Match: ${etag}`]),
    ...(body === '' ? [] : [`Content-Type: ${type}`]),
  ];
  return phone.request('PUBLISH', { callId: token(), headers, body, ...(uri === undefined ? {} : { uri }) });
};
const etagOf = (response: SipResponse): string => response.header('sip-etag') ?? '';

async function watch(
  phone: Phone,
  event: string,
  resource = phone.aor,
  accept?: string,
): Promise<Subscription> {
  const subscription = new Subscription(phone, {
    event,
    resource,
    ...(accept === undefined ? {} : { accept }),
  });
  await ok(subscription.send(600));
  return subscription;
}
/** Waits until it is written down that the last NOTIFY of an event arrived; a change before that is told in full. */
async function settled(resource: string, event: string): Promise<void> {
  interface Shown {
    readonly items: readonly { readonly event: string; readonly notify: { readonly delivery: string } }[];
  }
  await eventually(`${event} is settled`, async () => {
    const path = `/v1/subscriptions?resource=${encodeURIComponent(resource)}`;
    const { items } = (await system.admin.get<Shown>(path)).body;
    return items.some((one) => one.event === event && one.notify.delivery === 'settled');
  });
}
const versionOf = ({ body }: SipRequest): number => Number(/ version="(\d+)"/.exec(body)?.[1]);
const stateOf = ({ body }: SipRequest): string => /<state[^>]*>(\w+)</.exec(body)?.[1] ?? '';

describe.each(['udp', 'tcp'] as const)('PUBLISH over %s', (transport) => {
  it('S15 initial, refresh, modify, remove: a new entity-tag each; through any replica and edge', async () => {
    const account = freshAccount();
    const phone = await system.phone(account, { transport });
    const other = await system.phone(account, { transport, edge: 2 });
    const watcher = await watch(await system.phone(freshAccount(), { transport }), 'presence', phone.aor);
    expect((await watcher.nextNotify()).body).toContain('<basic>closed</basic>');
    const first = await ok(publish(phone, pidf('open')));
    expect(Number(first.header('expires'))).toBe(600);
    expect((await watcher.nextNotify()).body).toContain('<basic>open</basic>');
    const refreshed = await ok(publish(other, '', { etag: etagOf(first) }));
    const modified = await ok(publish(phone, pidf('closed', 'u'), { etag: etagOf(refreshed) }));
    expect((await watcher.nextNotify()).body).toContain('<tuple id="u"><status><basic>closed</basic>');
    const removed = await ok(publish(other, '', { etag: etagOf(modified), expires: 0 }));
    expect((await watcher.nextNotify()).body).toContain('<tuple id="none">');
    expect(new Set([first, refreshed, modified, removed].map(etagOf)).size).toBe(4);
    for (const used of [first, refreshed, modified])
      await refused(publish(phone, pidf('open'), { etag: etagOf(used) }), 412);
  });

  it('S15 no body at first 400, another type 415 with Accept, too brief 423, unknown event 489, not the owner 403', async () => {
    const phone = await system.phone(freshAccount(), { transport });
    await refused(publish(phone, ''), 400);
    const type = await refused(publish(phone, 'x', { type: 'text/plain' }), 415);
    expect(type.header('accept')).toContain(PIDF);
    const brief = await refused(publish(phone, pidf('open'), { expires: 1 }), 423);
    expect(brief.header('min-expires')).toBe('2');
    const event = await refused(publish(phone, pidf('open'), { event: 'asterisk-devicestate' }), 489);
    expect(event.header('allow-events')).toContain('presence');
    const other = await system.phone(freshAccount(), { transport });
    await refused(publish(other, pidf('open'), { uri: phone.aor }), 403);
  });

  it('S16 two devices publish, one expires: composed, the other stays', async () => {
    const account = freshAccount();
    const desk = await system.phone(account, { transport });
    const mobile = await system.phone(account, { transport, edge: 2 });
    const watcher = await watch(await system.phone(freshAccount(), { transport }), 'presence', desk.aor);
    await watcher.nextNotify();
    await ok(publish(desk, pidf('open', 'desk')));
    await watcher.nextNotify();
    await ok(publish(mobile, pidf('open', 'mobile'), { expires: 2 }));
    expect((await watcher.nextNotify()).body.match(/<tuple /g)).toHaveLength(2);
    const left = await watcher.nextNotify(10_000);
    expect(left.body.match(/<tuple id="\w+"/g)).toEqual(['<tuple id="desk"']);
  });
});

describe('publications and faults', () => {
  it('S15 of ten concurrent modifications with one entity-tag one wins', async () => {
    const account = freshAccount();
    const phones = await Promise.all([1, 2].map((edge) => system.phone(account, { edge, transport: 'tcp' })));
    const [one, two] = phones as [Phone, Phone];
    const etag = etagOf(await ok(publish(one, pidf('open'))));
    await ok(two.register(600));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        publish(n % 2 === 0 ? one : two, pidf('closed', `t${n}`), { etag }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 9 }, () => 412)]);
  });

  it('S15 S24 replicas are killed in turn: the publication stays, the next entity-tag works', async () => {
    const phone = await system.phone(freshAccount());
    const watcher = await watch(await system.phone(freshAccount()), 'presence', phone.aor);
    await watcher.nextNotify();
    let etag = etagOf(await ok(publish(phone, pidf('open', 'r'))));
    await watcher.nextNotify();
    for (const [n, name] of REPLICAS.entries()) {
      await system.kill(name);
      const answer = await publish(phone, pidf(n % 2 === 0 ? 'closed' : 'open', 'r'), { etag });
      expect(answer.status).toBe(200);
      etag = etagOf(answer);
      expect((await watcher.nextNotify(10_000)).body.match(/<tuple /g)).toHaveLength(1);
      await system.revive(name);
    }
  });

  it.each([
    ['a document type', `<!DOCTYPE p [<!ENTITY a "b">]>${pidf('open').slice(21)}`, 400],
    [
      'an entity bomb',
      `<!DOCTYPE z [${Array.from({ length: 20 }, (_, n) => `<!ENTITY e${n + 1} "&e${n};&e${n};">`).join('')}]><x>&e20;</x>`,
      400,
    ],
    ['another namespace', pidf('open').replace('urn:ietf:params:xml:ns:pidf', 'urn:x'), 400],
    ['20,000 elements deep', '<a>'.repeat(16_000), 400],
    ['60 KB of text', pidf('open').replace('</tuple>', `<note>${'x'.repeat(60_000)}</note></tuple>`), 413],
  ])('S26 %s is refused, and the service goes on', async (_, body, status) => {
    const phone = await system.phone(freshAccount(), { transport: 'tcp' });
    await refused(publish(phone, body), status);
    await ok(publish(phone, pidf('open')));
  });

  it('S26 a body of 1 MiB is 413, whoever sends it', async () => {
    const phone = await system.phone(freshAccount(), { transport: 'tcp' });
    const headers = ['Event: presence', `Content-Type: ${PIDF}`];
    const answer = phone.expect((one) => one.kind === 'response', 'an answer', 10_000);
    phone.send(phone.build('PUBLISH', { headers, body: 'x'.repeat(1_048_576) }));
    expect(await answer).toMatchObject({ status: 413 });
    const again = await system.phone(freshAccount(), { transport: 'tcp' });
    await ok(publish(again, pidf('open')));
  });

  it('F08 what is hostile in a note reaches the watcher as text', async () => {
    const phone = await system.phone(freshAccount(), { transport: 'tcp' });
    const watcher = await watch(
      await system.phone(freshAccount(), { transport: 'tcp' }),
      'presence',
      phone.aor,
    );
    await watcher.nextNotify();
    const evil = '&lt;/note&gt;&lt;!ENTITY&gt;&#13;&#10;Via: x&#13;&#10;{}|&quot;&apos;';
    await ok(publish(phone, pidf('open').replace('</tuple>', `<note>${evil}</note></tuple>`)));
    const notify = await watcher.nextNotify();
    expect(notify.body).toContain('<note>&lt;/note&gt;&lt;!ENTITY&gt;&#13;&#10;Via: x');
    expect(notify.raw).not.toMatch(/^Via: x/m);
  });
});

describe('presence', () => {
  it('S13 Polycom gets xpidf, Cisco cpim-pidf', async () => {
    const phone = await system.phone(freshAccount());
    await ok(phone.register(600));
    const xpidf = await (await watch(phone, 'presence', phone.aor, 'application/xpidf+xml')).nextNotify();
    expect(xpidf.header('content-type')).toBe('application/xpidf+xml');
    expect(xpidf.body).toContain('<status status="open" />');
    const cpim = await (await watch(phone, 'presence', phone.aor, 'application/cpim-pidf+xml')).nextNotify();
    expect(cpim.header('content-type')).toBe('application/cpim-pidf+xml');
    expect(cpim.body).toContain('<basic>open</basic>');
  });

  it('S13 pres: URIs name the user of the sip: URI', async () => {
    const phone = await system.phone(freshAccount());
    const uri = phone.aor.replace('sip:', 'pres:');
    const watcher = await watch(await system.phone(freshAccount()), 'presence', uri);
    await watcher.nextNotify();
    await ok(publish(phone, pidf('open'), { uri }));
    expect((await watcher.nextNotify()).body).toContain('<basic>open</basic>');
  });
});

describe('dialog', () => {
  it('S17 a lamp follows a call over two edges: trying, early, confirmed, over; versions from 0, never early after the end', async () => {
    const account = freshAccount();
    const callee = Object.assign(new Callee(await system.phone(account, { edge: 2 })), { ring: 0 });
    await ok(callee.phone.register(600));
    const lamp = await watch(await system.phone(freshAccount()), 'dialog', callee.phone.aor);
    const call = new OutgoingCall(await system.phone(freshAccount()), callee.phone.aor);
    const final = call.start();
    const incoming = await callee.call();
    await eventually('the lamp knows', () => stateOf(lamp.notifies.at(-1) as SipRequest) === 'trying');
    callee.answer(incoming, 180);
    await eventually('the lamp blinks', () => stateOf(lamp.notifies.at(-1) as SipRequest) === 'early');
    callee.answer(incoming, 200);
    const answer = await ok(final);
    call.acknowledge(answer);
    await eventually('the lamp is lit', () => stateOf(lamp.notifies.at(-1) as SipRequest) === 'confirmed');
    await ok(call.hangUp(answer));
    await eventually('the lamp is out', () => stateOf(lamp.notifies.at(-1) as SipRequest) === 'terminated');
    expect(lamp.notifies.map(versionOf)).toEqual(lamp.notifies.map((_, n) => n));
    expect(lamp.notifies.every(({ body }) => body.includes('state="full"'))).toBe(true);
    const order = ['trying', 'early', 'confirmed', 'terminated'];
    const steps = lamp.notifies.slice(1).map((notify) => order.indexOf(stateOf(notify)));
    expect(steps).toEqual([...steps].sort());
    expect(lamp.notifies.at(-2)?.body).toContain(`call-id="${call.callId}"`);
  });

  it('S17 a phone publishes its dialogs; replicas are killed between; versions go on', async () => {
    const phone = await system.phone(freshAccount(), { transport: 'tcp' });
    const lamp = await watch(await system.phone(freshAccount(), { transport: 'tcp' }), 'dialog', phone.aor);
    const seen = [await lamp.nextNotify()];
    let etag: string | undefined;
    for (const [n, state] of ['trying', 'early', 'confirmed'].entries()) {
      const name = REPLICAS[n] ?? '';
      await system.kill(name);
      const options = { event: 'dialog', type: DIALOG_INFO, ...(etag === undefined ? {} : { etag }) };
      etag = etagOf(await ok(publish(phone, dialogInfo(state), options)));
      seen.push(await lamp.nextNotify(10_000));
      await system.revive(name);
    }
    await ok(publish(phone, '', { event: 'dialog', expires: 0, etag: etag ?? '' }));
    seen.push(await lamp.nextNotify(10_000));
    expect(seen.map(stateOf)).toEqual(['terminated', 'trying', 'early', 'confirmed', 'terminated']);
    expect(seen.map(versionOf)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('reg', () => {
  it('S18 full, then partial: created, refreshed, shortened, unregistered, expired, deactivated; GRUUs', async () => {
    const account = freshAccount();
    const phone = await system.phone(account, { domain: BRIEF });
    const device = await system.phone(account, { domain: BRIEF, edge: 2 });
    const watcher = await watch(phone, 'reg');
    const seen = [await watcher.nextNotify()];
    const instance = `<urn:uuid:00000000-0000-4000-8000-${token()}>`;
    const callId = token();
    const register = async (expires: number): Promise<void> => {
      const contact = contactLine(
        `<${device.contact}>;+sip.instance="${instance}";expires=${String(expires)}`,
      );
      await settled(phone.aor, 'reg');
      await ok(device.register(expires, { callId, headers: [contact, 'Supported: gruu'] }));
      seen.push(await watcher.nextNotify());
    };
    for (const expires of [600, 600, 300, 0, 1]) await register(expires);
    seen.push(await watcher.nextNotify(10_000));
    await register(600);
    await settled(phone.aor, 'reg');
    const path = `/v1/aors/${encodeURIComponent(device.aor)}/bindings`;
    expect((await system.admin.call('DELETE', path)).status).toBeLessThan(300);
    seen.push(await watcher.nextNotify());
    const events = seen.map(({ body }) => / event="(\w+)"/.exec(body)?.[1] ?? 'none');
    expect(events).toEqual([
      ...['none', 'registered', 'refreshed', 'shortened', 'unregistered'],
      ...['registered', 'expired', 'registered', 'deactivated'],
    ]);
    expect(seen.map(versionOf)).toEqual(seen.map((_, n) => n));
    const kinds = seen.map(({ body }) => / state="(full|partial)"/.exec(body)?.[1]);
    // Full again is allowed at any time (RFC 3680 §5.1), where a replica was slow.
    expect(kinds[0]).toBe('full');
    expect(kinds.filter((kind) => kind === 'partial').length).toBeGreaterThan(seen.length / 2);
    expect(seen[1]?.body).toContain(`<gr:pub-gruu uri="${device.aor};gr=urn:uuid:`);
    expect(seen[1]?.body).toMatch(/<gr:temp-gruu uri="sip:[^"]+;gr" first-cseq="\d+"\/>/);
  });
});

describe('presence.winfo', () => {
  it('S19 full, then partial: who came, who went; nobody else may look', async () => {
    const owner = await system.phone(freshAccount());
    const early = await watch(await system.phone(freshAccount()), 'presence', owner.aor);
    await early.nextNotify();
    const winfo = await watch(owner, 'presence.winfo');
    const first = await winfo.nextNotify();
    expect(first.body).toContain('version="0" state="full"');
    expect(first.body).toContain(`>${early.phone.aor}</watcher>`);
    await settled(owner.aor, 'presence.winfo');
    const late = await watch(await system.phone(freshAccount(), { edge: 2 }), 'presence', owner.aor);
    const came = await winfo.nextNotify();
    expect(came.body).toContain('version="1" state="partial"');
    expect(came.body).toMatch(/status="active" event="subscribe"/);
    expect(came.body).toContain(`>${late.phone.aor}</watcher>`);
    expect(came.body).not.toContain(early.phone.aor);
    await late.nextNotify();
    await settled(owner.aor, 'presence.winfo');
    await ok(late.send(0));
    const went = await winfo.nextNotify();
    expect(went.body).toContain('version="2" state="partial"');
    expect(went.body).toMatch(/status="terminated" event="timeout"/);
    await refused(
      new Subscription(late.phone, { event: 'presence.winfo', resource: owner.aor }).send(600),
      403,
    );
  });
});

describe('feature keys and profiles', () => {
  it('S21 do-not-disturb set on one phone shows on the other, and outlives every replica', async () => {
    const account = freshAccount();
    const desk = await watch(await system.phone(account), 'as-feature-event');
    const mobile = await watch(
      await system.phone(account, { edge: 2, transport: 'tcp' }),
      'as-feature-event',
    );
    expect((await desk.nextNotify()).body).toContain('<doNotDisturbOn>false</doNotDisturbOn>');
    await mobile.nextNotify();
    const body =
      '<?xml version="1.0" encoding="ISO-8859-1"?><SetDoNotDisturb xmlns="http://www.ecma-international.org/standards/ecma-323/csta/ed3"><device/><doNotDisturbOn>true</doNotDisturbOn></SetDoNotDisturb>';
    await ok(desk.send(600, desk.phone, { headers: [`Content-Type: ${FEATURES}`], body }));
    for (const each of [desk, mobile]) {
      const notify = await each.nextNotify();
      expect(notify.header('content-type')).toBe(FEATURES);
      expect(notify.body).toContain('<doNotDisturbOn>true</doNotDisturbOn>');
    }
    for (const name of REPLICAS) await system.kill(name);
    for (const name of REPLICAS) await system.revive(name);
    await ok(mobile.send(600));
    expect((await mobile.nextNotify(10_000)).body).toContain('<doNotDisturbOn>true</doNotDisturbOn>');
  });

  it('S21 ua-profile: 200 and NOTIFY with the profile URL', async () => {
    const device = await system.phone(DEVICE);
    const event = 'ua-profile;profile-type="device";vendor="snom";model="snom370";version="8.7.5.48"';
    const profile = new Subscription(device, { event, accept: 'application/url' });
    await ok(profile.send(0));
    const notify = await profile.nextNotify();
    expect(notify.header('content-type')).toBe('application/url');
    expect(notify.body).toBe('https://boot.example.test/000413aabbcc.xml');
  });
});

describe('message-summary', () => {
  it('S27 a mailbox changed over REST is told; one published too', async () => {
    const phone = await system.phone(freshAccount());
    const light = await watch(phone, 'message-summary');
    expect((await light.nextNotify()).body).toContain('Messages-Waiting: no');
    const path = `/v1/aors/${encodeURIComponent(phone.aor)}/mailbox`;
    const mailbox = { counts: { 'voice-message': { new: 2, old: 8, urgentNew: 0, urgentOld: 2 } } };
    expect((await system.admin.call('PUT', path, mailbox)).status).toBe(200);
    const told = await light.nextNotify();
    expect(told.header('content-type')).toBe('application/simple-message-summary');
    expect(told.body).toBe(
      `Messages-Waiting: yes\r\nMessage-Account: ${phone.aor}\r\nVoice-Message: 2/8 (0/2)\r\n`,
    );
    const summary = { event: 'message-summary', type: 'application/simple-message-summary' };
    await ok(publish(phone, 'Messages-Waiting: no\r\nVoice-Message: 0/10\r\n', summary));
    expect((await light.nextNotify()).body).toContain('Voice-Message: 0/10\r\n');
  });
});
