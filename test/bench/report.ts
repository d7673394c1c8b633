import { TRANSPORTS, type Transport } from './options.ts';

/** One closed-loop run against one peer. CPU figures are µs for each call. */
export interface Measurement {
  readonly peer: string;
  readonly scenario: string;
  readonly transport: Transport;
  readonly outstanding: number;
  readonly calls: number;
  readonly failed: number;
  readonly retrans: number;
  readonly callsPerSecond: number;
  readonly requestsPerSecond: number;
  readonly servicesUs: number;
  readonly redisUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly generatorUs: number;
  /** Processors that neither the peer nor the generator used. */
  readonly foreignCores: number;
  readonly node?: string;
}

const orderOf = (transport: Transport): number => TRANSPORTS.indexOf(transport);

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
};

function medians(runs: readonly Measurement[]): Measurement {
  const [first] = runs;
  if (first === undefined) throw new RangeError('no runs');
  const of = (read: (run: Measurement) => number): number => median(runs.map(read));
  return {
    ...first,
    failed: runs.reduce((sum, run) => sum + run.failed, 0),
    callsPerSecond: of((run) => run.callsPerSecond),
    requestsPerSecond: of((run) => run.requestsPerSecond),
    servicesUs: of((run) => run.servicesUs),
    redisUs: of((run) => run.redisUs),
    p50Ms: of((run) => run.p50Ms),
    p99Ms: of((run) => run.p99Ms),
    foreignCores: of((run) => run.foreignCores),
  };
}

/** The table: medians of the rounds, and for each case the ratio to the first peer. */
export function table(runs: readonly Measurement[]): string {
  const cases = new Map<string, Measurement[]>();
  for (const run of runs) {
    const key = `${run.scenario}|${run.transport}|${String(run.outstanding)}|${run.peer}`;
    cases.set(key, [...(cases.get(key) ?? []), run]);
  }
  const rows = [...cases.values()].map(medians);
  rows.sort(
    (a, b) =>
      a.scenario.localeCompare(b.scenario) ||
      orderOf(a.transport) - orderOf(b.transport) ||
      a.outstanding - b.outstanding,
  );
  const lines = [
    '| scenario | transport | outstanding | peer | calls/s | requests/s | services µs/call | Redis µs/call | total µs | p50 ms | p99 ms | failed | rate × | CPU × |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|---|---|',
  ];
  let base: Measurement | undefined;
  for (const row of rows) {
    if (
      base?.scenario !== row.scenario ||
      base.transport !== row.transport ||
      base.outstanding !== row.outstanding
    )
      base = row;
    const total = row.servicesUs + row.redisUs;
    const cells = [
      row.scenario, row.transport, row.outstanding, row.peer, row.callsPerSecond.toFixed(0), row.requestsPerSecond.toFixed(0), row.servicesUs.toFixed(0),
      row.redisUs.toFixed(0), total.toFixed(0), row.p50Ms.toFixed(1), row.p99Ms.toFixed(1), row.failed,
      (row.callsPerSecond / base.callsPerSecond).toFixed(2), (total / (base.servicesUs + base.redisUs)).toFixed(2),
    ]; // prettier-ignore
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}
