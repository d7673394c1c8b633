import { beforeEach, describe, expect, it } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { sampleSubscription } from '@rollcall/events/contract';
import type { Subscription, SubscriptionId } from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import { harness, NOW } from './harness.ts';

const ALICE = 'sip:alice@example.test' as Aor;
const BOB = 'sip:bob@example.test' as Aor;
const LIST = 'sip:friends@example.test' as Aor;

let admin: Awaited<ReturnType<typeof harness>>;

async function store(change: Partial<Subscription> = {}): Promise<SubscriptionId> {
  const resource = change.resource ?? ALICE;
  const next = sampleSubscription(resource, admin.events.shardOf(resource), epochMs(NOW), change);
  await admin.events.commit({ id: next.id, resource, expectedVersion: 0, next });
  if (next.watcher !== resource) await admin.events.index(next.watcher, next.id, next.expiresAt);
  return next.id;
}

beforeEach(async () => {
  admin = await harness();
  await admin.call('PUT', '/v1/domains/example.test', { body: {} });
  for (const user of ['alice', 'bob'])
    await admin.call('PUT', `/v1/domains/example.test/users/${user}`, {
      body: { password: 'a secret of a test' },
    });
});

describe('subscriptions', () => {
  it('A04 of a resource and of a watcher, with the last NOTIFY and its answer', async () => {
    const id = await store({ watcher: BOB, localCseq: 7, answered: 481, delivery: 'waiting', failures: 1 });
    const own = await store({ resource: BOB, watcher: BOB });
    await store({ resource: BOB, watcher: ALICE });
    const of = async (query: string) =>
      (await admin.call('GET', `/v1/subscriptions?${query}`)).json?.['items'] as Record<string, unknown>[];
    const shown = { id, resource: ALICE, watcher: BOB, access: 'active' };
    const notify = {
      cseq: 7,
      status: 481,
      sentAt: new Date(NOW).toISOString(),
      failures: 1,
      delivery: 'waiting',
    };
    expect(await of(`resource=${ALICE}`)).toMatchObject([{ ...shown, notify }]);
    expect(await of(`watcher=${BOB}`)).toMatchObject([
      { id: own, resource: BOB },
      { ...shown, notify },
    ]);
    expect((await admin.call('GET', '/v1/subscriptions')).status).toBe(400);
    expect((await admin.call('GET', `/v1/subscriptions?resource=${ALICE}&watcher=${BOB}`)).status).toBe(400);
  });

  it('A04 page by page, each once', async () => {
    const ids = new Set<string>();
    for (let n = 0; n < 25; n += 1) ids.add(await store({ watcher: BOB }));
    const own = new Set(ids);
    for (let n = 0; n < 13; n += 1) own.add(await store({ resource: BOB, watcher: BOB }));
    for (let n = 0; n < 5; n += 1) await store({ resource: BOB, watcher: ALICE });
    for (const [query, wanted] of [
      [`resource=${ALICE}`, ids],
      [`watcher=${BOB}`, own],
    ] as const) {
      const seen: unknown[] = [];
      let cursor = '';
      do {
        const page = await admin.call('GET', `/v1/subscriptions?${query}&limit=10${cursor}`);
        seen.push(...((page.json?.['items'] ?? []) as { id: string }[]).map((item) => item.id));
        const next = page.json?.['cursor'] as string | undefined;
        cursor = next === undefined ? '' : `&cursor=${next}`;
      } while (cursor !== '');
      expect(seen.sort()).toEqual([...wanted].sort());
    }
  });

  it('ends one: the record is due at once with the reason, and the audit log knows', async () => {
    const id = await store({ watcher: BOB });
    const response = await admin.call('DELETE', `/v1/subscriptions/${id}?reason=probation&retryAfter=30`);
    expect(response.status).toBe(204);
    expect((await admin.events.read(id))?.subscription).toMatchObject({
      reason: 'probation',
      retryAfter: 30,
      expiresAt: NOW,
    });
    expect((await admin.call('DELETE', '/v1/subscriptions/1.AAAAAAAAAAAAAAAA')).status).toBe(404);
    expect((await admin.call('DELETE', `/v1/subscriptions/${id}?reason=timeout`)).status).toBe(400);
    const audit = await admin.call('GET', '/v1/audit');
    expect(JSON.stringify(audit.json)).toContain('subscription.delete');
  });
});

