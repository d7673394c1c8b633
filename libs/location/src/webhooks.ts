import type { EpochMs } from '@rollcall/kernel';
import type { Page } from './directory.ts';
import type { ChangeKind } from './model.ts';

/** Where changes of bindings are posted to, and which of them. */
export interface Webhook {
  readonly id: string;
  /** `http:` or `https:`, without user and password. */
  readonly url: string;
  /** Key of the HMAC that signs each delivery; shown once, when the webhook is made. */
  readonly secret: string;
  /** Kinds of change that are wanted; absent: all. */
  readonly kinds?: readonly ChangeKind[];
  /** The one domain whose changes are wanted, in lower case; absent: every domain. */
  readonly domain?: string;
  readonly enabled: boolean;
  readonly createdAt: EpochMs;
}

/** A delivery that was given up. */
export interface DeadLetter {
  /** Names it in the list of the webhook. */
  readonly cursor: string;
  readonly at: EpochMs;
  /** The body that was not taken, or why there is none. */
  readonly body: string;
  readonly attempts: number;
  /** What the last attempt met: `status 500`, `timeout`, `cursor too old`. */
  readonly reason: string;
}

/** Most webhooks of an installation. */
export const MAX_WEBHOOKS = 100;
/** Dead letters kept for each webhook; the oldest go first. */
export const DEAD_LETTERS_KEPT = 1_000;

/**
 * Webhooks with how far each has come. Deliveries of one webhook are made by one process at a time, the holder of its lease; the
 * position is moved on by nobody else. Every call throws `StoreUnavailable` when the store is away.
 */
export interface Webhooks {
  list(): Promise<readonly Webhook[]>;
  find(id: string): Promise<Webhook | undefined>;
  /** Creates or replaces. False, and nothing is kept, when it is new and there are `MAX_WEBHOOKS` already. */
  put(webhook: Webhook): Promise<boolean>;
  /** With its position and its dead letters. True when there was one. */
  remove(id: string): Promise<boolean>;
  /** Takes or renews the lease. False when another holder has it. */
  hold(id: string, holder: string, ttlMs: number): Promise<boolean>;
  release(id: string, holder: string): Promise<void>;
  /** Cursor of the change streams up to which all is delivered or given up; undefined: nothing yet. */
  position(id: string): Promise<string | undefined>;
  /** False, and nothing moves, when the lease is another's. */
  moveOn(id: string, holder: string, position: string): Promise<boolean>;
  bury(id: string, letter: Omit<DeadLetter, 'cursor' | 'at'>): Promise<void>;
  /** Newest first, older than `cursor` (undefined: from the newest). */
  deadLetters(id: string, cursor: string | undefined, limit: number): Promise<Page<DeadLetter>>;
}
