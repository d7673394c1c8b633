import type { TransportName } from './front.ts';
import type { TimerName } from './machine.ts';

/** The three base values of RFC 3261 §17.1.1.1 and §17.1.2.2, in milliseconds. */
export interface BaseTimers {
  /** Estimate of the round-trip time. */
  readonly t1: number;
  /** Greatest interval between retransmissions of a non-INVITE request or an INVITE response. */
  readonly t2: number;
  /** The longest that a message stays in the network. */
  readonly t4: number;
}

/** RFC 3261 table 4. */
export const RFC3261_TIMERS: BaseTimers = { t1: 500, t2: 4000, t4: 5000 };

/** RFC 3261 §17.1.1.2: timer D is at least 32 s over unreliable transports, whatever our T1 is. */
const TIMER_D_MINIMUM_MS = 32_000;
/** The transaction timeouts and waits are all 64*T1 (table 4). */
const TIMEOUT_IN_T1 = 64;

export interface TransactionTimers {
  /** First value of a timer in ms; 0 fires at once; undefined: not started on this transport. */
  first(timer: TimerName): number | undefined;
  /** Value of a retransmission timer (A, E, G) after one of `previous` ms. */
  next(timer: TimerName, previous: number): number;
  /** T2: timer E in Proceeding. */
  readonly slow: number;
  /**
   * When a non-INVITE request that has no answer yet is owed its 100 (RFC 4320 §4.1): the time that the
   * client's timer E needs to reach T2, counted from the receipt of the request.
   */
  readonly tryingAfter: number;
}

const RELIABLE: ReadonlySet<TransportName> = new Set<TransportName>(['tcp', 'tls', 'ws', 'wss']);

/** True for the transports on which nothing is retransmitted hop by hop (RFC 3261 §18, RFC 7118 §5). */
export const isReliable = (transport: TransportName): boolean => RELIABLE.has(transport);

const cache = new Map<boolean, TransactionTimers>();

/** The timers of RFC 3261 table 4 and RFC 6026 §8.11 as a function of the transport. */
export function timersFor(transport: TransportName, base: BaseTimers = RFC3261_TIMERS): TransactionTimers {
  const reliable = isReliable(transport);
  if (base !== RFC3261_TIMERS) return makeTimers(reliable, base);
  let timers = cache.get(reliable);
  if (timers === undefined) cache.set(reliable, (timers = makeTimers(reliable, base)));
  return timers;
}

function makeTimers(reliable: boolean, { t1, t2, t4 }: BaseTimers): TransactionTimers {
  const timeout = TIMEOUT_IN_T1 * t1;
  const first: Record<TimerName, number | undefined> = {
    A: reliable ? undefined : t1, // §17.1.1.2: INVITE request retransmission
    B: timeout, // §17.1.1.2: INVITE transaction timeout
    D: reliable ? 0 : Math.max(TIMER_D_MINIMUM_MS, timeout), // §17.1.1.2: wait for response retransmissions
    E: reliable ? undefined : t1, // §17.1.2.2: non-INVITE request retransmission
    F: timeout, // §17.1.2.2: non-INVITE transaction timeout
    G: reliable ? undefined : t1, // §17.2.1: INVITE response retransmission
    H: timeout, // §17.2.1: wait for the ACK
    I: reliable ? 0 : t4, // §17.2.1: wait for ACK retransmissions
    J: reliable ? 0 : timeout, // §17.2.2: wait for non-INVITE request retransmissions
    K: reliable ? 0 : t4, // §17.1.2.2: wait for response retransmissions
    L: timeout, // RFC 6026 §8.7: wait for accepted INVITE retransmissions, all transports
    M: timeout, // RFC 6026 §8.4: wait for more 2xx to an INVITE, all transports
  };
  let tryingAfter = 0;
  for (let interval = t1; interval < t2; interval *= 2) tryingAfter += interval;
  return {
    first: (timer) => first[timer],
    // §17.1.1.2: timer A doubles without limit (B ends it); §17.1.2.2 and §17.2.1: E and G are MIN(2*T, T2).
    next: (timer, previous) => (timer === 'A' ? 2 * previous : Math.min(2 * previous, t2)),
    slow: t2,
    tryingAfter,
  };
}
