/*
 * Does a page over a million bindings answer in the time of one over a thousand? Two systems, each on a Redis filled with as many
 * bindings, are asked the same in turns: over REST, and in Chromium from the key or click to the rows on the screen.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis, type RedisInstance } from '@rollcall/local';
import { connectStore } from '@rollcall/store-redis';
import { AdminClient, redisForTests } from '@rollcall/testkit';
import { launch, signIn } from '../interop/web-browser.ts';
import { DOMAIN, fill, startServices } from './filled-redis.ts';
import { clickMore, showFirst, showFiltered } from './ui-page.ts';
import type { Filtered } from './ui-page.ts';
import { commandLine } from '../setup/command-line.ts';

const USAGE = `npm run bench:ui -- [options]

  --small N      bindings of the one system (1000)
  --large N      bindings of the other (1000000), some 550 bytes of memory each;
                 or the URL of a Redis that bench:million has filled, for either
  --rounds N     turns that each system gets (5)
  --requests N   REST requests of a kind in a turn (40)
  --views N      views of a kind in a turn, in Chromium (4)
  --port-base N  (15900); the two systems take 200 ports from there
`;

interface Page {
  readonly items: readonly { readonly aor: string }[];
  readonly cursor?: string;
}

/** What is asked for: a name, and the query, given the cursor of the answer before. */
const QUERIES: Readonly<Record<string, (cursor: string | undefined) => string>> = {
  'first page': () => '',
  'next page': (cursor) => (cursor === undefined ? '' : `&cursor=${cursor}`),
  'prefix, any domain': () => '&prefix=f000012',
  'prefix and domain': () => `&prefix=f000012&domain=${DOMAIN}`,
  'user agent': () => '&user_agent=yealink',
  transport: () => '&transport=tls',
  edge: () => '&edge=edge-1',
  'user agent that nobody has': () => '&user_agent=nobody',
};

const VIEWS: Readonly<Record<string, Filtered>> = {
  prefix: { label: 'Begins with', value: 'f000012', cell: 'th a', text: 'f000012', rows: 10 },
  'user agent': {
    label: 'User agent contains',
    value: 'yealink',
    cell: 'td.agent',
    text: 'Yealink',
    rows: 50,
  },
  transport: { label: 'Transport', value: 'tls', cell: 'td .pill', text: 'tls', rows: 50 },
  edge: { label: 'Edge', value: 'edge-1', cell: 'td:nth-child(5)', text: 'edge-1', rows: 50 },
};

interface Side {
  readonly name: string;
  /** Undefined: it was there before, and stays. */
  readonly redis: RedisInstance | undefined;
  readonly services: ChildProcess;
  readonly admin: AdminClient;
}

/** A Redis with so many bindings, unless it is the URL of one that has them. */
async function filledRedis(
  bindings: string,
  port: number,
  folder: string,
): Promise<RedisInstance | undefined> {
  if (bindings.startsWith('redis:')) return undefined;
  const redis = await startRedis(redisForTests(), { port, folder });
  const store = await connectStore({ url: redis.url, commandTimeoutMs: 10_000 });
  await fill(store, redis.url, Number(bindings));
  await store.close();
  return redis;
}

async function startSide(bindings: string, portBase: number, folder: string): Promise<Side> {
  const redis = await filledRedis(bindings, portBase + 90, join(folder, String(portBase)));
  const { child, line } = await startServices(portBase, redis?.url ?? bindings, {
    ROLLCALL_ADMIN_RATE_LIMIT: '1000000',
  });
  const { admin } = JSON.parse(line) as { admin: { url: string; token: string } };
  const name = redis === undefined ? bindings : Number(bindings).toLocaleString('en');
  return { name, redis, services: child, admin: new AdminClient(admin.url, admin.token) };
}

async function stopSide({ redis, services }: Side): Promise<void> {
  const ended = once(services, 'exit');
  services.kill('SIGTERM');
  await ended;
  await redis?.stop();
}

/** Milliseconds by kind, and by side. */
type Times = Map<string, Map<string, number[]>>;

function note(times: Times, kind: string, { name }: Side, ms: number): void {
  const sides = times.get(kind) ?? new Map<string, number[]>();
  times.set(kind, sides);
  sides.set(name, [...(sides.get(name) ?? []), ms]);
}

async function askRest(side: Side, requests: number, times: Times): Promise<void> {
  for (const [kind, query] of Object.entries(QUERIES)) {
    let cursor: string | undefined;
    for (let i = 0; i < requests; i += 1) {
      const began = performance.now();
      const { status, body } = await side.admin.get<Page>(`/v1/aors?limit=50${query(cursor)}`);
      const ms = performance.now() - began;
      if (status !== 200) throw new Error(`${kind}: ${status}`);
      // The first answer gives the cursor; it is asked for and not counted.
      if (kind !== 'next page' || cursor !== undefined) note(times, `REST, ${kind}`, side, ms);
      ({ cursor } = body);
    }
  }
}

async function lookAt(side: Side, page: Awaited<ReturnType<typeof openPage>>, views: number, times: Times) {
  for (let i = 0; i < views; i += 1) {
    note(times, 'page, first', side, await showFirst(page));
    note(times, 'page, more', side, await clickMore(page));
    for (const [kind, filtered] of Object.entries(VIEWS)) {
      await showFirst(page);
      note(times, `page, ${kind}`, side, await showFiltered(page, filtered));
    }
  }
}

async function openPage(browser: Awaited<ReturnType<typeof launch>>, { admin }: Side) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  await signIn(page, admin.url, admin.token);
  return page;
}

const at = (values: readonly number[] | undefined, share: number): string => {
  const sorted = [...(values ?? [])].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(1);
};

function print(times: Times, sides: readonly Side[]): void {
  const columns = sides.flatMap(({ name }) => [`${name}, p50`, 'p99']);
  console.log(`| ms | ${columns.join(' | ')} | samples |\n|${' --- |'.repeat(columns.length + 2)}`);
  for (const [kind, of] of times) {
    const cells = sides.flatMap(({ name }) => [at(of.get(name), 0.5), at(of.get(name), 0.99)]);
    console.log(`| ${kind} | ${cells.join(' | ')} | ${of.get(sides[0]?.name ?? '')?.length ?? 0} |`);
  }
}

const { values } = commandLine(USAGE, {
  options: {
    small: { type: 'string', default: '1000' },
    large: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '40' },
    views: { type: 'string', default: '4' },
    'port-base': { type: 'string', default: '15900' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'rollcall-bench-ui-'));
const portBase = Number(values['port-base']);
const sides: Side[] = [];
const browser = await launch();
try {
  for (const [i, bindings] of [values.small, values.large].entries())
    sides.push(await startSide(bindings, portBase + i * 100, folder));
  const pages = new Map<Side, Awaited<ReturnType<typeof openPage>>>();
  for (const side of sides) pages.set(side, await openPage(browser, side));
  const times: Times = new Map();
  // The first turn warms up.
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    const into: Times = round === 0 ? new Map<string, Map<string, number[]>>() : times;
    for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
      await askRest(side, Number(values.requests), into);
      const page = pages.get(side);
      if (page !== undefined) await lookAt(side, page, Number(values.views), into);
    }
    // All turns so far: a bench that is broken off has told something.
    if (round > 0) print(times, sides);
  }
} finally {
  await browser.close();
  for (const side of sides) await stopSide(side);
  rmSync(folder, { recursive: true, force: true });
}