describe('watcher rules', () => {
  const path = `/v1/aors/${ALICE}/watcher-rules`;

  it('S10 are set, made canonical, read, taken away', async () => {
    const rules = [
      { watcher: 'bob@EXAMPLE.test', action: 'allow' },
      { watcher: '@Partner.test', action: 'polite-block' },
      { watcher: '*', action: 'confirm' },
    ];
    const put = await admin.call('PUT', path, { body: { rules } });
    const canonical = [
      { watcher: BOB, action: 'allow' },
      { watcher: '@partner.test', action: 'polite-block' },
      { watcher: '*', action: 'confirm' },
    ];
    expect([put.status, put.json]).toEqual([200, { rules: canonical }]);
    expect((await admin.call('GET', path)).json).toEqual({ rules: canonical });
    expect((await admin.events.readRules(ALICE)).rules).toEqual(canonical);
    expect((await admin.call('DELETE', path)).status).toBe(204);
    expect((await admin.call('GET', path)).json).toEqual({ rules: [] });
  });

  it('of nobody, twice for one watcher, or of another kind: 404, 400', async () => {
    const body = { rules: [{ watcher: BOB, action: 'allow' }] };
    expect((await admin.call('PUT', '/v1/aors/nobody@example.test/watcher-rules', { body })).status).toBe(
      404,
    );
    const twice = { rules: [...body.rules, { watcher: 'bob@example.test', action: 'block' }] };
    expect((await admin.call('PUT', path, { body: twice })).status).toBe(400);
    const kind = { rules: [{ watcher: BOB, action: 'maybe' }] };
    expect((await admin.call('PUT', path, { body: kind })).status).toBe(400);
  });
});

describe('resource lists', () => {
  const path = `/v1/resource-lists/${LIST}`;
  const body = { name: 'Fréunde', entries: [{ uri: 'alice@example.test', name: 'Alice' }, { uri: BOB }] };

  it('S20 are created, replaced, listed, read, deleted', async () => {
    const created = await admin.call('PUT', path, { body });
    const view = { uri: LIST, name: 'Fréunde', entries: [{ uri: ALICE, name: 'Alice' }, { uri: BOB }] };
    expect([created.status, created.json]).toEqual([201, view]);
    expect((await admin.call('PUT', path, { body })).status).toBe(200);
    expect((await admin.call('GET', path)).json).toEqual(view);
    expect((await admin.call('GET', '/v1/resource-lists')).json).toEqual({ items: [{ uri: LIST }] });
    expect((await admin.call('DELETE', path)).status).toBe(204);
    expect((await admin.call('GET', path)).status).toBe(404);
    expect((await admin.call('DELETE', path)).status).toBe(404);
  });

  it('under the name of a user, of a foreign domain, twice the same, or too long: 409, 404, 400', async () => {
    const put = async (uri: string, entries: unknown[]) =>
      (await admin.call('PUT', `/v1/resource-lists/${uri}`, { body: { entries } })).status;
    expect(await put(ALICE, [{ uri: BOB }])).toBe(409);
    expect(await put('sip:x@elsewhere.test', [{ uri: BOB }])).toBe(404);
    expect(await put(LIST, [{ uri: BOB }, { uri: 'bob@example.test' }])).toBe(400);
    expect(
      await put(
        LIST,
        Array.from({ length: 101 }, (_, n) => ({ uri: `u${String(n)}@example.test` })),
      ),
    ).toBe(400);
  });
});
