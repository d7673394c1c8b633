import type { ChaosReport } from './run.ts';

const printStatuses = (statuses: ReadonlyMap<number, number>): string =>
  [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${String(status)}: ${String(count)}`)
    .join(', ');

const SERVED_GAP_MS = 1000;

/** A run as tables in Markdown. */
export function printReport(report: ChaosReport): string {
  const { options, watch, gaps, loadSeconds } = report;
  const counts = new Map<string, number>();
  for (const fault of report.faults) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  const perSecond = (count: number): string => (count / Math.max(1, loadSeconds)).toFixed(0);
  const rows: readonly (readonly [string, string | number])[] = [
    ['Redis', options.topology],
    ['seed', options.seed],
    ['seconds under faults / under load', `${options.seconds} / ${loadSeconds}`],
    ['devices / watchers', `${options.devices} / ${options.watchers}`],
    ['REGISTER acknowledged / refused / without an answer', `${report.acknowledged} / ${report.refused} / ${report.unanswered}`],
    ['REGISTER acknowledged, NOTIFYs a second', `${perSecond(report.acknowledged)}, ${perSecond(watch.notifies)}`],
    ['answers by status', printStatuses(report.statuses)],
    ['answers by status in the rolling restart', printStatuses(report.rollingStatuses)],
    ['503 without Retry-After', report.withoutRetryAfter],
    ['acknowledged and lost', report.lost],
    ['duplicated', report.duplicated],
    ['with another expiry than promised', report.wrongExpiry],
    ['out of nowhere', report.alien],
    ['NOTIFYs', watch.notifies],
    ['subscriptions lost', watch.lost],
    ['NOTIFYs whose CSeq did not rise', watch.backwards.length],
    ['watchers with an old state at the end', watch.stale.length],
    ['until every watcher had the state, ms', report.settledMs],
    ['pauses over a second without any 200', gaps.filter(({ ms }) => ms > SERVED_GAP_MS).length],
  ]; // prettier-ignore
  return [
    ...figuresTable(rows),
    '',
    '| fault | times | longest time without any 200, s | 200s a second |',
    '| --- | --- | --- | --- |',
    ...gaps.map(({ during, ms, perSecond }) => {
      const times = counts.get(during) ?? '';
      return `| ${during} | ${times} | ${(ms / 1000).toFixed(1)} | ${perSecond.toFixed(0)} |`;
    }),
  ].join('\n');
}

/** Lines of a table of two columns, for the pages in docs/. */
export const figuresTable = (rows: readonly (readonly [string, string | number])[]): string[] => [
  '| what | figure |',
  '| --- | --- |',
  ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
];
