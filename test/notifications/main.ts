/**
 * `npm run notifications -- MODE`: what presence does with many subscriptions, and under faults, at length. Replicas and Redis are
 * processes of their own; the watchers are one process that answers NOTIFYs and compares each one's last state with the store.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PresenceRun } from '../../services/presence/test/harness/presence-run.ts';
import type { RunReport } from '../../services/presence/test/harness/presence-run.ts';
import { commandLine } from '../setup/command-line.ts';

const usage = `npm run notifications -- MODE [--watchers N] [--replicas N] [--resources N] [--seconds N] [--heap MIB]
  fan-out   N watchers of one resource, 5 changes within a second   (default 10000 watchers)
  kill      kill -9 of a replica every few seconds under change load
  redis     kill -9 of Redis every few seconds under change load
  rolling   every replica is stopped in order and started anew, under change load
  memory    N subscriptions: bytes of each in Redis, time for one more, memory of a replica then and while all resources change
            for some seconds   (default 100000; --heap MIB bounds the old generation of a replica's heap)
`;

/** A claim or a lease of 5 s, the poll after it, and what the machine takes. */
const PATIENCE_MS = 60_000;
const CHANGE_PACE_MS = 10;
const FAULT_EVERY_MS = 4_000;
const CHANGES = 5;
/** Changes under way at one time, and the pause between two readings of memory, in the run for memory. */
const CHANGED_TOGETHER = 32;
const CURVE_MS = 10_000;

interface Options {
  readonly watchers: number | undefined;
  readonly replicas: number;
  readonly resources: number | undefined;
  readonly seconds: number;
  readonly heapMiB: number | undefined;
}

function print(mode: string, report: RunReport): boolean {
  const { watchers, changes, notifies, settledMs, stale, problems, extra } = report;
  const last = settledMs === undefined ? 'never' : `${String(settledMs)} ms`;
  console.log(
    `${mode}: ${String(watchers)} watchers, ${String(changes)} changes acknowledged, ${String(notifies)} NOTIFYs (${extra}); ` +
      `last watcher up to date after ${last}; stale ${String(stale)}; CSeq twice or backwards ${String(problems.length)}`,
  );
  for (const problem of problems.slice(0, 5)) console.log(`  ${problem}`);
  return stale === 0 && problems.length === 0;
}

async function fanOut({ watchers = 10_000, replicas }: Options): Promise<boolean> {
  const run = await PresenceRun.start({ replicas, resources: 1, watchers });
  try {
    await run.subscribe(watchers);
    await sleep(1_000);
    const began = performance.now();
    for (let n = 0; n < CHANGES; n += 1) {
      await run.change(n);
      await sleep(Math.max(0, began + (n + 1) * (1_000 / CHANGES) - performance.now()));
    }
    const report = await run.settle(performance.now(), PATIENCE_MS);
    console.log(`slowest Redis commands, µs: ${await run.slowest()}`);
    return print('fan-out', report);
  } finally {
    await run.stop();
  }
}

async function underLoad(
  mode: string,
  { watchers = 1_000, replicas, resources = 20, seconds }: Options,
  appendOnly: boolean,
  fault: (run: PresenceRun) => Promise<void>,
): Promise<boolean> {
  const run = await PresenceRun.start({ replicas, resources, watchers }, appendOnly);
  try {
    await run.subscribe(watchers);
    let ends = false;
    const load = run.changeUntil(() => ends, CHANGE_PACE_MS);
    const until = performance.now() + seconds * 1_000;
    let faults = 0;
    while (performance.now() < until) {
      await sleep(FAULT_EVERY_MS / 2);
      await fault(run);
      faults += 1;
      await sleep(FAULT_EVERY_MS / 2);
    }
    ends = true;
    await load;
    console.log(`${mode}: ${String(faults)} faults`);
    return print(mode, await run.settle(performance.now(), PATIENCE_MS));
  } finally {
    await run.stop();
  }
}

async function kill(run: PresenceRun): Promise<void> {
  const doomed = run.replicas.shift();
  await doomed?.kill();
  await run.addReplica();
}

async function killRedis(run: PresenceRun): Promise<void> {
  await run.redis.kill();
  await sleep(200);
  await run.redis.begin();
}

async function rolling(run: PresenceRun): Promise<void> {
  for (let n = run.replicas.length; n > 0; n -= 1) {
    await run.addReplica();
    const leaving = run.replicas.shift();
    await leaving?.stop();
  }
}

/** Resident memory of a process, MiB. */
function resident(pid: number): number {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

const residents = (run: PresenceRun): string =>
  run.replicas.map(({ pid }) => resident(pid).toFixed(0)).join(', ');

/** Changes all resources in turn, many at once, and prints what the replicas take meanwhile. */
async function churn(run: PresenceRun, seconds: number): Promise<void> {
  const until = performance.now() + seconds * 1_000;
  let next = 0;
  const change = async (): Promise<void> => {
    while (performance.now() < until) {
      next += 1;
      await run.change(next);
    }
  };
  const changing = Array.from({ length: CHANGED_TOGETHER }, change);
  while (performance.now() < until) {
    await sleep(CURVE_MS);
    console.log(`${String(next)} changes: replicas resident ${residents(run)} MiB`);
  }
  await Promise.all(changing);
}

async function memory(options: Options): Promise<boolean> {
  const { watchers = 100_000, replicas, resources = watchers, seconds, heapMiB } = options;
  const run = await PresenceRun.start({ replicas, resources, watchers, heapMiB });
  try {
    const before = await run.usedMemory();
    let bytes = 0;
    for (const part of [0.1, 0.5, 1]) {
      await run.subscribe(Math.round(watchers * part) - run.watchers.all.size);
      await sleep(1_000);
      const { size } = run.watchers.all;
      bytes = ((await run.usedMemory()) - before) / size;
      console.log(
        `${String(size)} subscriptions: ${bytes.toFixed(0)} bytes in Redis each; replicas resident ${residents(run)} MiB`,
      );
    }
    const took: number[] = [];
    for (let n = 0; n < 100; n += 1) {
      const began = performance.now();
      await run.subscribe(1);
      took.push(performance.now() - began);
    }
    took.sort((a, b) => a - b);
    console.log(`one more: p50 ${(took[50] ?? 0).toFixed(1)} ms, p99 ${(took[98] ?? 0).toFixed(1)} ms`);
    await churn(run, seconds);
    return bytes <= BYTES_MAX;
  } finally {
    await run.stop();
  }
}

/** What a subscription may take in Redis. */
const BYTES_MAX = 1_050;

const { values, positionals } = commandLine(usage, {
  allowPositionals: true,
  options: {
    watchers: { type: 'string' },
    replicas: { type: 'string', default: '2' },
    resources: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    heap: { type: 'string' },
  },
});
const count = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
const options: Options = {
  watchers: count(values.watchers),
  replicas: Number(values.replicas),
  resources: count(values.resources),
  seconds: Number(values.seconds),
  heapMiB: count(values.heap),
};
const MODES: Readonly<Record<string, () => Promise<boolean>>> = {
  'fan-out': () => fanOut(options),
  kill: () => underLoad('kill', options, false, kill),
  redis: () => underLoad('redis', options, true, killRedis),
  rolling: () => underLoad('rolling', options, false, rolling),
  memory: () => memory(options),
};
const mode = MODES[positionals[0] ?? ''];
if (mode === undefined) {
  console.log(usage);
  process.exit(2);
}
process.exit((await mode()) ? 0 : 1);
