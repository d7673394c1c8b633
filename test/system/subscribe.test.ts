import { setTimeout as sleep } from 'node:timers/promises';
import type { SipRequest } from '@rollcall/sip';
import { createUsers } from '@rollcall/local';
import { eventually, Subscription, TestSystem, token, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNTS, freshAccount, ok, refused, TRANSPORTS } from './support.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, replicas: { edge: 2, presence: 3 } });
  await createUsers(system.redisUrl, 'short.test', ACCOUNTS);
  await (
    await system.store()
  ).users.domains.put({ name: 'short.test', minExpires: 1, maxExpires: 3600, defaultExpires: 3600 });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const stateOf = (notify: SipRequest): string => notify.header('subscription-state') ?? '';
const cseqOf = (notify: SipRequest): number => {
  const cseq = notify.cseq();
  return cseq.ok ? cseq.value.seq : -1;
};

describe.each(TRANSPORTS)('SUBSCRIBE over %s', (transport) => {
  const open = (edge = 1) => system.phone(freshAccount(), { transport, edge });
  const subscribed = async (phone: Phone, event = 'reg', expires = 600) => {
    const subscription = new Subscription(phone, { event, expires });
    const answer = await ok(subscription.send());
    return { subscription, answer, first: await subscription.nextNotify() };
  };

  it('S01 without credentials: a complete 401', async () => {
    const phone = await open();
    const answer = await phone.transact(
      phone.build('SUBSCRIBE', { headers: ['Event: message-summary', `Contact: <${phone.contact}>`] }),
    );
    expect(answer.status).toBe(401);
    expect(answer.headers('www-authenticate')).toHaveLength(3);
    const to = answer.to();
    expect(to.ok && to.value.tag).toBeTruthy();
    expect(phone.notifies).toEqual([]);
  });

  it('S02 with credentials: 200 with Expires, Contact and To-tag, and one NOTIFY at once', async () => {
    const phone = await open();
    const { subscription, answer, first } = await subscribed(phone, 'message-summary');
    expect(Number(answer.header('expires'))).toBeGreaterThan(0);
    expect(Number(answer.header('expires'))).toBeLessThanOrEqual(600);
    expect(answer.has('contact')).toBe(true);
    expect(subscription.toTag).toBeTruthy();
    expect(stateOf(first)).toMatch(/^active;expires=\d+$/);
    expect(first.header('event')).toBe('message-summary');
    expect(first.body).toMatch(/^Messages-Waiting: (yes|no)\r\n/i);
    const from = first.from();
    const to = first.to();
    expect(from.ok && from.value.tag).toBe(subscription.toTag);
    expect(to.ok && to.value.tag).toBe(subscription.fromTag);
    await sleep(700);
    expect(subscription.notifies).toHaveLength(1);
  });

  it('S03 the CSeq of a dialog’s NOTIFYs rises by one, over replicas and a restart', async () => {
    const phone = await open();
    const { subscription, first } = await subscribed(phone);
    const seen = [cseqOf(first)];
    const device = await system.phone(
      { user: phone.options.user, password: phone.options.password },
      { transport },
    );
    await ok(device.register(600));
    seen.push(cseqOf(await subscription.nextNotify()));
    for (const name of ['presence-1', 'presence-2', 'presence-3']) await system.kill(name);
    for (const name of ['presence-1', 'presence-2', 'presence-3']) await system.revive(name);
    await ok(device.register(0));
    seen.push(cseqOf(await subscription.nextNotify(10_000)));
    await ok(subscription.send());
    seen.push(cseqOf(await subscription.nextNotify()));
    const [start = 0] = seen;
    expect(seen).toEqual([start, start + 1, start + 2, start + 3]);
  });

  it('S04 re-SUBSCRIBE in the dialog through any replica: 200 and full state', async () => {
    const phone = await open();
    await ok(phone.register(600));
    const { subscription, first } = await subscribed(phone);
    const tag = subscription.toTag;
    for (let round = 0; round < 4; round++) {
      const answer = await ok(subscription.send());
      const to = answer.to();
      expect(to.ok && to.value.tag).toBe(tag);
      const notify = await subscription.nextNotify();
      expect(notify.body).toContain('state="full"');
      expect(notify.body).toContain(phone.contact);
      expect(cseqOf(notify)).toBeGreaterThan(cseqOf(first));
    }
  });

  it('S05 Expires 0 in the dialog: 200 and one NOTIFY terminated;reason=timeout; nothing is kept', async () => {
    const phone = await open();
    const { subscription } = await subscribed(phone);
    await ok(subscription.send(0));
    const last = await subscription.nextNotify();
    expect(stateOf(last)).toBe('terminated;reason=timeout');
    const late = await subscription.send();
    expect(late.status).toBe(481);
    await sleep(400);
    expect(subscription.notifies).toHaveLength(2);
  });

  it('S05 Expires 0 at first is a fetch: 200, one NOTIFY with the state, nothing is kept', async () => {
    const phone = await open();
    await ok(phone.register(600));
    const subscription = new Subscription(phone, { event: 'reg' });
    await ok(subscription.send(0));
    const only = await subscription.nextNotify();
    expect(stateOf(only)).toBe('terminated;reason=timeout');
    expect(only.body).toContain(phone.contact);
    await ok(phone.register(0));
    await sleep(700);
    expect(subscription.notifies).toHaveLength(1);
  });

  it('S07 an unknown event: 489 with Allow-Events; none: 489 or 400', async () => {
    const phone = await open();
    await ok(phone.register());
    const unknown = await refused(new Subscription(phone, { event: 'nothing-like-it' }).send(), 489);
    expect(unknown.header('allow-events')).toContain('message-summary');
    const none = await phone.request('SUBSCRIBE', {
      callId: token(),
      headers: [`Contact: <${phone.contact}>`, 'Expires: 600'],
    });
    expect(none.status).toBe(489);
    expect(none.header('allow-events')).toBeTruthy();
    expect(phone.notifies).toEqual([]);
  });

  it('S08 10 s where the minimum is 60: 423 with Min-Expires', async () => {
    const phone = await open();
    const answer = await refused(new Subscription(phone, { event: 'reg' }).send(10), 423);
    expect(answer.header('min-expires')).toBe('60');
  });

  it('S09 an Accept that nothing offers: 406', async () => {
    const phone = await open();
    await refused(new Subscription(phone, { event: 'reg', accept: 'application/x-nothing' }).send(600), 406);
  });

  it('S12 re-SUBSCRIBE with a replayed nonce: 401 stale=true with a challenge, and the subscription lives', async () => {
    const phone = await open();
    const { subscription } = await subscribed(phone);
    // The same credentials under a new branch: what was answered already is stale (R05).
    const raw = phone.build('SUBSCRIBE', {
      callId: token(),
      headers: ['Event: reg', 'Expires: 600', `Contact: <${phone.contact}>`],
    });
    await ok(phone.transact(raw));
    const again = await phone.transact(raw.replace(/branch=z9hG4bK\w+/, `branch=z9hG4bK${token()}`));
    expect(again.status).toBe(401);
    const stale = again.headers('www-authenticate').find((one) => /stale=true/i.test(one));
    expect(stale).toBeDefined();
    const device = await system.phone(
      { user: phone.options.user, password: phone.options.password },
      { transport },
    );
    await ok(device.register(600));
    expect(stateOf(await subscription.nextNotify())).toMatch(/^active/);
    phone.learn(again);
    await ok(subscription.send());
  });

  it('S14 register, unregister: one NOTIFY each within a second; nothing changes: none', async () => {
    const phone = await open();
    const { subscription } = await subscribed(phone);
    const watcher = await subscribed(phone, 'presence');
    const device = await system.phone(
      { user: phone.options.user, password: phone.options.password },
      { transport },
    );
    await ok(device.register(600));
    expect((await subscription.nextNotify(1000)).body).toContain(device.contact);
    expect((await watcher.subscription.nextNotify(1000)).body).toContain('open');
    await sleep(1200);
    expect(subscription.notifies).toHaveLength(2);
    await ok(device.register(0));
    expect((await subscription.nextNotify(1000)).body).toContain('unregistered');
    expect((await watcher.subscription.nextNotify(1000)).body).toContain('closed');
    await sleep(1200);
    expect(subscription.notifies).toHaveLength(3);
    expect(watcher.subscription.notifies).toHaveLength(3);
  });

  it('S14 expiry: one NOTIFY within a second of the promised time', async () => {
    const account = freshAccount();
    const phone = await system.phone(account, { transport, domain: 'short.test' });
    const { subscription } = await subscribed(phone);
    await ok(phone.register(2));
    const at = Date.now();
    await subscription.nextNotify(1000);
    const gone = await subscription.nextNotify(5000);
    expect(Date.now() - at).toBeGreaterThan(1000);
    expect(Date.now() - at).toBeLessThan(3100);
    expect(gone.body).toContain('expired');
  });

  it('S24 the replica is killed, then a change: NOTIFY comes from another, in the same dialog, with the next CSeq', async () => {
    const phone = await open();
    const { subscription, first } = await subscribed(phone);
    const device = await system.phone(
      { user: phone.options.user, password: phone.options.password },
      { transport },
    );
    let previous = cseqOf(first);
    for (const name of ['presence-1', 'presence-2', 'presence-3']) {
      await system.kill(name);
      await ok(device.register(name === 'presence-2' ? 0 : 600));
      const notify = await subscription.nextNotify(10_000);
      const from = notify.from();
      expect(from.ok && from.value.tag).toBe(subscription.toTag);
      expect(cseqOf(notify)).toBe(previous + 1);
      previous = cseqOf(notify);
      await system.revive(name);
    }
  });
});

