import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { ListedAor, ListingFilter, LocationLister } from '../listing.ts';
import type { Aor, Binding } from '../model.ts';
import type { LocationWriter, StoreClock } from '../ports.ts';
import { FlowTokens } from '../flow-token.ts';
import { commitOnce, sampleBinding } from './samples.ts';

interface ListingUnderTest {
  readonly store: LocationLister & LocationWriter;
  readonly clock: StoreClock;
}

/** Every page of a listing, one after the other; `between` runs after each. */
async function walk(
  store: LocationLister,
  filter: ListingFilter,
  limit: number,
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<ListedAor[]> {
  const all: ListedAor[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(filter, cursor, limit);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    all.push(...page.items);
    ({ cursor } = page);
    await between();
  } while (cursor !== undefined);
  return all;
}

const aorsOf = (listed: readonly ListedAor[]): string[] => listed.map(({ aor }) => aor).sort();
/** A domain that no other test has. */
const freshDomain = (): string => `d${randomUUID().slice(0, 12)}.test`;
const path = (edge: string): string =>
  `<sip:${new FlowTokens('a secret of some length').sign({ edge, epoch: 7, flow: 'u0-7f000001-5060' })}@192.0.2.7;lr;ob>`;

function phones(now: EpochMs): Readonly<Record<string, Binding>> {
  return {
    alice: sampleBinding(now, {
      source: 'udp:192.0.2.1:5060',
      userAgent: 'Acme Phone/5.1',
      path: [path('e1')],
    }),
    albert: sampleBinding(now, { source: 'tcp:192.0.2.2:40001', userAgent: 'baresip', path: [path('e2')] }),
    bob: sampleBinding(now, {
      source: 'tcp:192.0.2.3:40001',
      userAgent: 'ACME ata',
      path: ['<sip:p1.example.test;lr>', path('e1')],
    }),
  };
}

export function listingTests(open: () => Promise<ListingUnderTest>): void {
  test('A02 by domain, prefix, transport, user agent and edge, alone and together', async () => {
    const { store, clock } = await open();
    const domain = freshDomain();
    const aor = (user: string): Aor => `sip:${user}@${domain}` as Aor;
    for (const [user, binding] of Object.entries(phones(clock.now()))) {
      await commitOnce(store, aor(user), 0, [binding]);
    }
    await commitOnce(store, `sip:alice@other.${domain}` as Aor, 0, [sampleBinding(clock.now())]);
    const check = async (filter: ListingFilter, users: readonly string[]): Promise<void> => {
      expect(aorsOf(await walk(store, { domain, ...filter }, 2))).toEqual(users.map(aor).sort());
    };
    await check({}, ['alice', 'albert', 'bob']);
    await check({ prefix: 'al' }, ['alice', 'albert']);
    await check({ prefix: 'sip:alb' }, ['albert']);
    await check({ prefix: `sip:bob@${domain.slice(0, 5)}` }, ['bob']);
    await check({ prefix: 'x' }, []);
    await check({ transport: 'tcp' }, ['albert', 'bob']);
    await check({ userAgent: 'acme' }, ['alice', 'bob']);
    await check({ edge: 'e1' }, ['alice', 'bob']);
    await check({ edge: 'e1', transport: 'udp' }, ['alice']);
    await check({ edge: 'e' }, []);
    const elsewhere = await walk(store, { prefix: `sip:alice@other.${domain}` }, 10);
    expect(aorsOf(elsewhere)).toEqual([`sip:alice@other.${domain}`]);
  });

  test('A02 what is listed has the version and the bindings that are live; what has none is not listed', async () => {
    const { store, clock } = await open();
    const domain = freshDomain();
    const now = clock.now();
    const live = sampleBinding(now);
    const over = sampleBinding(now, { refreshedAt: epochMs(now - 9000), expiresAt: epochMs(now - 1000) });
    const aor = `sip:a@${domain}` as Aor;
    const version = await commitOnce(store, aor, 0, [over, live]);
    await commitOnce(store, `sip:b@${domain}` as Aor, 0, [over]);
    expect(await walk(store, { domain }, 10)).toEqual([{ aor, version, bindings: [live] }]);
  });

  test('A02 an AoR comes into the listing with its record and leaves with it; a refresh changes nothing', async () => {
    const { store, clock } = await open();
    const domain = freshDomain();
    const aor = `sip:odd%20{user}-${randomUUID()}@${domain}` as Aor;
    const binding = sampleBinding(clock.now());
    const first = await commitOnce(store, aor, 0, [binding]);
    const second = await commitOnce(store, aor, first, [binding], [{ kind: 'refreshed', binding }]);
    expect(aorsOf(await walk(store, { domain }, 10))).toEqual([aor]);
    await commitOnce(store, aor, second, []);
    expect(await walk(store, { domain }, 10)).toEqual([]);
  });

  test('A02 a telephone number is at home in no domain and listed all the same', async () => {
    const { store, clock } = await open();
    const number = `+1555${String(clock.now()).slice(-9)}`;
    const aor = `tel:${number}` as Aor;
    await commitOnce(store, aor, 0, [sampleBinding(clock.now())]);
    expect(aorsOf(await walk(store, { prefix: aor }, 10))).toEqual([aor]);
  });

  test('A02 each AoR that is there all the while comes at least once while others come, go and refresh', async () => {
    const { store, clock } = await open();
    const domain = freshDomain();
    const aor = (n: number): Aor => `sip:u${String(n)}@${domain}` as Aor;
    const versions = new Map<number, number>();
    const put = async (n: number): Promise<void> => {
      const binding = sampleBinding(clock.now());
      const version = versions.get(n) ?? 0;
      versions.set(n, await commitOnce(store, aor(n), version, [binding], [{ kind: 'refreshed', binding }]));
    };
    const remove = async (n: number): Promise<void> => {
      await commitOnce(store, aor(n), versions.get(n) ?? 0, []);
      versions.delete(n);
    };
    const STAY = 120;
    for (let n = 0; n < 2 * STAY; n += 1) await put(n);
    let round = 0;
    const seen = await walk(store, { domain }, 7, async () => {
      round += 1;
      await put(round % STAY);
      if (versions.has(STAY + round)) await remove(STAY + round);
      await put(10_000 + round);
    });
    const found = new Set(aorsOf(seen));
    for (let n = 0; n < STAY; n += 1) expect(found).toContain(aor(n));
  });

  test('A02 a cursor that is none begins anew', async () => {
    const { store, clock } = await open();
    const domain = freshDomain();
    await commitOnce(store, `sip:a@${domain}` as Aor, 0, [sampleBinding(clock.now())]);
    await expect(store.list({ domain }, '', 10)).resolves.toMatchObject({ items: [expect.anything()] });
  });
}
