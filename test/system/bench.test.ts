import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROOT } from '@rollcall/testkit';
import type { Measurement } from '../bench/report.ts';

const SCENARIOS = ['register-auth', 'refresh', 'presence-cycle'];
const FIGURES = ['callsPerSecond', 'requestsPerSecond', 'servicesUs', 'redisUs', 'p50Ms', 'p99Ms'] as const;

/**
 * The short form of `npm run bench`. How quick anything is depends on the machine and is asserted nowhere: docs/performance.md says
 * what was measured, beside what.
 */
it(
  'P01 P02 P03 the bench measures registrations, refreshes and subscription cycles: all are answered, and no figure is left out',
  { timeout: 180_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rollcall-bench-'));
    const out = join(folder, 'results.jsonl');
    try {
      const args = [
        ...['--import', 'tsx', '--conditions=@rollcall/source', 'test/bench/main.ts', '--peers', 'rollcall'],
        ...['--scenarios', SCENARIOS.join(','), '--outstanding', '4', '--seconds', '1', '--rounds', '1'],
        ...['--users', '100', '--warm', '50', '--out', out],
      ];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
      const runs = readFileSync(out, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Measurement);
      expect(runs.map(({ scenario }) => scenario)).toEqual(SCENARIOS);
      for (const run of runs) {
        expect(run.failed, run.scenario).toBe(0);
        expect(run.calls, run.scenario).toBeGreaterThan(0);
        for (const figure of FIGURES) expect(run[figure], `${run.scenario} ${figure}`).toBeGreaterThan(0);
        expect(stdout).toContain(run.scenario);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
