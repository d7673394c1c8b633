import type { Flow } from '@rollcall/sip-transaction';
import type { BusyFlows } from './busy-flows.ts';

export interface DrainParts {
  /** Closes the listeners for new connections. */
  readonly stopAccepting: () => void;
  /** Stream flows to phones that are open now. */
  readonly streams: () => readonly Flow[];
  /** Requests of any kind that have not been answered yet. */
  readonly pending: () => number;
  readonly busy: BusyFlows;
  /** Waits so many ms. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly now: () => number;
  readonly random: () => number;
}

export interface DrainOptions {
  /** How long the edge still serves all flows before it begins to close them, ms. */
  readonly waitMs: number;
  /** Within which all is over, ms. */
  readonly graceMs: number;
  /** Flows closed in a second, so that their devices do not come back as one; more only when the grace time is too short. */
  readonly rate: number;
}

const TICK_MS = 50;
const TICKS_PER_SECOND = 1_000 / TICK_MS;
/** Part of the grace time in which idle flows are closed; the rest is left to requests in progress. */
const CLOSING_SHARE = 0.8;

/**
 * Empties an edge (E12, K26): closes streams in random order at a bounded rate, so that their devices register through others, those
 * with requests in progress last. Resolves when nothing is in progress any more, or the time is up.
 */
export async function drain(parts: DrainParts, { waitMs, graceMs, rate }: DrainOptions): Promise<void> {
  const { streams, pending, busy, sleep, now, random } = parts;
  if (waitMs > 0) await sleep(waitMs);
  parts.stopAccepting();
  const until = now() + graceMs;
  const flows = shuffle([...streams()], random);
  const perTick = Math.max(
    rate / TICKS_PER_SECOND,
    (flows.length * TICK_MS) / Math.max(1, graceMs * CLOSING_SHARE),
  );
  let allowance = 0;
  let waiting: readonly Flow[] = flows;
  while (now() < until && (waiting.length > 0 || pending() > 0 || busy.size > 0)) {
    allowance = Math.min(allowance, perTick) + perTick;
    const left: Flow[] = [];
    for (const flow of waiting) {
      if (!flow.open) continue;
      if (allowance < 1 || busy.has(flow)) left.push(flow);
      else {
        allowance -= 1;
        flow.close('draining');
      }
    }
    waiting = left;
    if (waiting.length > 0 || pending() > 0 || busy.size > 0) await sleep(TICK_MS);
  }
}

/** Fisher and Yates. */
function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const a = items[i] as T;
    items[i] = items[j] as T;
    items[j] = a;
  }
  return items;
}
