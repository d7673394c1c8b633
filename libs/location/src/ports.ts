import type { EpochMs } from '@rollcall/kernel';
import type { Aor, BindingChange, Binding, LocationSnapshot, ChangeKind, BindingId } from './model.ts';

export interface LocationReader {
  /**
   * Bindings as stored, those past their expiry included; the caller compares with the store's clock. Throws `StoreUnavailable`.
   * `confirmed`: what is read is as durable as a commit that was acknowledged, for an answer that rests on it and writes
   * nothing itself.
   */
  read(aor: Aor, options?: { readonly confirmed?: boolean }): Promise<LocationSnapshot>;
}

export interface Commit {
  readonly aor: Aor;
  readonly expectedVersion: number;
  /** The whole new state; empty deletes the record. */
  readonly bindings: readonly Binding[];
  /** What is told to watchers; `refreshed` goes out only when somebody watches. */
  readonly changes: readonly BindingChange[];
  /** W3C traceparent carried to whoever acts on the changes. */
  readonly trace?: string | undefined;
  /** Who asked, for the audit trail: the asserted identity, or `admin`, `expiry`. */
  readonly actor?: string | undefined;
}

/** `version` is that of the new record, never one that a record of this AoR had before; 0 when nothing is left of it. */
export type CommitOutcome =
  | { readonly kind: 'committed'; readonly version: number }
  | { readonly kind: 'conflict'; readonly snapshot: LocationSnapshot };

export interface LocationWriter {
  /** Compare-and-set on the record's version; record, due-set and change stream change together or not at all. Throws `StoreUnavailable`. */
  commit(commit: Commit): Promise<CommitOutcome>;
}

/** Told once, in a later turn, with either. The error is a `StoreUnavailable` (the outcome is then unknown), or a bug. */
export type CommitDone = (error: Error | undefined, outcome: CommitOutcome | undefined) => void;

/** `commit` without a promise, for the path that every REGISTER takes. */
export interface LocationCommitter {
  commitThen(commit: Commit, done: CommitDone): void;
}

/** The store's time, learned from it, so that replicas with skewed clocks agree (Redis TIME). */
export interface StoreClock {
  now(): EpochMs;
}

/** One entry of a change stream. `cursor` resumes after it. */
export interface LocationEvent {
  readonly cursor: string;
  readonly at: EpochMs;
  readonly aor: Aor;
  readonly kind: ChangeKind;
  readonly bindingId: BindingId;
  readonly contact: string;
  readonly actor?: string;
}

/** Takes changes; `position` is the cursor that resumes after them. */
export type DeliverChanges = (events: readonly LocationEvent[], position: string) => void;

export interface LocationWatcher {
  /**
   * Calls `deliver` for each change after `cursor` (undefined: from now on), in order for each AoR, until `signal` aborts.
   * The first call comes as soon as the store has answered and says where the watch begins, with no events when there are none
   * yet: who resumes from that position misses nothing, though it may be told again what happened in the very moment of the start.
   * The cursor covers all shards. Rejects with `CursorTooOld` when the stream no longer holds what the cursor names.
   */
  watch(cursor: string | undefined, deliver: DeliverChanges, signal: AbortSignal): Promise<void>;
}

/** How long an AoR that was taken off the due-set stays hidden when its taker says nothing more: it died. */
export const DUE_LEASE_MS = 5000;

export interface DueReader {
  /**
   * AoRs whose due time has come at `now`, at most `limit`. A commit makes an AoR due at its earliest expiry at the latest; the
   * due-set is lazy, so an AoR may come up too early: the caller re-reads, commits what has expired, then calls `rearm`.
   * Taken entries are hidden from everybody for `DUE_LEASE_MS` and then come up again unless `rearm` was called, so that a
   * sweeper may die at any moment. Throws `StoreUnavailable`.
   */
  takeDue(now: EpochMs, limit: number): Promise<readonly Aor[]>;
  /**
   * Ends a take: the AoR is due again at `at`, or earlier when a commit since has said so; undefined when nothing is left to
   * wait for, which leaves what a commit since has armed untouched. Throws `StoreUnavailable`.
   */
  rearm(aor: Aor, at: EpochMs | undefined): Promise<void>;
}

/** The store did not answer, or refused to write: 503 with Retry-After to whoever asked (RFC 3261 §21.5.4). */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
/** A change cursor names what the stream no longer holds. */
export class CursorTooOld extends Error {
  override readonly name = 'CursorTooOld';
}
