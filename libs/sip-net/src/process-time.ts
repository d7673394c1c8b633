import { epochMs } from '@rollcall/kernel';
import type { Clock, Timers } from '@rollcall/kernel';

/** The time of this machine. */
export const PROCESS_CLOCK: Clock = { now: () => epochMs(Date.now()) };

/** The timers of this process. */
export const PROCESS_TIMERS: Timers = {
  start: (ms, fire) => setTimeout(fire, ms),
  stop: (handle) => {
    clearTimeout(handle as NodeJS.Timeout);
  },
};
