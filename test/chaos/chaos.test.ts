import { env, stderr, stdout } from 'node:process';
import { expect, test } from 'vitest';
import { TOPOLOGIES, type TopologyKind } from '../faults/topology.ts';
import { printReport } from './report.ts';
import { runChaos } from './run.ts';

// A short run here; `npm run chaos` makes a long one of it by these.
const SECONDS = Number(env['CHAOS_SECONDS'] ?? 25);
const SEED = Number(env['CHAOS_SEED'] ?? 20_261);
const WANTED = (env['CHAOS_TOPOLOGIES'] ?? 'single,sentinel').split(',') as TopologyKind[];
const DEVICES = Number(env['CHAOS_DEVICES'] ?? 400);
const WATCHERS = Number(env['CHAOS_WATCHERS'] ?? 30);
/** `K09,K12`: only the faults of these rows of the fault board. */
const ROWS = (env['CHAOS_FAULTS'] ?? '').split(',').filter((row) => row !== '');
/** Every service restarted in turn at the end: in long runs, test/upgrade does it in each. */
const ROLLING = env['CHAOS_ROLLING'] === '1';
/** Start, faults that last longer than the time that is left, healing and settling. */
const AROUND_MS = 180_000;

test.each(TOPOLOGIES.filter((kind) => WANTED.includes(kind)))(
  'F10 F01 F02 K01 K02 K04 K05 K08 K09 K12 K26 O07 nothing acknowledged is lost while everything breaks in turn (%s)',
  { timeout: SECONDS * 1000 + AROUND_MS },
  async (topology) => {
    const say = (line: string): void => void stderr.write(`${line}\n`);
    const report = await runChaos({
      ...{ topology, seed: SEED, seconds: SECONDS },
      ...{ devices: DEVICES, watchers: WATCHERS, rows: ROWS, rolling: ROLLING, say },
    });
    stdout.write(`${printReport(report)}\n`);
    const { lost, duplicated, wrongExpiry, alien, examples, watch, statuses, withoutRetryAfter } = report;
    expect({ lost, duplicated, wrongExpiry, alien, examples }).toEqual({
      ...{ lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] },
    });
    expect({ lost: watch.lost, backwards: watch.backwards, stale: watch.stale }).toEqual({
      ...{ lost: 0, backwards: [], stale: [] },
    });
    expect([...statuses.keys()].filter((status) => ![200, 401, 503].includes(status))).toEqual([]);
    expect(withoutRetryAfter).toBe(0);
    expect(report.acknowledged).toBeGreaterThan(DEVICES);
  },
);
