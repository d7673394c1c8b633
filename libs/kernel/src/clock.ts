import type { EpochMs } from './brand.ts';

/** Where the time comes from. Protocol and domain code is given one and never asks the process. */
export interface Clock {
  now(): EpochMs;
}

/** Handle of a started timer; opaque. */
export type TimerHandle = object;

/** One-shot timers, injected beside the clock so that tests can turn the time by hand. */
export interface Timers {
  start(ms: number, fire: () => void): TimerHandle;
  stop(handle: TimerHandle): void;
}
