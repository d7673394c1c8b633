import type { SipRequest } from '@rollcall/sip';

/** What the load is read from. */
export interface LoadSources {
  /** How late the event loop is, ms. */
  readonly lagMs: () => number;
  /** Requests that wait for an inner service, as a share of those that may. */
  readonly waiting: () => number;
}

/** And what datagrams add to it. */
export interface AdmissionSources extends LoadSources {
  /** How long a datagram waits until it is read, ms. */
  readonly waitMs: () => number;
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
type RequestClass = keyof typeof SHED_FROM;

/** A loop this late serves nobody in time: half of T1 (RFC 3261 §17.1.1.1) would already double the requests. */
const LATE_MS = 250;
const LATEST_MS = 2_000;
/** A queue to an inner service that is this full is not getting shorter by itself. */
const WAITING_FROM = 0.25;
/** Share of the new reading in the load, each tick. */
const SMOOTHING = 0.3;
/** The same for the wait of datagrams: a single pause is no crowd, a second of them is. */
const WAIT_SMOOTHING = 0.1;
/** Newcomers of a crowd that are told 503, each tick: a refusal is work too, and what is spent on it is not spent on serving. */
const TOLD = 100;

/**
 * Overload control (F03, RFC 6357 §4): while the edge is late, new work is refused with 503 and Retry-After before it costs anything,
 * so that the work that was begun is finished. Refuses a share that grows with the load, never all at once.
 *
 * With datagrams the loop is never late: those that it does not come to wait in the socket, and are dropped by the system when that is full
 * (RFC 3261 §21.5.4 lets a server drop instead of answering 503). While they wait for long, every second newcomer is refused, up to a bounded number.
 */
export class Admission {
  /** 0: everything is served, 1: nothing new is. */
  load = 0;
  shed = 0;
  /** Mean wait of a datagram, ms. */
  #wait = 0;
  #told = 0;
  #newcomers = 0;
  #toldShare = 0;

  constructor(
    private readonly sources: AdmissionSources,
    private readonly random: () => number,
  ) {}

  /** Share of new work that is refused now. */
  get refusedShare(): number {
    return Math.max(this.load, this.#toldShare);
  }

  /** Reads the load; called ten times in a second. */
  tick(): void {
    const late = (this.sources.lagMs() - LATE_MS) / (LATEST_MS - LATE_MS);
    const waiting = (this.sources.waiting() - WAITING_FROM) / (1 - WAITING_FROM);
    const reading = Math.min(1, Math.max(0, late, waiting));
    this.load += (reading - this.load) * SMOOTHING;
    // A mean never comes back to 0 by itself.
    if (this.load < 0.01) this.load = 0;
    this.#wait += (this.sources.waitMs() - this.#wait) * WAIT_SMOOTHING;
    this.#toldShare = this.#newcomers === 0 ? 0 : this.#told / this.#newcomers;
    this.#told = 0;
    this.#newcomers = 0;
  }

  /** True for a request that is refused now. */
  refuses(request: SipRequest): boolean {
    if (this.load === 0 && this.#wait < LATE_MS) return false;
    const one = classOf(request);
    const refused = this.#isTooMuch(one) || this.#isCrowdedOut(one);
    if (refused) this.shed += 1;
    return refused;
  }

  #isTooMuch(one: RequestClass): boolean {
    const from = SHED_FROM[one];
    return this.load > from && this.random() < (this.load - from) / (1 - from);
  }

  #isCrowdedOut(one: RequestClass): boolean {
    if (this.#wait < LATE_MS || (one !== 'fresh' && one !== 'unproved')) return false;
    this.#newcomers += 1;
    if (this.#told >= TOLD || this.#newcomers % 2 === 1) return false;
    this.#told += 1;
    return true;
  }
}

function classOf(request: SipRequest): RequestClass {
  if (!request.isToUntagged()) return 'dialog';
  if (request.has('authorization') || request.has('proxy-authorization')) return 'answered';
  return request.method === 'REGISTER' ? 'unproved' : 'fresh';
}
