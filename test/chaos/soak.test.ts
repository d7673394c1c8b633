import { stderr, stdout } from 'node:process';
import { expect, test } from 'vitest';
import { printSoak } from './soak-report.ts';
import { soak } from './soak.ts';

/** The short form of `npm run soak`: what must hold however long it runs. */
test(
  'K28 B22 bindings are refreshed and lapse over and over: nothing is lost or left over, nobody ends, Redis is as full as before',
  { timeout: 180_000 },
  async () => {
    const report = await soak({
      ...{ seconds: 6, roundSeconds: 3, expires: 2, busy: 20, lapsing: 40, watchers: 5 },
      say: (line) => void stderr.write(`${line}\n`),
    });
    stdout.write(`${printSoak(report)}\n`);
    const { lost, duplicated, wrongExpiry, alien, examples } = report.findings;
    expect({ lost, duplicated, wrongExpiry, alien, examples }).toEqual({
      ...{ lost: 0, duplicated: 0, wrongExpiry: 0, alien: 0, examples: [] },
    });
    expect(report.watch).toMatchObject({ lost: 0, backwards: [], stale: [] });
    expect(report.restarted).toEqual([]);
    expect(report.expired).toBeGreaterThan(0);
    const [first] = report.samples;
    // One record, its watchers and its index for each AoR at the most; what lapsed has left nothing behind.
    expect(report.samples.at(-1)?.keys).toBeLessThan(1.5 * (first?.keys ?? 0));
  },
);
