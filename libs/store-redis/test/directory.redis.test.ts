import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Aor, Domain, EdgeLease, User } from '@rollcall/location';
import { apiTokensContract } from '@rollcall/location/contract';
import { connectStore } from '../src/index.ts';
import type { Store } from '../src/index.ts';
import { userKeys } from '../src/user-keys.ts';
import { RedisClusterProcesses } from './harness/redis-cluster.ts';
import { inspect, RedisProcess } from './harness/redis-process.ts';
import { untilReady } from './harness/until-ready.ts';

const user = (name: string, fields: Partial<User> = {}): User => ({
  aor: `sip:${name}@example.test` as Aor,
  authUser: name,
  realm: 'example.test',
  ha1: { 'SHA-256': 'a'.repeat(64), MD5: 'b'.repeat(32) },
  enabled: true,
  ...fields,
});
const until = (check: () => boolean): Promise<unknown> =>
  vi.waitUntil(check, { timeout: 10_000, interval: 10 });

function directoryTests(
  name: string,
  start: () => Promise<{ store: Store; other: Store; stop: () => Promise<void> }>,
): void {
  describe(`A05 users, domains, grants, leases and the audit log: ${name}`, () => {
    let store: Store;
    let other: Store;
    let stop: () => Promise<void>;
    beforeAll(async () => {
      ({ store, other, stop } = await start());
    });
    afterAll(async () => {
      await store.close();
      await other.close();
      await stop();
    });

    test('a user is found as put, by AoR and by credentials, and not after removal', async () => {
      const alice = user('alice', { displayName: 'Älice "x" 😀', enabled: false });
      expect(await store.users.find(alice.aor)).toBeUndefined();
      expect(await store.users.findByCredentials('example.test', 'alice')).toBeUndefined();
      await store.users.put(alice);
      expect(await other.users.find(alice.aor)).toEqual(alice);
      expect(await other.users.findByCredentials('example.test', 'alice')).toEqual(alice);
      expect(await other.users.findByCredentials('another.test', 'alice')).toBeUndefined();
      const { displayName: _, ...plain } = alice;
      await store.users.put({ ...plain, ha1: { MD5: 'c'.repeat(32) } });
      expect(await other.users.find(alice.aor)).toEqual({ ...plain, ha1: { MD5: 'c'.repeat(32) } });
      expect(await store.users.remove(alice.aor)).toBe(true);
      expect(await store.users.remove(alice.aor)).toBe(false);
      expect(await other.users.findByCredentials('example.test', 'alice')).toBeUndefined();
    });

    test('credentials that the AoR does not show lead to the user; left-over ones do not', async () => {
      const bob = user('bob', { authUser: '4711', realm: 'phones' });
      await store.users.put(bob);
      expect(await store.users.findByCredentials('phones', '4711')).toEqual(bob);
      expect(await store.users.findByCredentials('example.test', 'bob')).toBeUndefined();
      await store.users.put({ ...bob, authUser: '4712' });
      expect(await store.users.findByCredentials('phones', '4711')).toBeUndefined();
      expect((await store.users.findByCredentials('phones', '4712'))?.aor).toBe(bob.aor);
      await store.users.remove(bob.aor);
      expect(await store.users.findByCredentials('phones', '4712')).toBeUndefined();
    });

    test('aliases lead to their user, one user each, and no further than that user says', async () => {
      const [alias, number] = ['sip:al@example.test' as Aor, 'sip:+15551234@example.test' as Aor];
      const erin = user('erin', { aliases: [alias, number], policy: { maxContacts: 2, path: 'strict' } });
      const told: (Aor | undefined)[] = [];
      const stopListening = other.users.onChange((aor) => told.push(aor));
      await until(() => told.length >= 1);
      await store.users.put(erin);
      expect(await other.users.find(alias)).toEqual(erin);
      expect(await other.users.find(number)).toEqual(erin);
      expect(await other.users.findByCredentials('example.test', 'al')).toBeUndefined();
      await until(() => told.includes(alias) && told.includes(erin.aor));
      const taken = { name: 'AliasTaken', alias };
      await expect(store.users.put(user('al'))).rejects.toMatchObject(taken);
      await expect(store.users.put(user('frank', { aliases: [alias] }))).rejects.toMatchObject(taken);
      const both = user('frank', { aliases: ['sip:fr@example.test' as Aor, erin.aor] });
      await expect(store.users.put(both)).rejects.toMatchObject({ alias: erin.aor });
      expect(await store.users.find('sip:fr@example.test' as Aor)).toBeUndefined();
      expect(await store.users.find(user('frank').aor)).toBeUndefined();
      // given up, it is free; put again, it stays
      await store.users.put({ ...erin, aliases: [number] });
      expect(await other.users.find(alias)).toBeUndefined();
      await store.users.put(user('frank', { aliases: [alias] }));
      expect((await other.users.find(alias))?.aor).toBe(user('frank').aor);
      expect(await store.users.remove(alias)).toBe(false);
      await store.users.remove(user('frank').aor);
      await store.users.remove(erin.aor);
      expect(await other.users.find(alias)).toBeUndefined();
      await store.users.put(user('al'));
      await store.users.remove(alias);
      stopListening();
    });

    test('of twenty users who want one alias at once, one gets it', async () => {
      const wanted = 'sip:wanted@example.test' as Aor;
      const users = Array.from({ length: 20 }, (_, n) => user(`want${String(n)}`, { aliases: [wanted] }));
      const outcomes = await Promise.allSettled(
        users.map((one, n) => (n % 2 === 0 ? store : other).users.put(one)),
      );
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
      expect((await store.users.find(wanted))?.aor).toBe(users[winner]?.aor);
      for (const { aor } of users) await store.users.remove(aor);
    });

    test('a change is told to every process, with the AoR where that is enough', async () => {
      const told: (Aor | undefined)[] = [];
      const stopListening = other.users.onChange((aor) => told.push(aor));
      await until(() => told.length >= 1); // the link stands: what was cached before may be stale
      const carol = user('carol\u00e9');
      await store.users.put(carol);
      await store.users.remove(carol.aor);
      await store.users.put(user('dave', { authUser: 'x' }));
      await store.users.grants.put(carol.aor, user('dave').aor);
      // In a Cluster messages of different nodes come in any order, and those of the tests before may come late.
      await until(() => told.filter((aor) => aor === carol.aor).length === 3);
      await until(() => told.filter((aor) => aor === undefined).length >= 2);
      stopListening();
    });

    test('20,000 users are put in seconds, and listed by AoR, each once', async () => {
      const users = Array.from({ length: 20_000 }, (_, n) =>
        user(`u${String(n).padStart(5, '0')}`, {
          aor: `sip:u${String(n).padStart(5, '0')}@many.test` as Aor,
          realm: 'many.test',
        }),
      );
      const start = performance.now();
      await store.users.putMany(users);
      expect(performance.now() - start).toBeLessThan(10_000);
      const listed: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.users.list('many.test', cursor, 1000);
        listed.push(...page.items.map(({ aor }) => aor));
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(listed).toEqual(users.map(({ aor }) => aor));
      expect(await store.users.findByCredentials('many.test', 'u12345')).toEqual(users[12_345]);
    });

    test('domains are kept, listed by name, told of', async () => {
      let told = 0;
      const stopListening = other.users.domains.onChange(() => (told += 1));
      await until(() => told === 1);
      const domain: Domain = { name: 'example.test', aliases: ['Ä.test'], minExpires: 60 };
      await store.users.domains.put({ name: 'zzz.test' });
      await store.users.domains.put(domain);
      expect(await other.users.domains.get('example.test')).toEqual(domain);
      expect(await other.users.domains.list()).toEqual([domain, { name: 'zzz.test' }]);
      expect(await store.users.domains.remove('zzz.test')).toBe(true);
      expect(await store.users.domains.remove('zzz.test')).toBe(false);
      expect(await other.users.domains.get('zzz.test')).toBeUndefined();
      await until(() => told >= 5);
      stopListening();
    });

    test('R08 grants are kept for each AoR', async () => {
      const [alice, bob, carol] = [user('alice').aor, user('bob').aor, user('carol').aor];
      expect(await store.users.grants.get(bob)).toEqual([]);
      await store.users.grants.put(bob, carol);
      await store.users.grants.put(bob, alice);
      expect(await other.users.grants.get(bob)).toEqual([alice, carol]);
      expect(await store.users.grants.remove(bob, carol)).toBe(true);
      expect(await store.users.grants.remove(bob, carol)).toBe(false);
      expect(await other.users.grants.get(bob)).toEqual([alice]);
    });

    test('a lease lives as long as it is renewed, and only its holder gives it up', async () => {
      const first: EdgeLease = { id: 'e1', epoch: 1, inner: '127.0.0.1:5080' };
      const second: EdgeLease = { ...first, epoch: 2 };
      const shortLived: EdgeLease = { id: 'e2', epoch: 1, inner: '127.0.0.1:5081' };
      await store.edges.renew(first, 10_000);
      await store.edges.renew(shortLived, 300);
      expect(await other.edges.list()).toEqual([first, shortLived]);
      await store.edges.renew(second, 10_000);
      await store.edges.release(first);
      const { leftMs = 0, ...found } = (await other.edges.find('e1')) ?? {};
      expect(found).toEqual(second);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(10_000);
      await vi.waitFor(async () => {
        expect(await other.edges.find('e2')).toBeUndefined();
      });
      expect(await other.edges.list()).toEqual([second]);
      await store.edges.release(second);
      expect(await other.edges.list()).toEqual([]);
    });

    test('R08 the audit log is read newest first, page by page', async () => {
      for (const target of ['a', 'b', 'ç'])
        await store.audit.append({ actor: 'admin', action: 'user.put', target });
      await store.audit.append({ actor: 'admin', action: 'x', target: 'd', detail: '{"ü":1}' });
      const page = await other.audit.list(undefined, 2);
      expect(page.items.map(({ target, detail }) => [target, detail])).toEqual([
        ['d', '{"ü":1}'],
        ['ç', undefined],
      ]);
      expect(Math.abs((page.items[0]?.at ?? 0) - store.clock.now())).toBeLessThan(5000);
      const rest = await other.audit.list(page.cursor, 2);
      expect(rest.items.map(({ target }) => target)).toEqual(['b', 'a']);
      expect(rest.cursor).toBeUndefined();
    });

    apiTokensContract(name, () => Promise.resolve({ tokens: store.apiTokens, elsewhere: other.apiTokens }));
  });
}

