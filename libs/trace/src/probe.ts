/*
 * What an inner service tells the edge about a request that is traced: one header line in its answer, which the edge takes out again
 * before a phone sees it. The edge asks for it by a line in the request, which it adds itself and which nobody outside can
 * (`X-Rollcall-*` does not cross the trust boundary).
 */

export const PROBE_HEADER = 'X-Rollcall-Trace';
/** The line that asks. */
export const PROBE_ASK = `${PROBE_HEADER}: ask\r\n`;
const PROBE_LINE = /\r\nX-Rollcall-Trace: ([^\r\n]*)/;

/** What became of a request inside a service; times in microseconds since it came in. */
export interface ProbeReport {
  /** `committed`, another good outcome, or the label of the refusal table. */
  readonly outcome: string;
  /** When the commit that decided was sent to the store, and how long it took. */
  readonly commitAt?: number;
  readonly commitTook?: number;
  /** Commits that found another version and were decided anew. */
  readonly conflicts?: number;
  /** From the request to the answer. */
  readonly total: number;
}

/** True when the request asks for a report. Called for each request of a service. */
export const asksForProbe = (octets: string): boolean => octets.includes(PROBE_ASK);

/** The answer with the report as its last header line. */
export function addProbe(answer: string, report: ProbeReport): string {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return answer;
  return `${answer.slice(0, end)}\r\n${PROBE_HEADER}: ${printProbe(report)}${answer.slice(end)}`;
}

/** The answer without the report. */
export const removeProbe = (answer: string): string => answer.replace(PROBE_LINE, '');

/** The report of an answer. */
export function readProbe(answer: string): ProbeReport | undefined {
  const text = PROBE_LINE.exec(answer)?.[1];
  if (text === undefined || text === 'ask') return undefined;
  const fields = new Map(
    text.split(';').map((part): [string, string] => {
      const [name = '', value = ''] = part.split('=');
      return [name, value];
    }),
  );
  const number = (name: string): number | undefined => {
    const value = Number(fields.get(name));
    return fields.has(name) && Number.isFinite(value) ? value : undefined;
  };
  const outcome = fields.get('outcome');
  const total = number('total');
  if (outcome === undefined || total === undefined) return undefined;
  const [commitAt, commitTook, conflicts] = [number('commit-at'), number('commit-took'), number('conflicts')];
  return {
    outcome,
    total,
    ...(commitAt === undefined ? {} : { commitAt }),
    ...(commitTook === undefined ? {} : { commitTook }),
    ...(conflicts === undefined ? {} : { conflicts }),
  };
}

function printProbe({ outcome, commitAt, commitTook, conflicts, total }: ProbeReport): string {
  const parts = [`outcome=${outcome}`];
  if (commitAt !== undefined) parts.push(`commit-at=${String(Math.round(commitAt))}`);
  if (commitTook !== undefined) parts.push(`commit-took=${String(Math.round(commitTook))}`);
  if (conflicts !== undefined && conflicts > 0) parts.push(`conflicts=${String(conflicts)}`);
  return [...parts, `total=${String(Math.round(total))}`].join(';');
}
