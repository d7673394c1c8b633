/**
 * Ten times more registrations than the system can do (F03): `npm run overload`. Finds the best rate, offers a multiple of it in an open
 * loop over UDP, and says what came of it: goodput, answers by status, memory, and how soon all is well again.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { numberedAccounts } from '@rollcall/local';
import { Phone, TestSystem, type Samples } from '@rollcall/testkit';
import { buildGenerator, type LoadResult } from './generator.ts';
import { pin, splitProcessors } from './pinned.ts';
import { cpuSeconds, processTree, residentMemory } from './processes.ts';
import { commandLine } from '../setup/command-line.ts';

const WORK = resolve('.bench');
const USAGE = `npm run overload -- [options]
  --factor N      offered, in best rates   (default 10)
  --seconds N     (default 60)
  --users N       (default 50000)
  --edges N       (default 1)
  --persistent    a first REGISTER without an answer is sent again, too (RFC 3261 timer E); without it such repeats are part of the rate
`;
const SAMPLE_MS = 5_000;
const CALL_TIMEOUT_MS = 32_000;
const WARM_CALLS = 100_000;
const PROBE_MS = 100;
const GOOD_PROBE_MS = 250;
const PROBES_IN_A_ROW = 10;
const RECOVERY_LIMIT_MS = 120_000;

const { values } = commandLine(USAGE, {
  options: {
    factor: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '60' },
    users: { type: 'string', default: '50000' },
    edges: { type: 'string', default: '1' },
    persistent: { type: 'boolean', default: false },
    env: { type: 'string', multiple: true, default: [] },
  },
});
const [factor, seconds, users, edges] = [values.factor, values.seconds, values.users, values.edges].map(Number) as [number, number, number, number]; // prettier-ignore
const processors = splitProcessors();
const say = (line: string): void => void process.stdout.write(`${line}\n`);

type Setting = readonly [string, (string | number)?];
interface Load {
  readonly pid: number;
  readonly result: Promise<LoadResult>;
}

/** Runs the generator on its own processor. */
function load(binary: string, port: number, settings: readonly Setting[]): Load {
  const common: readonly Setting[] = [['-p', port], ['-m', 'reg'], ['-u', users], ['-s', 64]]; // prettier-ignore
  const args = [...common, ...settings].flat().filter((one) => one !== undefined).map(String); // prettier-ignore
  const all = processors.load === undefined ? [binary, ...args] : ['taskset', '-c', processors.load, binary, ...args]; // prettier-ignore
  const child = spawn(all[0] ?? '', all.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const result = new Promise<LoadResult>((done, failed) => {
    child.once('error', failed);
    child.once('close', () => {
      done(JSON.parse(text) as LoadResult);
    });
  });
  return { pid: child.pid ?? 0, result };
}

const STATUSES = 'rollcall_sip_responses_sent_total';

/** Answers by status between two scrapes. */
function answersBetween(before: Samples, after: Samples): Record<string, number> {
  const of = (samples: Samples): Map<string, number> =>
    new Map(
      samples.all
        .filter(({ name }) => name === STATUSES)
        .map(({ labels, value }) => [labels['status'] ?? '', value]),
    );
  const old = of(before);
  return Object.fromEntries(
    [...of(after)].map(([status, value]) => [status, value - (old.get(status) ?? 0)]),
  );
}

/** Registers one phone after the other until they are served well in a row; ms since now. */
async function recovery(system: TestSystem): Promise<number> {
  const began = performance.now();
  let good = 0;
  let since = began;
  while (good < PROBES_IN_A_ROW && performance.now() - began < RECOVERY_LIMIT_MS) {
    const asked = performance.now();
    const phone = await Phone.open({
      ...{ transport: 'udp' as const, server: system.sip('udp'), domain: system.domain },
      ...{ user: 'u00001', password: 'pass-u00001' },
    });
    // Without a Contact: no binding is left behind.
    const status = await phone.request('REGISTER').then(
      (answer) => answer.status,
      () => 0,
    );
    phone.close();
    if (status === 200 && performance.now() - asked < GOOD_PROBE_MS) {
      if (good === 0) since = asked;
      good += 1;
    } else good = 0;
    await sleep(PROBE_MS);
  }
  return good < PROBES_IN_A_ROW ? Number.NaN : since - began;
}

async function main(): Promise<void> {
  mkdirSync(WORK, { recursive: true });
  const binary = buildGenerator(WORK);
  const own = Object.fromEntries(values.env.map((one) => one.split('=') as [string, string]));
  const system = await TestSystem.start({
    accounts: [...numberedAccounts(users)],
    replicas: { edge: edges },
    // The generator is one address; overload comes from many.
    env: { edge: { ROLLCALL_GUARD_EXEMPT: '127.0.0.1', ...own } },
  });
  try {
    const pids = processTree(process.pid).filter((pid) => pid !== process.pid && residentMemory(pid) !== undefined); // prettier-ignore
    pin(pids, processors.system);
    pin([process.pid], processors.load);
    const { port } = system.sip('udp');
    const run = (settings: readonly Setting[]): Promise<LoadResult> => load(binary, port, settings).result;
    await run([['-c', 64], ['-n', WARM_CALLS], ['-d', 120]]); // prettier-ignore
    let best = 0;
    for (const outstanding of [32, 64, 128, 256]) {
      const { calls_per_s: rate, call_us: us } = await run([['-c', outstanding], ['-d', 5]]); // prettier-ignore
      say(
        `${String(outstanding)} under way: ${rate.toFixed(0)} registrations/s, p99 ${(us.p99 / 1_000).toFixed(1)} ms`,
      );
      best = Math.max(best, rate);
    }
    const memory = (): string => pids.map(residentMemory).filter((row) => row !== undefined).map(({ name, mib }) => `${name} ${mib.toFixed(0)}`).join(', '); // prettier-ignore
    say(`resident MiB before: ${memory()}`);
    const before = await system.metrics('edge-1');
    const cpu = pids.map((pid) => cpuSeconds([pid]));
    const seriesFile = `${WORK}/overload-seconds.txt`;
    const offered = load(binary, port, [
      ['-r', Math.round(best * factor)], ['-d', seconds], ['-T', CALL_TIMEOUT_MS], ['-o', 2_000_000], ['-G', seriesFile],
      ...(values.persistent ? [] : [['-N'] as const]),
    ]); // prettier-ignore
    const sampling = setInterval(() => {
      say(`  ${memory()}`);
    }, SAMPLE_MS);
    await sleep(seconds * 1_000);
    clearInterval(sampling);
    const generatorCpu = cpuSeconds([offered.pid]);
    const after = await system.metrics('edge-1');
    say(`resident MiB after: ${memory()}`);
    say(`CPU s: ${pids.map((pid, i) => `${residentMemory(pid)?.name ?? '?'} ${(cpuSeconds([pid]) - (cpu[i] ?? 0)).toFixed(1)}`).join(', ')}, generator ${generatorCpu.toFixed(1)}`); // prettier-ignore
    say(`load ${String(after.sum('rollcall_overload'))}`);
    const recovered = await recovery(system);
    const result = await offered.result;
    const series = readFileSync(seriesFile, 'utf8').trim().split('\n').map((line) => line.split(' ').map(Number)); // prettier-ignore
    const [, offeredCalls = 0, good = 0] = series[Math.min(series.length, Math.floor(seconds)) - 1] ?? [];
    const goodput = good / Math.floor(seconds);
    say(JSON.stringify(result));
    say(`best ${best.toFixed(0)}/s; offered ${(offeredCalls / seconds).toFixed(0)}/s; goodput ${goodput.toFixed(0)}/s, ${((goodput * 100) / best).toFixed(0)} %`); // prettier-ignore
    say(`goodput by second: ${series.slice(0, seconds).map(([, , ok = 0], i) => ok - (series[i - 1]?.[2] ?? 0)).join(' ')}`); // prettier-ignore
    say(`answers of the edge: ${JSON.stringify(answersBetween(before, after))}`);
    say(`all well again after ${(recovered / 1_000).toFixed(1)} s`);
  } finally {
    await system.stop();
  }
}

await main();
