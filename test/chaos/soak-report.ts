import { figuresTable } from './report.ts';
import type { SoakReport, SoakSample } from './soak.ts';

/** How much of a run is warming up, and is left out of what is compared. */
const WARM_UP = 0.25;

interface Level {
  readonly what: string;
  readonly unit: string;
  /** Mean of the first and of the last third after the warm-up. */
  readonly early: number;
  readonly late: number;
}

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, one) => sum + one, 0) / Math.max(1, numbers.length);

/** What everything held at first and at last. */
export function levels(samples: readonly SoakSample[]): Level[] {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const third = Math.max(1, Math.floor(warm.length / 3));
  const level = (what: string, unit: string, of: (sample: SoakSample) => number): Level => ({
    ...{ what, unit },
    early: mean(warm.slice(0, third).map(of)),
    late: mean(warm.slice(-third).map(of)),
  });
  const names = samples[0]?.services.map(({ name }) => name) ?? [];
  return [
    ...names.flatMap((name, n) => [
      level(name, 'MiB', ({ services }) => services[n]?.mib ?? 0),
      level(name, 'descriptors', ({ services }) => services[n]?.fds ?? 0),
    ]),
    level('Redis', 'MiB', ({ redisMib }) => redisMib),
    level('Redis', 'keys', ({ keys }) => keys),
  ];
}

/** A run as tables in Markdown. */
export function printSoak(report: SoakReport): string {
  const { options, samples, findings, watch, statuses, expired } = report;
  const last = samples.at(-1);
  const hours = ((last?.seconds ?? 0) * (1 - WARM_UP) * (2 / 3)) / 3600;
  const rows: readonly (readonly [string, string | number])[] = [
    ['seconds, rounds', `${last?.seconds ?? 0}, ${samples.length}`],
    ['devices that refresh / that lapse, watchers', `${options.busy} / ${options.lapsing}, ${options.watchers}`],
    ['expires, s', `${options.expires} to ${1.5 * options.expires}`],
    ['REGISTER acknowledged, bindings expired', `${last?.acknowledged ?? 0}, ${expired}`],
    ['answers by status', [...statuses].map(([status, n]) => `${status}: ${n}`).join(', ')],
    ['lost / duplicated / wrong expiry / out of nowhere', `${findings.lost} / ${findings.duplicated} / ${findings.wrongExpiry} / ${findings.alien}`],
    ['NOTIFYs, subscriptions lost, CSeqs that did not rise, stale', `${watch.notifies}, ${watch.lost}, ${watch.backwards.length}, ${watch.stale.length}`],
    ['services that ended', report.restarted.join(', ') || 'none'],
  ]; // prettier-ignore
  return [
    ...figuresTable(rows),
    '',
    '| of | what | early | late | an hour |',
    '| --- | --- | --- | --- | --- |',
    ...levels(samples).map(({ what, unit, early, late }) => {
      const share = early === 0 || hours === 0 ? 0 : ((late / early - 1) / hours) * 100;
      return `| ${what} | ${unit} | ${early.toFixed(1)} | ${late.toFixed(1)} | ${share.toFixed(1)} % |`;
    }),
  ].join('\n');
}