directoryTests('Redis', async () => {
  const redis = await RedisProcess.start();
  const [store, other] = await Promise.all([
    connectStore({ url: redis.url }).then(untilReady),
    connectStore({ url: redis.url }).then(untilReady),
  ]);
  return { store, other, stop: () => redis.stop() };
});

directoryTests('Redis Cluster', async () => {
  const cluster = await RedisClusterProcesses.start();
  const options = { cluster: { nodes: cluster.endpoints } };
  const [store, other] = await Promise.all([
    connectStore(options).then(untilReady),
    connectStore(options).then(untilReady),
  ]);
  return { store, other, stop: () => cluster.stop() };
});

test('a lost link to the store is told as a change of all, and so is its return', async () => {
  const redis = await RedisProcess.start();
  const store = await untilReady(await connectStore({ url: redis.url }));
  const told: (Aor | undefined)[] = [];
  store.users.onChange((aor) => told.push(aor));
  await until(() => told.length >= 1);
  await redis.kill();
  await until(() => told.length === 2);
  await redis.begin();
  await until(() => told.length === 3 && store.ready());
  await store.users.put(user('alice'));
  await until(() => told.length === 4);
  expect(told).toEqual([undefined, undefined, undefined, user('alice').aor]);
  await store.close();
  await redis.stop();
});

test("an alias whose claim is fresh is nobody else's; one that nobody kept is free once it has lapsed", async () => {
  const redis = await RedisProcess.start();
  const store = await untilReady(await connectStore({ url: redis.url }));
  const behind = inspect(redis);
  const [alias, erin] = [
    'sip:al@example.test' as Aor,
    user('erin', { aliases: ['sip:al@example.test' as Aor] }),
  ];
  const key = userKeys.alias(alias);
  // A put that died after its claim and before its user.
  await behind.set(key, user('frank').aor, 'PX', 30_000);
  await expect(store.users.put(erin)).rejects.toMatchObject({ name: 'AliasTaken', alias });
  expect(await store.users.find(erin.aor)).toBeUndefined();
  await behind.pexpire(key, 1);
  await vi.waitUntil(async () => (await behind.exists(key)) === 0);
  await store.users.put(erin);
  expect(await behind.pttl(key)).toBe(-1);
  expect((await store.users.find(alias))?.aor).toBe(erin.aor);
  behind.disconnect();
  await store.close();
  await redis.stop();
});
