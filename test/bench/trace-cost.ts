/*
 * What it costs to keep messages to be looked at (ADR 14): the same load on systems that keep nothing, 1 % of the exchanges,
 * everything, and what the defaults keep under load; in turns, medians. `node --import tsx --conditions=@rollcall/source
 * test/bench/trace-cost.ts [seconds] [rounds]`
 */
import { readFileSync } from 'node:fs';
import { numberedAccounts } from '@rollcall/local';
import { TestSystem } from '@rollcall/testkit';
import { buildGenerator, runLoad } from './generator.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const ROUNDS = Number(process.argv[3] ?? 3);
const USERS = 2_000;
const OUTSTANDING = 64;
/** Ticks of /proc/PID/stat, a second. */
const TICKS = 100;
const UNLIMITED = '10000000';

const VARIANTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  off: { ROLLCALL_TRACE_SAMPLE: '0' },
  '1 %': { ROLLCALL_TRACE_SAMPLE: '1', ROLLCALL_TRACE_RATE: UNLIMITED },
  all: { ROLLCALL_TRACE_SAMPLE: '100', ROLLCALL_TRACE_RATE: UNLIMITED },
  'as usual': {},
};

/** Seconds of processor time that a process has used. */
function cpuOf(pid: number): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')
      .at(-1)
      ?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

const generator = buildGenerator('.bench');
const systems = new Map<string, TestSystem>();
try {
  for (const [name, edge] of Object.entries(VARIANTS)) {
    systems.set(name, await TestSystem.start({ accounts: [...numberedAccounts(USERS)], env: { edge } }));
  }
  for (const mode of ['reg', 'refresh']) {
    const measured = new Map<string, { rate: number; edge: number; registrar: number }[]>();
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const [name, system] of systems) {
        const pids = ['edge-1', 'registrar-1'].map((service) => system.service(service).process.pid);
        const before = pids.map(cpuOf);
        const { port } = system.sip('udp');
        const load = {
          port,
          mode,
          transport: 'udp' as const,
          users: USERS,
          outstanding: OUTSTANDING,
          seconds: SECONDS,
        };
        const { ok, calls_per_s: rate } = await runLoad(generator, load);
        const [edge = 0, registrar = 0] = pids.map((pid, i) => ((cpuOf(pid) - (before[i] ?? 0)) * 1e6) / ok);
        // The first turn warms up.
        if (round > 0) measured.set(name, [...(measured.get(name) ?? []), { rate, edge, registrar }]);
      }
    }
    for (const [name, runs] of measured) {
      const of = (pick: (run: (typeof runs)[number]) => number): string => median(runs.map(pick)).toFixed(1);
      console.log(
        `${mode}, ${name}: ${of((r) => r.rate)}/s, edge ${of((r) => r.edge)} µs, registrar ${of((r) => r.registrar)} µs a call`,
      );
    }
  }
} finally {
  for (const system of systems.values()) await system.stop();
}
