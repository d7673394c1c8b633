import type { SipRequest } from '@rollcall/sip';

/** What the load is read from. */
export interface LoadSources {
  /** How late the event loop is, ms. */
  readonly lagMs: () => number;
  /** Requests that wait for an inner service, as a share of those that may. */
  readonly waiting: () => number;
}

/** Classes of requests in the order in which they are given up (RFC 7339 §5.10.1: what has been begun goes before what is new). */
const SHED_FROM = {
  /** OPTIONS, and calls, messages and subscriptions that are to begin. */
  fresh: 0,
  /** A REGISTER or other request that has not been challenged yet. */
  unproved: 0.25,
  /** One that answers a challenge. */
  answered: 0.6,
  /** Inside a dialog: dropping it would leave two phones in different states. */
  dialog: 0.9,
} as const;

/** A loop this late serves nobody in time: half of T1 (RFC 3261 §17.1.1.1) would already double the requests. */
const LATE_MS = 250;
const LATEST_MS = 2_000;
/** A queue to an inner service that is this full is not getting shorter by itself. */
const WAITING_FROM = 0.25;
/** Share of the new reading in the load, each tick. */
const SMOOTHING = 0.3;

/**
 * Overload control (F03, RFC 6357 §4): while the edge is late, new work is refused with 503 and Retry-After before it costs anything,
 * so that the work that was begun is finished. Refuses a share that grows with the load, never all at once.
 */
export class Admission {
  /** 0: everything is served, 1: nothing new is. */
  load = 0;
  shed = 0;

  constructor(
    private readonly sources: LoadSources,
    private readonly random: () => number,
  ) {}

  /** Reads the load; called a few times in a second. */
  tick(): void {
    const late = (this.sources.lagMs() - LATE_MS) / (LATEST_MS - LATE_MS);
    const waiting = (this.sources.waiting() - WAITING_FROM) / (1 - WAITING_FROM);
    const reading = Math.min(1, Math.max(0, late, waiting));
    this.load += (reading - this.load) * SMOOTHING;
    // A mean never comes back to 0 by itself.
    if (this.load < 0.01) this.load = 0;
  }

  /** True for a request that is refused now. */
  refuses(request: SipRequest): boolean {
    if (this.load === 0) return false;
    const from = SHED_FROM[classOf(request)];
    if (this.load <= from) return false;
    const refused = this.random() < (this.load - from) / (1 - from);
    if (refused) this.shed += 1;
    return refused;
  }
}

function classOf(request: SipRequest): keyof typeof SHED_FROM {
  if (!request.isToUntagged()) return 'dialog';
  if (request.has('authorization') || request.has('proxy-authorization')) return 'answered';
  return request.method === 'REGISTER' ? 'unproved' : 'fresh';
}
