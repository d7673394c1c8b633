import { describe, expect, it } from 'vitest';
import type { Aor, ListedAor, ListingFilter, LocationLister } from '@rollcall/location';
import { fitsAor } from '@rollcall/location';
import { listByPrefix } from '../src/aor-search.ts';

const DOMAINS = ['a.test', 'b.test', 'c.test', 'd.test', 'e.test', 'f.test'];
const AORS = DOMAINS.flatMap((domain) =>
  ['alice', 'albert', 'bob'].map((user) => `sip:${user}@${domain}` as Aor),
);

/** Lists as a store does, `page` at a time, and notes what it is asked for. */
function lister(page: number) {
  const asked: ListingFilter[] = [];
  const location: LocationLister = {
    list: (filter, cursor, limit) => {
      asked.push(filter);
      const fitting = AORS.filter((aor) => fitsAor(filter, aor));
      const from = Number(cursor ?? 0);
      const to = from + Math.min(page, limit);
      const items = fitting.slice(from, to).map((aor): ListedAor => ({ aor, version: 1, bindings: [] }));
      return Promise.resolve(to < fitting.length ? { items, cursor: String(to) } : { items });
    },
  };
  return { asked, location };
}

async function walk(prefix: string, limit: number, page = 100, served: readonly string[] = DOMAINS) {
  const { asked, location } = lister(page);
  const found: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const answer = await listByPrefix(location, { prefix }, served, cursor, limit);
    expect(answer.items.length).toBeLessThanOrEqual(limit);
    found.push(...answer.items.map(({ aor }) => aor));
    ({ cursor } = answer);
    pages += 1;
    expect(pages).toBeLessThan(50);
  } while (cursor !== undefined);
  return { asked, found };
}

describe('A02 a prefix without a domain', () => {
  it.each([
    [1, 100],
    [2, 1],
    [3, 2],
    [100, 100],
  ])('A02 finds each once, %i on a page, %i from the store at a time', async (limit, page) => {
    const { found, asked } = await walk('al', limit, page);
    expect(found.sort()).toEqual(AORS.filter((aor) => aor.startsWith('sip:al')).sort());
    // What is asked for is a range of the index each time, never the whole of it.
    expect(asked.every(({ domain, prefix }) => domain !== undefined && prefix === 'al')).toBe(true);
  });

  it('A02 looks only at domains that the prefix leaves', async () => {
    const { found, asked } = await walk('sip:alice@c.', 10);
    expect(found).toEqual(['sip:alice@c.test']);
    expect(asked.map(({ domain }) => domain)).toEqual(['c.test']);
  });

  it('A02 goes on when the domain of its cursor is gone, and begins anew with a cursor that is none', async () => {
    const { location } = lister(100);
    const first = await listByPrefix(location, { prefix: 'al' }, DOMAINS, undefined, 3);
    const rest = DOMAINS.filter((name) => !first.cursor?.startsWith(`@${name} `));
    const second = await listByPrefix(location, { prefix: 'al' }, rest, first.cursor, 100);
    expect(second.items[0]?.aor).toBe('sip:alice@c.test');
    const anew = await listByPrefix(location, { prefix: 'al' }, DOMAINS, '1.2.3.x', 100);
    expect(anew.items[0]?.aor).toBe('sip:alice@a.test');
  });
});