describe('SUBSCRIBE and time', () => {
  it('S06 not refreshed: NOTIFY terminated at the end, and a re-SUBSCRIBE gets 481', async () => {
    const brief = await TestSystem.start({ env: { presence: { ROLLCALL_SUBSCRIPTION_MIN: '1' } } });
    try {
      const phone = await brief.phone({ user: 'alice', password: 'alice-secret' });
      const subscription = new Subscription(phone, { event: 'reg' });
      await ok(subscription.send(2));
      await subscription.nextNotify();
      const at = Date.now();
      const last = await subscription.nextNotify(8000);
      expect(stateOf(last)).toBe('terminated;reason=timeout');
      expect(Date.now() - at).toBeGreaterThan(900);
      expect(Date.now() - at).toBeLessThan(4000);
      expect((await subscription.send(60)).status).toBe(481);
    } finally {
      await brief.stop();
    }
  });

  it('S13 presence: PIDF with an open tuple for each device; Polycom gets xpidf', async () => {
    const phone = await system.phone(freshAccount());
    await ok(phone.register(600));
    const pidf = new Subscription(phone, { event: 'presence', accept: 'application/pidf+xml' });
    await ok(pidf.send(600));
    const notify = await pidf.nextNotify();
    expect(notify.header('content-type')).toBe('application/pidf+xml');
    expect(notify.body.match(/<tuple/g)).toHaveLength(1);
    expect(notify.body).toContain('<basic>open</basic>');
    await eventually('settled', () => pidf.notifies.length === 1);
  });
});
