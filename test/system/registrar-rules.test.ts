import { createUsers } from '@rollcall/local';
import { eventually, TestSystem, token, type Phone } from '@rollcall/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  ACCOUNTS,
  contactLine,
  contactsOf,
  freshAccount,
  ok,
  refused,
  TRANSPORTS,
  urisOf,
} from './support.ts';

/** What operators set over REST, as phones see it. */
let system: TestSystem;
beforeAll(async () => {
  system = await TestSystem.start({ accounts: ACCOUNTS, replicas: { registrar: 3, edge: 2 } });
});
afterEach(() => system.closePhones());
afterAll(() => system.stop());

const put = async (path: string, body: unknown = {}): Promise<void> => {
  const answer = await system.admin.call('PUT', path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
};
/** Waits until the services have heard of a change. */
const agreed = (check: () => Promise<void>) => {
  let failure: unknown;
  return eventually('the change', () =>
    check().then(
      () => true,
      (error: unknown) => {
        failure = error;
        return false;
      },
    ),
  ).catch(() => Promise.reject(failure as Error));
};
const send = (phone: Phone, ...headers: string[]) => phone.request('REGISTER', { headers });

describe.each(TRANSPORTS)('A05 policies over %s', (transport) => {
  it('A05 R02 B08 a domain set over REST is in force at once: intervals, Service-Route, Path', async () => {
    const [domain, account] = [`policy-${transport}.test`, freshAccount()];
    await createUsers(system.redisUrl, domain, [account]);
    await put(`/v1/domains/${domain}`, {
      minExpires: 100,
      defaultExpires: 200,
      maxExpires: 300,
      expiresJitter: 0,
    });
    const phone = await system.phone(account, { transport, domain });
    const granted = async (...headers: string[]): Promise<number | undefined> =>
      contactsOf(await ok(send(phone, contactLine(`<${phone.contact}>`), ...headers)))[0]?.expires;
    await agreed(async () => {
      expect(await granted()).toBe(200);
    });
    expect(await granted('Expires: 5000')).toBe(300);
    const brief = await refused(send(phone, contactLine(`<${phone.contact}>`), 'Expires: 99'), 423);
    expect(brief.header('min-expires')).toBe('100');
    await put(`/v1/domains/${domain}`, {
      maxExpires: 7200,
      serviceRoute: ['<sip:hsp.example.test;lr>'],
      path: 'strict',
    });
    await agreed(async () => {
      const answer = await refused(send(phone, contactLine(`<${phone.contact}>`)), 420);
      expect(answer.header('unsupported')).toBe('path');
    });
    const answer = await ok(
      send(phone, contactLine(`<${phone.contact}>`), 'Supported: path', 'Expires: 5000'),
    );
    expect(answer.header('service-route')).toBe('<sip:hsp.example.test;lr>');
    expect(contactsOf(answer)[0]?.expires).toBe(5000);
  });

  it('A05 B19 a user overrides the domain: transports, device limit; unset again, the domain holds', async () => {
    const account = freshAccount();
    const phone = await system.phone(account, { transport });
    const policy = `/v1/domains/example.test/users/${account.user}/policy`;
    const contact = (n: number): string => contactLine(`<sip:d${n.toString()}@192.0.2.1>`);
    await ok(send(phone, contact(1)));
    await put(policy, { transports: ['wss'] });
    await agreed(async () => {
      const answer = await refused(send(phone, contact(1)), 403);
      expect(answer.reason).toBe('Transport Not Allowed');
    });
    await put(policy, { maxContacts: 1, onLimit: 'replace' });
    await agreed(async () => {
      expect(urisOf(await ok(send(phone, contact(2))))).toEqual(['sip:d2@192.0.2.1']);
    });
    expect((await system.admin.call('DELETE', policy)).status).toBe(204);
    await agreed(async () => {
      expect(urisOf(await ok(send(phone, contact(3))))).toHaveLength(2);
    });
  });

  it('R06 a domain offers its algorithms alone', async () => {
    const [domain, account] = [`digest-${transport}.test`, freshAccount()];
    await createUsers(system.redisUrl, domain, [account]);
    await put(`/v1/domains/${domain}`, { algorithms: ['SHA-256'] });
    const phone = await system.phone(account, { transport, domain });
    await agreed(async () => {
      phone.forget();
      await ok(phone.register(600));
      expect(phone.challenge?.get('algorithm')).toBe('SHA-256');
    });
  });

  it('A05 C11 who may name whom in From is set over REST: 403 with a reason, the own name and an alias pass', async () => {
    const [domain, alice, bob] = [`from-${transport}.test`, freshAccount(), freshAccount()];
    await createUsers(system.redisUrl, domain, [alice, bob]);
    const phone = await system.phone(alice, { transport, domain });
    const called = await system.phone(bob, { transport, domain });
    await ok(called.register());
    const message = (user: string) =>
      phone.request('MESSAGE', {
        uri: called.aor,
        to: `<${called.aor}>`,
        from: `<sip:${user}@${domain}>;tag=x`,
      });
    await agreed(async () => {
      await ok(message('somebody'));
    });
    await put(`/v1/domains/${domain}`, { from: 'own' });
    await agreed(async () => {
      const answer = await refused(message('somebody'), 403);
      expect(answer.header('warning')).toContain(phone.aor);
    });
    await ok(message(alice.user));
    await put(`/v1/domains/${domain}/users/${alice.user}/aliases/boss%40${domain}`);
    await agreed(async () => {
      await ok(message('boss'));
    });
  });

  it('R14 an alias set over REST registers for its user, through every edge, until it is taken away', async () => {
    const account = freshAccount();
    const alias = `alias-${transport}-${token()}`.toLowerCase();
    const path = `/v1/domains/example.test/users/${account.user}/aliases/${alias}%40example.test`;
    const phone = await system.phone(account, { transport });
    const to = { to: `<sip:${alias}@example.test>` };
    const viaAlias = (n: number) =>
      phone.request('REGISTER', { ...to, headers: [contactLine(`<sip:al${n.toString()}@192.0.2.1>`)] });
    await refused(viaAlias(1), 404);
    await put(path);
    await ok(viaAlias(1));
    expect(urisOf(await ok(send(phone, contactLine('<sip:own@192.0.2.1>'))))).toHaveLength(2);
    expect(await system.admin.bindings(phone.aor)).toHaveLength(2);
    expect(await system.admin.bindings(`sip:${alias}@example.test`)).toHaveLength(2);
    expect((await system.admin.call('DELETE', path)).status).toBe(204);
    await refused(viaAlias(2), 404);
  });

  it('B26 outbound is offered: Require, Flow-Timer, and two flows of one device', async () => {
    const phone = await system.phone(freshAccount(), { transport });
    const flow = (regId: number): string =>
      contactLine(
        `<${phone.contact};ob>;+sip.instance="<urn:uuid:${phone.options.user}>";reg-id=${regId.toString()}`,
      );
    for (const regId of [1, 2]) {
      const answer = await ok(send(phone, flow(regId), 'Supported: path, outbound'));
      expect(answer.header('require')).toBe('outbound');
      expect(answer.header('flow-timer')).toBe(transport === 'udp' ? '29' : '95');
      expect(answer.headers('contact')).toHaveLength(regId);
    }
  });
});
