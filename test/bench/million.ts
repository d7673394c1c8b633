import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { epochMs } from '@rollcall/kernel';
import { FlowTokens, type Aor, type Binding, type BindingId, type ListingFilter } from '@rollcall/location';
import { connectStore, type Store } from '@rollcall/store-redis';
import { redisCall } from '../faults/redis-wire.ts';
import { buildGenerator, runLoad } from './generator.ts';

const USAGE = `npm run bench:million -- COMMAND --redis URL [options]

  fill      stores bindings and prints the bytes that each takes in Redis      --bindings N (1000000)
  list      walks all listings while others write; prints the slowest calls    --writes N (200 a second)
  latency   REGISTER on an almost empty Redis and on the full one in turn      --small URL, --rounds N (6), --rate N (400 a second)

The Redis is started by hand, so that it stays filled between the commands:
  redis-server --port 6390 --save '' --dir /tmp
`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOMAIN = 'example.test';
const TOGETHER = 2000;
const LIFETIME_MS = 24 * 3_600_000;
const USERS = 1000;
const SLOW_US = 10_000;
/** Also shown: what comes next after the limit of 10 ms. */
const SHOWN_US = 1000;
const SLOWEST_SHOWN = 8;
const AGENTS = ['Acme Softphone 5.4.2', 'baresip v1.0.0', 'Yealink SIP-T46U 108.86'];
const TRANSPORTS = ['udp', 'tcp', 'tls', 'wss'];

const tokens = new FlowTokens('a secret for a bench of a million');
const paths = Array.from({ length: 20 }, (_, edge) => {
  const token = tokens.sign({ edge: `edge-${edge}`, epoch: 1_700_000_000_000, flow: 'u0-7f000001-20000' });
  return `<sip:${token}@198.51.100.1:5060;lr;ob>`;
});

/** A phone as phones are. */
function phone(n: number, now: number): { aor: Aor; binding: Binding } {
  const user = `f${String(n).padStart(7, '0')}`;
  const port = 20_000 + (n % 40_000);
  return {
    aor: `sip:${user}@${DOMAIN}` as Aor,
    binding: {
      id: `b${String(n).padStart(7, '0')}k3v9` as BindingId,
      contact: `sip:${user}@192.0.2.1:${port}`,
      params: '',
      callId: `${String(n).padStart(7, '0')}-0123456789@192.0.2.1`,
      cseq: 2,
      path: [paths[n % paths.length] ?? ''],
      userAgent: AGENTS[n % AGENTS.length] ?? '',
      source: `${TRANSPORTS[n % TRANSPORTS.length] ?? ''}:192.0.2.1:${port}`,
      registeredAt: epochMs(now),
      refreshedAt: epochMs(now),
      expiresAt: epochMs(now + LIFETIME_MS + (n % 3_600_000)),
    },
  };
}

async function register(store: Store, n: number): Promise<void> {
  const { aor, binding } = phone(n, store.clock.now());
  const changes = [{ kind: 'registered', binding }] as const;
  await store.location.commit({ aor, expectedVersion: 0, bindings: [binding], changes, actor: aor });
}

const portOf = (url: string): number => Number(new URL(url).port);
const usedMemory = async (url: string): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(String(await redisCall(portOf(url), 'INFO', 'memory')))?.[1]);

async function fill(store: Store, url: string, count: number): Promise<void> {
  const before = await usedMemory(url);
  const began = performance.now();
  for (let at = 0; at < count; at += TOGETHER) {
    const some = Math.min(TOGETHER, count - at);
    await Promise.all(Array.from({ length: some }, (_, i) => register(store, at + i)));
  }
  const seconds = (performance.now() - began) / 1000;
  const each = ((await usedMemory(url)) - before) / count;
  console.log(
    `${count} bindings in ${seconds.toFixed(0)} s, ${each.toFixed(0)} bytes of Redis for each, all included`,
  );
}

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

/** The services as `npm start` starts them, on a given Redis. */
async function startServices(portBase: number, redis: string): Promise<ChildProcess> {
  const args = ['deploy/local/start.mjs', '--json', '--port-base', String(portBase), '--redis', redis];
  const child = spawn(process.execPath, [...args, '--users', String(USERS)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  await once(child.stdout, 'data');
  return child;
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
    for (const { port, redis } of sides) children.push(await startServices(port, redis));
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
  const { positionals, values } = parseArgs({
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
