import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api.ts';
import { plain, span } from '../format.ts';
import type { Domain, EdgeHealth, PageOf, RegisteredAor } from '../model.ts';
import { href } from '../router.ts';
import { Empty, Failure, Panel, Pill, Table } from '../parts/basics.tsx';
import { asError, useApi, useEvents, usePaced, useSettled, useTitle } from '../parts/hooks.ts';

const PAGE = 50;
/** A page of the listing may be short, or empty, and still not be the last: so many are read for one screen. */
const MOST_READS = 40;
/** Keys come in bursts. */
const SETTLE_MS = 250;
/** Under load somebody registers all the time: the first screen is read again this often, and no oftener. */
const NEWS_MS = 1_000;
const TRANSPORTS = ['udp', 'tcp', 'tls', 'ws', 'wss'];

interface Filter {
  readonly domain: string;
  readonly prefix: string;
  readonly transport: string;
  readonly user_agent: string;
  readonly edge: string;
}

interface Found {
  readonly items: readonly RegisteredAor[];
  readonly cursor: string | undefined;
}

/** One screen; `onPart` is told what has been found so far, since a rare thing is looked for in many pages. */
async function read(
  filter: Filter,
  from: string | undefined,
  signal: AbortSignal,
  onPart: (found: Found) => void,
): Promise<Found> {
  const items: RegisteredAor[] = [];
  let cursor = from;
  for (let reads = 0; reads < MOST_READS && items.length < PAGE; reads += 1) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    for (const [name, value] of Object.entries(filter)) if (value !== '') query.set(name, value as string);
    if (cursor !== undefined) query.set('cursor', cursor);
    const page = await get<PageOf<RegisteredAor>>(`/v1/aors?${query.toString()}`, signal);
    items.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) break;
    onPart({ items: [...items], cursor });
  }
  return { items, cursor };
}

/** Who is registered, found by what is known of them; it changes while one looks. */
export function AorsPage({ query }: { query: URLSearchParams }) {
  useTitle('Addresses');
  const wanted = query.get('prefix') ?? '';
  const [filter, setFilter] = useState<Filter>({
    domain: '',
    prefix: wanted,
    transport: '',
    user_agent: '',
    edge: '',
  });
  const settled = useSettled(filter, SETTLE_MS);
  const [found, setFound] = useState<Found | undefined>();
  const [error, setError] = useState<Error | undefined>();
  const [busy, setBusy] = useState(false);
  const [paged, setPaged] = useState(false);
  const domains = useApi<PageOf<Domain>>('/v1/domains');
  const edges = useApi<PageOf<EdgeHealth>>('/v1/edges');
  const abort = useRef<AbortController | undefined>(undefined);
  /** What stands above the screen that is being read. */
  const shown = useRef<readonly RegisteredAor[]>([]);
  /** False for what is so rare that it took long to find: it is not looked for again and again. */
  const cheap = useRef(true);

  const load = useCallback(
    async (from?: string, again = false): Promise<void> => {
      abort.current?.abort();
      const own = new AbortController();
      abort.current = own;
      const began = performance.now();
      setBusy(true);
      try {
        const show = (next: Found): void => {
          setFound(from === undefined ? next : { ...next, items: [...shown.current, ...next.items] });
        };
        const next = await read(settled, from, own.signal, (part) => {
          if (!again && !own.signal.aborted) show(part);
        });
        show(next);
        shown.current = from === undefined ? next.items : [...shown.current, ...next.items];
        cheap.current = performance.now() - began < NEWS_MS;
        setPaged(from !== undefined);
        setError(undefined);
      } catch (problem) {
        if (!own.signal.aborted) setError(asError(problem));
      } finally {
        if (abort.current === own) setBusy(false);
      }
    },
    [settled],
  );
  useEffect(() => {
    void load();
    return () => abort.current?.abort();
  }, [load]);
  useEffect(() => {
    setFilter((before) => ({ ...before, prefix: wanted }));
  }, [wanted]);

  // Whoever registers or goes changes the first screen; further ones stay as they were read.
  const [news, setNews] = useState(0);
  const calm = usePaced(news, NEWS_MS);
  const live = useEvents('/v1/events?kind=registered,expired,unregistered,deactivated', () => {
    setNews((before) => before + 1);
  });
  const seen = useRef(0);
  useEffect(() => {
    if (calm === seen.current || paged || busy || !cheap.current) return;
    seen.current = calm;
    void load(undefined, true);
  }, [calm, busy]);

  const field = (name: keyof Filter) => ({
    value: filter[name],
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement | HTMLSelectElement }) => {
      setFilter((before) => ({ ...before, [name]: currentTarget.value }));
    },
  });
  return (
    <>
      <h1>
        Addresses <Pill tone={live === 'live' ? 'good' : 'warn'}>{live === 'live' ? 'live' : live}</Pill>
      </h1>
      <form
        class="filters"
        aria-label="Filters"
        onSubmit={(event) => {
          event.preventDefault();
          void load();
        }}
      >
        <label>
          Begins with
          <input type="search" placeholder="alice" spellcheck={false} {...field('prefix')} />
        </label>
        <label>
          Domain
          <select {...field('domain')}>
            <option value="">any</option>
            {domains.value?.items.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Transport
          <select {...field('transport')}>
            <option value="">any</option>
            {TRANSPORTS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Edge
          <select {...field('edge')}>
            <option value="">any</option>
            {edges.value?.items.map(({ id }) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        </label>
        <label>
          User agent contains
          <input type="search" spellcheck={false} {...field('user_agent')} />
        </label>
      </form>
      <Failure error={error} />
      <Panel title="Registered now" flush>
        {found === undefined ? null : found.items.length === 0 ? (
          <Empty>
            {busy || found.cursor !== undefined
              ? 'Nothing found so far.'
              : 'Nobody who fits is registered. Who registers appears here.'}
          </Empty>
        ) : (
          <Table
            label="Addresses"
            head={['Address', ['Devices', 'number'], 'Contact', 'User agent', 'Edge', ['Expires', 'number']]}
          >
            {found.items.map((one) => (
              <AorRows key={one.aor} aor={one} />
            ))}
          </Table>
        )}
      </Panel>
      {found?.cursor !== undefined && (
        <p class="more">
          <button type="button" disabled={busy} onClick={() => void load(found.cursor)}>
            {busy ? 'Reading …' : 'More'}
          </button>
        </p>
      )}
    </>
  );
}

function AorRows({ aor: { aor, bindings } }: { aor: RegisteredAor }) {
  const [first, ...rest] = bindings;
  return (
    <>
      <tr>
        <th scope="row">
          <a href={href('aors', aor)}>{plain(aor)}</a>
        </th>
        <td class="number">{bindings.length}</td>
        <Cells binding={first} />
      </tr>
      {rest.map((binding) => (
        <tr key={binding.id} class="again">
          <td />
          <td />
          <Cells binding={binding} />
        </tr>
      ))}
    </>
  );
}

function Cells({ binding }: { binding: RegisteredAor['bindings'][number] | undefined }) {
  return (
    <>
      <td>
        {binding?.transport !== undefined && <Pill>{binding.transport}</Pill>} <code>{binding?.contact}</code>
      </td>
      <td class="agent">{binding?.userAgent}</td>
      <td>{binding?.edge}</td>
      <td class="number">{binding === undefined ? '' : span(binding.expires)}</td>
    </>
  );
}
