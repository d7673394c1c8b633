import { dueAt } from '@rollcall/events';
import type { Subscription } from '@rollcall/events';
import type { Reply } from '../call.ts';
import { decimalMs } from '../codec/base36.ts';
import { DIRTY_KEPT } from '../keys.ts';
import { defineScript } from '../script.ts';
import type { Script } from '../script.ts';

/** How long a record outlives its last use, in case nobody comes to end it properly. */
export const GRACE_MS = 600_000;
/** Most entries of a dirty stream; past it the oldest go, and a subscriber learns of the state with the next change. */
export const DIRTY_LIMIT = String(DIRTY_KEPT);

export const presenceScript = (name: string, keyCount: number): Script =>
  defineScript(new URL(`../../scripts/presence/${name}.lua`, import.meta.url), keyCount);

/** One run of a script: what it is given, keys first, and what its answer means. */
export interface ScriptCall<T> {
  readonly script: Script;
  readonly shard: number;
  readonly values: readonly string[];
  readonly read: (reply: Reply) => T;
}

/** The version that a record gets which was last seen with another; 0 means that there was none. */
export type VersionAfter = (expected: number) => number;

export const livesUntil = (next: Subscription): string =>
  decimalMs(Math.max(next.expiresAt, dueAt(next)) + GRACE_MS);
