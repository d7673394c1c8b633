import type { ListedAor, ListingFilter, LocationLister, Page } from '@rollcall/location';

/** More domains than these are not searched one by one: to walk the whole index is less work then. */
export const MOST_DOMAINS = 64;
/** Domains that one page looks at. */
const DOMAINS_A_PAGE = 4;
/** How a cursor begins that has a domain in it: no cursor of a store does. */
const MARK = '@';

/**
 * A page of the AoRs that begin alike, in whatever domain. The index is ordered by domain, so that a prefix is a range of each
 * domain and no range of the whole: the domains that are served are gone through in their order, each as a listing of its own,
 * and what stands between is never looked at. Throws `StoreUnavailable`.
 */
export async function listByPrefix(
  location: LocationLister,
  filter: ListingFilter & { readonly prefix: string },
  domains: readonly string[],
  cursor: string | undefined,
  limit: number,
): Promise<Page<ListedAor>> {
  const place = readPlace(cursor);
  const wanted = domainPart(filter.prefix);
  const left = domains.filter((name) => name.startsWith(wanted) && name >= place.domain).sort();
  const items: ListedAor[] = [];
  for (const domain of left.slice(0, DOMAINS_A_PAGE)) {
    if (items.length >= limit) return { items, cursor: printPlace(domain) };
    const from = domain === place.domain ? place.cursor : undefined;
    const page = await location.list({ ...filter, domain }, from, limit - items.length);
    items.push(...page.items);
    if (page.cursor !== undefined) return { items, cursor: printPlace(domain, page.cursor) };
  }
  const next = left[DOMAINS_A_PAGE];
  return next === undefined ? { items } : { items, cursor: printPlace(next) };
}

/** What a prefix says of the domain: `sip:alice@exa` is of domains that begin with `exa`. */
function domainPart(prefix: string): string {
  const at = prefix.lastIndexOf('@');
  return at < 0 ? '' : prefix.slice(at + 1);
}

const printPlace = (domain: string, cursor = ''): string => `${MARK}${domain} ${cursor}`;

/** Any other cursor begins anew: an AoR is then listed twice, never missed. */
function readPlace(text: string | undefined): {
  readonly domain: string;
  readonly cursor: string | undefined;
} {
  const [, domain = '', cursor = ''] = /^@(\S*) ([^]*)$/.exec(text ?? '') ?? [];
  return { domain, cursor: cursor === '' ? undefined : cursor };
}
