import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListingFilter } from '@rollcall/location';
import { connectStore, type Store } from '@rollcall/store-redis';
import { redisCall } from '../faults/redis-wire.ts';
import { DOMAIN, fill, portOf, register, startServices, USERS } from './filled-redis.ts';
import { buildGenerator, runLoad } from './generator.ts';
import { commandLine } from '../setup/command-line.ts';

const USAGE = `npm run bench:million -- COMMAND --redis URL [options]

  fill      stores bindings and prints the bytes that each takes in Redis      --bindings N (1000000)
  list      walks all listings while others write; prints the slowest calls    --writes N (200 a second)
  latency   REGISTER on an almost empty Redis and on the full one in turn      --small URL, --rounds N (6), --rate N (400 a second)

The Redis is started by hand, so that it stays filled between the commands:
  redis-server --port 6390 --save '' --dir /tmp
`;

const SLOW_US = 10_000;
/** Also shown: what comes next after the limit of 10 ms. */
const SHOWN_US = 1000;
const SLOWEST_SHOWN = 8;

async function list(store: Store, url: string, writesASecond: number): Promise<void> {
  const port = portOf(url);
  await redisCall(port, 'CONFIG', 'SET', 'slowlog-log-slower-than', String(SHOWN_US));
  await redisCall(port, 'CONFIG', 'SET', 'slowlog-max-len', '1000');
  await redisCall(port, 'SLOWLOG', 'RESET');
  await redisCall(port, 'CONFIG', 'RESETSTAT');
  // What an earlier run has added is there: this one adds others.
  const first = 50_000_000 + (Math.floor(Date.now() / 1000) % 100_000) * writesASecond;
  let written = 0;
  const writer = setInterval(() => {
    for (let i = 0; i < writesASecond / 10; i += 1) void register(store, first + written++);
  }, 100);
  const filters: readonly ListingFilter[] = [
    {},
    { domain: DOMAIN },
    { domain: DOMAIN, prefix: 'f01' },
    { prefix: 'f012345' },
    { transport: 'tls' },
    { userAgent: 'yealink' },
    { edge: 'edge-7' },
    { domain: 'none.test' },
  ];
  for (const filter of filters) await walk(store, filter);
  clearInterval(writer);
  await sleep(200);
  console.log(`written meanwhile: ${written}`);
  await printSlowest(port);
}

/** What SLOWLOG holds: the counts, the slowest calls with what they are, and the mean of each command from commandstats. */
async function printSlowest(port: number): Promise<void> {
  const entries = (await redisCall(port, 'SLOWLOG', 'GET', '1000')) as readonly SlowCall[];
  const slowest = [...entries].sort((a, b) => b[2] - a[2]);
  const over = entries.filter(([, , us]) => us >= SLOW_US).length;
  console.log(
    `Redis calls over 10 ms: ${over}; over 1 ms: ${entries.length}; the slowest: ${slowest[0]?.[2] ?? 0} µs`,
  );
  for (const [, , us, words] of slowest.slice(0, SLOWEST_SHOWN))
    console.log(`  ${us} µs: ${words.slice(0, 4).join(' ').slice(0, 100)} (${words.length} words)`);
  const stats = String(await redisCall(port, 'INFO', 'commandstats'));
  for (const line of stats.split('\r\n').filter((one) => /^cmdstat_(mget|evalsha|zrange|zadd):/.test(one)))
    console.log(`  ${line}`);
}

/** An entry of SLOWLOG GET: id, time, µs, the command; more follows. */
type SlowCall = readonly [number, number, number, readonly string[]];

async function walk(store: Store, filter: ListingFilter): Promise<void> {
  const began = performance.now();
  const seen = new Set<string>();
  let [pages, items, longest] = [0, 0, 0];
  let cursor: string | undefined;
  do {
    const asked = performance.now();
    const page = await store.location.list(filter, cursor, 1000);
    longest = Math.max(longest, performance.now() - asked);
    pages += 1;
    items += page.items.length;
    for (const { aor } of page.items) if (aor.startsWith('sip:f0')) seen.add(aor);
    ({ cursor } = page);
  } while (cursor !== undefined);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${JSON.stringify(filter)}: ${seen.size} of the first million seen in ${items} items, ${pages} pages, ${seconds.toFixed(1)} s, longest page ${longest.toFixed(0)} ms`,
  );
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

async function latency(
  small: string,
  large: string,
  rounds: number,
  rate: number,
  portBase: number,
): Promise<void> {
  const binary = buildGenerator(resolve('.bench'));
  const sides = [
    { name: 'small', port: portBase, redis: small, p50: [] as number[], p99: [] as number[] },
    { name: 'large', port: portBase + 60, redis: large, p50: [] as number[], p99: [] as number[] },
  ];
  const children: ChildProcess[] = [];
  try {
    for (const { port, redis } of sides) children.push((await startServices(port, redis)).child);
    const load = { mode: 'reg', transport: 'udp' as const, users: USERS, outstanding: 0, rate };
    for (const { port } of sides) await runLoad(binary, { ...load, port, seconds: 4 });
    for (let round = 0; round < rounds; round += 1) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        const { call_us, failed } = await runLoad(binary, { ...load, port: side.port, seconds: 7 });
        side.p50.push(call_us.p50);
        side.p99.push(call_us.p99);
        console.log(`${side.name}: p50 ${call_us.p50} µs, p99 ${call_us.p99} µs, failed ${failed}`);
      }
    }
  } finally {
    for (const child of children) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }
  const [a, b] = sides.map(({ p50, p99 }) => ({ p50: median(p50), p99: median(p99) }));
  if (a === undefined || b === undefined) return;
  console.log(`medians: small p50 ${a.p50} p99 ${a.p99} µs, large p50 ${b.p50} p99 ${b.p99} µs`);
  console.log(`large / small: p50 ${(b.p50 / a.p50).toFixed(2)}, p99 ${(b.p99 / a.p99).toFixed(2)}`);
}

async function main(): Promise<void> {
  const { positionals, values } = commandLine(USAGE, {
    allowPositionals: true,
    options: {
      redis: { type: 'string', default: 'redis://127.0.0.1:6390' },
      small: { type: 'string', default: 'redis://127.0.0.1:6391' },
      bindings: { type: 'string', default: '1000000' },
      writes: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '6' },
      rate: { type: 'string', default: '400' },
      'port-base': { type: 'string', default: '15700' },
    },
  });
  const [command] = positionals;
  if (command === 'latency') {
    const { small, redis, rounds, rate } = values;
    await latency(small, redis, Number(rounds), Number(rate), Number(values['port-base']));
    return;
  }
  if (command !== 'fill' && command !== 'list') {
    console.log(USAGE);
    return;
  }
  const store = await connectStore({ url: values.redis, commandTimeoutMs: 10_000 });
  if (command === 'fill') await fill(store, values.redis, Number(values.bindings));
  else await list(store, values.redis, Number(values.writes));
  await store.close();
}

await main();
