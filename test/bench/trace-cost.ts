/*
 * What looking costs the REGISTER path: the same load, in turns, on warm systems that differ in nothing else; medians of the rounds.
 *
 *   node --import tsx --conditions=@rollcall/source test/bench/trace-cost.ts packets|telemetry [seconds] [rounds] [warm]
 *
 * `packets`: messages kept to be looked at (ADR 14). `telemetry`: metrics scraped, OpenTelemetry traces exported to a sink here.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { numberedAccounts } from '@rollcall/local';
import { TestSystem } from '@rollcall/testkit';
import { buildGenerator, runLoad } from './generator.ts';
import { cpuSeconds } from './processes.ts';

const [SET = 'packets', SECONDS = '5', ROUNDS = '3', WARM = '60000'] = process.argv.slice(2);
const USERS = 2_000;
const OUTSTANDING = 64;
/** Longest time to warm up one system. */
const WARM_SECONDS = 60;
/** One scrape in the middle of each run: with the usual runs of 5 s, one every 5 s. */
const HALF_MS = Number(SECONDS) * 500;
const UNLIMITED = '10000000';

interface Variant {
  readonly edge?: Readonly<Record<string, string>>;
  readonly all?: Readonly<Record<string, string>>;
  readonly scraped?: true;
}

const SPAN_MARK = Buffer.from('"spanId"');
/** Takes what exporters send, and counts the spans. */
const sink = { spans: 0, server: createServer() };
sink.server.on('request', (request, response) => {
  request.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(SPAN_MARK); at >= 0; at = chunk.indexOf(SPAN_MARK, at + 1)) sink.spans += 1;
  });
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
});
await new Promise<void>((resolve) => sink.server.listen(0, '127.0.0.1', resolve));
const { port: sinkPort } = sink.server.address() as AddressInfo;

const quiet = { ROLLCALL_TRACE_SAMPLE: '0' };
const traces = (share: string): Variant => ({
  edge: quiet,
  all: {
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${String(sinkPort)}`,
    OTEL_TRACES_SAMPLER_ARG: share,
  },
  scraped: true,
});
const SETS: Readonly<Record<string, Readonly<Record<string, Variant>>>> = {
  packets: {
    off: { edge: quiet },
    '1 %': { edge: { ROLLCALL_TRACE_SAMPLE: '1', ROLLCALL_TRACE_RATE: UNLIMITED } },
    all: { edge: { ROLLCALL_TRACE_SAMPLE: '100', ROLLCALL_TRACE_RATE: UNLIMITED } },
    'as usual': {},
  },
  telemetry: {
    off: { edge: quiet },
    'metrics every 5 s': { edge: quiet, scraped: true },
    'and 1 % of the traces': traces('0.01'),
    'and all traces': traces('1'),
  },
};

const SERVICES = ['edge-1', 'registrar-1'] as const;
type Measured = Readonly<Record<'rate' | 'edge' | 'registrar' | 'redis' | 'generator' | 'spans', number>>;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** Reads the metrics of all services, as Prometheus does. */
async function scrape(system: TestSystem): Promise<void> {
  await Promise.all(
    system.system.services.map(async ({ planned }) => {
      await (await fetch(system.opsUrl(planned.name, '/metrics'))).text();
    }),
  );
}

async function measure(system: TestSystem, mode: string, { scraped }: Variant): Promise<Measured> {
  const pids = SERVICES.map((name) => system.service(name).process.pid);
  const all = [...pids, system.redis?.process.pid ?? 0];
  const before = all.map((pid) => cpuSeconds([pid]));
  const spans = sink.spans;
  const timer = scraped === true ? setTimeout(() => void scrape(system), HALF_MS) : undefined;
  const { ok, calls_per_s, gen_cpu } = await runLoad(generator, {
    ...load(system, mode),
    seconds: Number(SECONDS),
  });
  clearTimeout(timer);
  const [edge = 0, registrar = 0, redis = 0] = all.map(
    (pid, i) => ((cpuSeconds([pid]) - (before[i] ?? 0)) * 1e6) / ok,
  );
  const generated = (gen_cpu * 1e6) / ok;
  return {
    rate: calls_per_s,
    edge,
    registrar,
    redis,
    generator: generated,
    spans: (sink.spans - spans) / ok,
  };
}

const load = (system: TestSystem, mode: string) => ({
  port: system.sip('udp').port,
  mode,
  transport: 'udp' as const,
  users: USERS,
  outstanding: OUTSTANDING,
});

const variants = SETS[SET];
if (variants === undefined)
  throw new RangeError(`no set "${SET}"; there are ${Object.keys(SETS).join(', ')}`);
const generator = buildGenerator('.bench');
const systems = new Map<string, TestSystem>();
try {
  for (const [name, { edge = {}, all = {} }] of Object.entries(variants)) {
    const system = await TestSystem.start({ accounts: [...numberedAccounts(USERS)], env: { edge, all } });
    systems.set(name, system);
    await runLoad(generator, { ...load(system, 'reg'), seconds: WARM_SECONDS, calls: Number(WARM) });
  }
  for (const mode of ['reg', 'refresh']) {
    const measured = new Map<string, Measured[]>();
    for (let round = 0; round < Number(ROUNDS); round += 1) {
      for (const [name, system] of systems) {
        const one = await measure(system, mode, variants[name] ?? {});
        measured.set(name, [...(measured.get(name) ?? []), one]);
      }
    }
    console.log(
      `\n${mode} | a second | edge | registrar | Redis | generator | spans a call\n--- | --- | --- | --- | --- | --- | ---`,
    );
    for (const [name, runs] of measured) {
      const of = (field: keyof Measured, digits = 0): string =>
        median(runs.map((run) => run[field])).toFixed(digits);
      const cells = (['rate', 'edge', 'registrar', 'redis', 'generator'] as const).map((field) => of(field));
      console.log([name, ...cells, of('spans', 2)].join(' | '));
    }
  }
} finally {
  for (const system of systems.values()) await system.stop();
  sink.server.closeAllConnections();
  sink.server.close();
}
