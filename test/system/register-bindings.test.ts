import { setTimeout as sleep } from 'node:timers/promises';
import { EventStream, eventually, Subscription, TestSystem, token, type Phone } from '@rollcall/testkit';
import { createUsers } from '@rollcall/local';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCOUNTS,
  contactLine,
  contactsOf,
  expectEverywhere,
  freshAccount,
  ok,
  refused,
  TRANSPORTS,
  urisOf,
} from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, replicas: { registrar: 3 } });
  const { domains } = (await system.store()).users;
  await domains.put({ name: 'example.test', minExpires: 60, maxExpires: 3600, defaultExpires: 1800 });
  for (const name of ['short.test', 'long.test']) await createUsers(system.redisUrl, name, ACCOUNTS);
  await domains.put({ name: 'short.test', minExpires: 1, maxExpires: 3600, defaultExpires: 3600 });
  await domains.put({ name: 'long.test', minExpires: 7200, maxExpires: 86_400, defaultExpires: 7200 });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const A = 'sip:a@192.0.2.1';
const B = 'sip:b@192.0.2.2';
const C = 'sip:c@192.0.2.3';

describe.each(TRANSPORTS)('REGISTER bindings over %s', (transport) => {
  const open = (domain = 'example.test') => system.phone(freshAccount(), { transport, domain });
  /** One REGISTER with these header lines, under a Call-ID of its own unless given. */
  const put = (phone: Phone, ...headers: string[]) => phone.request('REGISTER', { headers });
  const three = async (): Promise<Phone> => {
    const phone = await open();
    await ok(put(phone, contactLine(`<${A}>`, `<${B}>`, `<${C}>`), 'Expires: 600'));
    return phone;
  };

  it('B01 a second device of the same user: the 200 lists both', async () => {
    const account = freshAccount();
    const desk = await system.phone(account, { transport });
    const mobile = await system.phone(account, { transport });
    await ok(desk.register(600));
    const answer = await ok(mobile.register(600));
    expect(urisOf(answer)).toEqual([desk.contact, mobile.contact].sort());
    await expectEverywhere(system, desk, [desk.contact, mobile.contact]);
  });

  it('B02 without Contact: all are listed, the seconds fall, nothing changes', async () => {
    const phone = await three();
    const first = contactsOf(await ok(put(phone)));
    await sleep(1100);
    const second = contactsOf(await ok(put(phone)));
    expect(second.map((one) => one.uri).sort()).toEqual([A, B, C]);
    for (const one of second) {
      const before = first.find((other) => other.uri === one.uri)?.expires ?? 0;
      expect(before - one.expires).toBeGreaterThanOrEqual(1);
      expect(before - one.expires).toBeLessThanOrEqual(2);
    }
  });

  it('B03 a refresh leaves one entry with its expiry set anew', async () => {
    const phone = await open();
    await ok(put(phone, contactLine(`<${A}>`), 'Expires: 100'));
    const [only, ...more] = contactsOf(await ok(put(phone, contactLine(`<${A}>`), 'Expires: 900')));
    expect(more).toEqual([]);
    expect(only?.expires).toBeGreaterThanOrEqual(899);
  });

  it('B04 expires=0 on one of three removes that one', async () => {
    const phone = await three();
    expect(urisOf(await ok(put(phone, contactLine(`<${B}>;expires=0`))))).toEqual([A, C]);
    await expectEverywhere(system, phone, [A, C]);
  });

  it('B05 Contact * with Expires 0 removes all; the 200 has no Contact', async () => {
    const phone = await three();
    const answer = await ok(put(phone, 'Contact: *', 'Expires: 0'));
    expect(answer.has('contact')).toBe(false);
    await expectEverywhere(system, phone, []);
  });

  it.each([
    ['with Expires 3600', ['Contact: *', 'Expires: 3600']],
    ['beside a Contact', ['Contact: *', `Contact: <${A}>`, 'Expires: 0']],
    ['without Expires', ['Contact: *']],
  ])('B06 Contact * %s: 400, unchanged', async (_, headers) => {
    const phone = await three();
    await refused(put(phone, ...headers), 400);
    await expectEverywhere(system, phone, [A, B, C]);
  });

  it("B07 Contact * under a binding's Call-ID with a CSeq that is not higher: fails, nothing is removed", async () => {
    const phone = await open();
    const callId = token();
    await ok(phone.request('REGISTER', { callId, cseq: 50, headers: [contactLine(`<${A}>`)] }));
    await ok(phone.request('REGISTER', { callId: token(), cseq: 1, headers: [contactLine(`<${B}>`)] }));
    const answer = await phone.request('REGISTER', {
      callId,
      cseq: 20,
      headers: ['Contact: *', 'Expires: 0'],
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    await expectEverywhere(system, phone, [A, B]);
  });

  it('B08 the Contact parameter beats the header, and without both the default holds', async () => {
    const phone = await open();
    const [both] = contactsOf(await ok(put(phone, contactLine(`<${A}>;expires=60`), 'Expires: 3600')));
    expect(both?.expires).toBeLessThanOrEqual(60);
    expect(both?.expires).toBeGreaterThanOrEqual(59);
    const other = await open();
    const [neither] = contactsOf(await ok(put(other, contactLine(`<${A}>`))));
    expect(neither?.expires).toBeGreaterThanOrEqual(1799);
    expect(neither?.expires).toBeLessThanOrEqual(1800);
  });

  it('B09 Expires abc means 3600, one too large is capped, neither is a server error', async () => {
    const phone = await open();
    const [malformed] = contactsOf(await ok(put(phone, contactLine(`<${A}>`), 'Expires: abc')));
    expect(malformed?.expires).toBeGreaterThanOrEqual(3599);
    expect(malformed?.expires).toBeLessThanOrEqual(3600);
    const [large] = contactsOf(await ok(put(phone, contactLine(`<${A}>`), 'Expires: 99999999999')));
    expect(large?.expires).toBeLessThanOrEqual(3600);
    expect(large?.expires).toBeGreaterThanOrEqual(3599);
  });

  it('B10 30 s where the minimum is 60: 423 with Min-Expires, unchanged', async () => {
    const phone = await three();
    const answer = await refused(put(phone, contactLine('<sip:d@192.0.2.4>'), 'Expires: 30'), 423);
    expect(answer.header('min-expires')).toBe('60');
    await expectEverywhere(system, phone, [A, B, C]);
  });

  it('B11 above the maximum the maximum is granted; an hour is never refused as too brief', async () => {
    const phone = await open();
    const [capped] = contactsOf(await ok(put(phone, contactLine(`<${A}>`), 'Expires: 7200')));
    expect(capped?.expires).toBeLessThanOrEqual(3600);
    expect(capped?.expires).toBeGreaterThanOrEqual(3599);
    const long = await open('long.test');
    const [hour] = contactsOf(await ok(put(long, contactLine(`<${A}>`), 'Expires: 3600')));
    expect(hour?.expires).toBeGreaterThanOrEqual(3599);
    expect(hour?.expires).toBeLessThanOrEqual(3600);
    await refused(put(long, contactLine(`<${B}>`), 'Expires: 3599'), 423);
  });

  it('B12 same Call-ID with a lower CSeq fails; an equal CSeq with the same content is answered the same', async () => {
    const phone = await open();
    const callId = token();
    const send = (cseq: number, contact: string) =>
      phone.request('REGISTER', { callId, cseq, headers: [contactLine(contact)] });
    await ok(send(50, `<${A}>`));
    const stale = await send(30, `<${A}>;expires=0`);
    expect(stale.status).toBeGreaterThanOrEqual(400);
    expect(stale.status).toBeLessThan(600);
    await expectEverywhere(system, phone, [A]);
    const now = contactsOf(await ok(phone.request('REGISTER', { callId: token(), headers: [] })));
    expect(now.map((one) => one.uri)).toEqual([A]);
    expect(urisOf(await ok(send(60, `<${A}>`)))).toEqual([A]);
    expect(urisOf(await ok(send(60, `<${A}>`)))).toEqual([A]);
  });

  it('B13 a new Call-ID with a lower CSeq is a phone that rebooted: accepted', async () => {
    const phone = await open();
    await ok(phone.request('REGISTER', { callId: token(), cseq: 900, headers: [contactLine(`<${A}>`)] }));
    const answer = await ok(
      phone.request('REGISTER', { callId: token(), cseq: 2, headers: [contactLine(`<${A}>`)] }),
    );
    expect(urisOf(answer)).toEqual([A]);
  });

  it('B14 two Contacts, the second illegal: the whole request fails, neither is applied', async () => {
    const phone = await three();
    for (const illegal of ['<sip:>', '<sip:d@192.0.2.4>;q=2', '<sip:d@192.0.2.4>;expires=30']) {
      const answer = await put(phone, contactLine('<sip:new@192.0.2.9>', illegal), 'Expires: 600');
      expect([400, 423]).toContain(answer.status);
    }
    await expectEverywhere(system, phone, [A, B, C]);
  });

  it('B15 three Contacts, some with zero: all are applied and the survivors listed', async () => {
    const phone = await three();
    const D = 'sip:d@192.0.2.4';
    const answer = await ok(
      put(phone, contactLine(`<${A}>;expires=0`, `<${B}>;expires=300`, `<${D}>`), 'Expires: 600'),
    );
    expect(urisOf(answer)).toEqual([B, C, D]);
    await expectEverywhere(system, phone, [B, C, D]);
  });

  it.each([
    ['host case', 'sip:alice@Atlanta.test', 'sip:alice@ATLANTA.TEST', true],
    ['an escape', 'sip:%61lice@atlanta.test;transport=TCP', 'sip:alice@AtLanTa.test;Transport=tcp', true],
    [
      'parameter order',
      'sip:biloxi.test;transport=tcp;method=REGISTER',
      'sip:biloxi.test;method=REGISTER;transport=tcp',
      true,
    ],
    ['a parameter of its own', 'sip:carol@chicago.test', 'sip:carol@chicago.test;newparam=5', true],
    ['user case', 'sip:ALICE@atlanta.test', 'sip:alice@atlanta.test', false],
    ['explicit port 5060', 'sip:bob@biloxi.test', 'sip:bob@biloxi.test:5060', false],
    ['transport', 'sip:bob@biloxi.test', 'sip:bob@biloxi.test;transport=udp', false],
    ['port', 'sip:bob@biloxi.test', 'sip:bob@biloxi.test:6000', false],
  ])('B16 RFC 3261 §19.1.4, %s', async (_, first, second, same) => {
    const phone = await open();
    await ok(put(phone, contactLine(`<${first}>`)));
    expect(contactsOf(await ok(put(phone, contactLine(`<${second}>`))))).toHaveLength(same ? 1 : 2);
  });

  it('B17 rinstance, ob and a .invalid host are kept byte for byte', async () => {
    const phone = await open();
    const odd = [
      'sip:u@192.0.2.1:5070;rinstance=0123456789abcdef',
      'sip:u@192.0.2.2:5070;ob',
      'sip:x7f3@q9s0k2.invalid;transport=ws',
    ];
    expect(urisOf(await ok(put(phone, contactLine(...odd.map((uri) => `<${uri}>`)))))).toEqual(
      [...odd].sort(),
    );
    await expectEverywhere(system, phone, odd);
  });

  it('B18 q, methods, +sip.instance and feature tags are kept and echoed; q=2 is 400', async () => {
    const phone = await open();
    const params =
      ';q=0.7;methods="INVITE,ACK";+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";audio;mobility="fixed"';
    const [one] = contactsOf(await ok(put(phone, contactLine(`<${A}>${params}`))));
    expect(one?.q).toBe(700);
    for (const param of params.split(';').filter((part) => part !== '' && !part.startsWith('q='))) {
      expect(one?.text).toContain(param);
    }
    await refused(put(phone, contactLine(`<${B}>;q=2`)), 400);
    await expectEverywhere(system, phone, [A]);
  });

  it('B22 a binding is gone at the promised second, with one event and one NOTIFY', async () => {
    const account = freshAccount();
    const watcher = await system.phone(account, { transport, domain: 'short.test' });
    const phone = await system.phone(account, { transport, domain: 'short.test' });
    await ok(phone.register(3));
    const at = Date.now();
    const events = await EventStream.open(system.admin, '/v1/events');
    const subscription = new Subscription(watcher, { event: 'reg', expires: 600 });
    await ok(subscription.send());
    await subscription.nextNotify();
    const gone = await subscription.nextNotify(6000);
    const after = (Date.now() - at) / 1000;
    expect(after).toBeGreaterThanOrEqual(1.9);
    expect(after).toBeLessThanOrEqual(4.1);
    expect(gone.body).toContain('expired');
    expect(contactsOf(await ok(phone.request('REGISTER')))).toEqual([]);
    expect(await system.admin.bindings(phone.aor)).toEqual([]);
    await sleep(1500);
    expect(subscription.notifies).toHaveLength(2);
    const expired = await eventually('the event', () => {
      const all = events.events.filter(
        (one) => JSON.stringify(one).includes('expired') && JSON.stringify(one).includes(account.user),
      );
      return all.length > 0 ? all : undefined;
    });
    expect(expired).toHaveLength(1);
    events.close();
  });
});

describe('REGISTER bindings under concurrency', () => {
  it('B20 20 REGISTERs of one device at once over 3 registrars leave one binding', async () => {
    const account = freshAccount();
    const instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-0000000000b2>"';
    const phones = await Promise.all(Array.from({ length: 20 }, () => system.phone(account)));
    const contact = phones[0]?.contact ?? '';
    const answers = await Promise.all(
      phones.map((phone) =>
        phone.register(600, {
          callId: token(),
          headers: [contactLine(`<${contact}>;${instance}`), 'Expires: 600'],
        }),
      ),
    );
    for (const answer of answers) {
      expect([200, 500, 503]).toContain(answer.status);
      if (answer.status !== 200) expect(answer.has('retry-after')).toBe(true);
    }
    expect(answers.some((answer) => answer.status === 200)).toBe(true);
    const [phone] = phones;
    if (phone === undefined) throw new Error('no phone');
    await expectEverywhere(system, phone, [contact]);
  });
});
