import type { Clock } from '@rollcall/kernel';
import type { FrontUser } from '@rollcall/sip-transaction';
import type { FrontCounters } from './counters.ts';
import type { NetLimits } from './limits.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** Structured log lines; the shape that pino has. */
export interface NetLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const nothing = (): void => undefined;
export const silentLog: NetLog = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** What all transactions of one front share. */
export interface RunnerContext {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly counters: FrontCounters;
  readonly limits: NetLimits;
  readonly log: NetLog;
  readonly user: FrontUser;
}

/**
 * Calls the front's user. The last net under the user's own error handling: one message or timer may fail, the process and
 * the other transactions go on. False when it threw.
 */
export function callUser(context: Pick<RunnerContext, 'counters' | 'log'>, call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    context.counters.userErrors += 1;
    context.log.error({ err: error }, 'the user of the SIP front threw');
    return false;
  }
}
