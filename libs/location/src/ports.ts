import type { EpochMs } from '@rollcall/kernel';
import type { Aor, BindingChange, Binding, LocationSnapshot, ChangeKind, BindingId } from './model.ts';

export interface LocationReader {
  /** Bindings as stored, those past their expiry included; the caller compares with the store's clock. Throws `StoreUnavailable`. */
  read(aor: Aor): Promise<LocationSnapshot>;
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

export type CommitOutcome =
  | { readonly kind: 'committed'; readonly version: number }
  | { readonly kind: 'conflict'; readonly snapshot: LocationSnapshot };

export interface LocationWriter {
  /** Compare-and-set on the record's version; record, due-set and change stream change together or not at all. Throws `StoreUnavailable`. */
  commit(commit: Commit): Promise<CommitOutcome>;
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

export interface LocationWatcher {
  /**
   * Calls `deliver` for each change after `cursor` (undefined: from now on), in order for each AoR, until `signal` aborts.
   * The cursor covers all shards. Rejects with `CursorTooOld` when the stream no longer holds what the cursor names.
   */
  watch(cursor: string | undefined, deliver: (events: readonly LocationEvent[]) => void, signal: AbortSignal): Promise<void>;
}

export interface DueReader {
  /** AoRs that may have a binding past its expiry at `now`, taken off the due-set; the caller re-reads, then commits or re-arms. */
  takeDue(now: EpochMs, limit: number): Promise<readonly Aor[]>;
  /** Puts an AoR back on the due-set for `at`. */
  rearm(aor: Aor, at: EpochMs): Promise<void>;
}

/** The store did not answer, or refused to write: 503 with Retry-After to whoever asked (RFC 3261 §21.5.4). */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
/** A change cursor names what the stream no longer holds. */
export class CursorTooOld extends Error {
  override readonly name = 'CursorTooOld';
}
