import { BoundedMap, epochMs } from '@rollcall/kernel';
import type { Clock, EpochMs } from '@rollcall/kernel';
import type { Page } from './directory.ts';
import { fitsAor, fitsBinding } from './listing.ts';
import type { ListedAor, ListingFilter, LocationLister } from './listing.ts';
import type { Aor, LocationSnapshot } from './model.ts';
import { CursorTooOld, DUE_LEASE_MS } from './ports.ts';
import type {
  Commit,
  CommitDone,
  CommitOutcome,
  DeliverChanges,
  DueReader,
  LocationCommitter,
  LocationEvent,
  LocationReader,
  LocationWatcher,
  LocationWriter,
  StoreClock,
} from './ports.ts';

const NO_RECORD: LocationSnapshot = { version: 0, bindings: [] };
const DEFAULT_EVENT_LIMIT = 10_000;
const DEFAULT_RECORD_LIMIT = 1_000_000;

/** How much a `MemoryLocation` keeps before it forgets the oldest. */
export interface MemoryLocationLimits {
  readonly records?: number;
  readonly events?: number;
}

interface Watch {
  readonly deliver: DeliverChanges;
}

/**
 * The location ports in the memory of one process: for tests, and for reading what the contract means. Nothing is shared
 * between replicas and nothing survives a restart.
 */
export class MemoryLocation
  implements
    LocationReader,
    LocationWriter,
    LocationCommitter,
    LocationLister,
    LocationWatcher,
    DueReader,
    StoreClock
{
  readonly #clock: Clock;
  readonly #records: BoundedMap<Aor, LocationSnapshot>;
  readonly #due = new Map<Aor, EpochMs>();
  /** Taken off the due-set, with the end of the lease. */
  readonly #taken = new Map<Aor, EpochMs>();
  readonly #watches = new Set<Watch>();
  readonly #eventLimit: number;
  #events: LocationEvent[] = [];
  /** Number of events that came before `#events[0]`. */
  #forgotten = 0;
  #lastVersion = 0;

  constructor(clock: Clock, limits: MemoryLocationLimits = {}) {
    this.#clock = clock;
    this.#eventLimit = limits.events ?? DEFAULT_EVENT_LIMIT;
    this.#records = new BoundedMap(limits.records ?? DEFAULT_RECORD_LIMIT, (aor) => {
      this.#due.delete(aor);
    });
  }

  now(): EpochMs {
    return this.#clock.now();
  }

  read(aor: Aor): Promise<LocationSnapshot> {
    return Promise.resolve(this.#records.peek(aor) ?? NO_RECORD);
  }

  commit(commit: Commit): Promise<CommitOutcome> {
    const current = this.#records.peek(commit.aor) ?? NO_RECORD;
    if (current.version !== commit.expectedVersion) {
      return Promise.resolve({ kind: 'conflict', snapshot: current });
    }
    const version = this.#store(commit);
    this.#tell(commit);
    return Promise.resolve({ kind: 'committed', version });
  }

  commitThen(commit: Commit, done: CommitDone): void {
    void this.commit(commit).then((outcome) => {
      done(undefined, outcome);
    });
  }

  /** The cursor is the last AoR that was looked at. */
  list(filter: ListingFilter, cursor: string | undefined, limit: number): Promise<Page<ListedAor>> {
    const now = this.now();
    const items: ListedAor[] = [];
    const aors = [...this.#records.keys()].sort();
    for (const aor of aors) {
      if ((cursor !== undefined && aor <= cursor) || !fitsAor(filter, aor)) continue;
      const { version, bindings } = this.#records.peek(aor) ?? NO_RECORD;
      const live = bindings.filter(({ expiresAt }) => expiresAt > now);
      if (!live.some((binding) => fitsBinding(filter, binding))) continue;
      const last = items.at(-1);
      if (last !== undefined && items.length >= limit) return Promise.resolve({ items, cursor: last.aor });
      items.push({ aor, version, bindings: live });
    }
    return Promise.resolve({ items });
  }

  takeDue(now: EpochMs, limit: number): Promise<readonly Aor[]> {
    for (const [aor, until] of this.#taken) {
      if (until > now) continue;
      this.#taken.delete(aor);
      this.#armNoLater(aor, until);
    }
    const due: Aor[] = [];
    for (const [aor, at] of this.#due) {
      if (due.length >= limit) break;
      if (at > now) continue;
      this.#due.delete(aor);
      this.#taken.set(aor, epochMs(now + DUE_LEASE_MS));
      due.push(aor);
    }
    return Promise.resolve(due);
  }

  rearm(aor: Aor, at: EpochMs | undefined): Promise<void> {
    this.#taken.delete(aor);
    if (at !== undefined) this.#armNoLater(aor, at);
    return Promise.resolve();
  }

  watch(cursor: string | undefined, deliver: DeliverChanges, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const missed = this.#eventsAfter(cursor);
    if (missed === undefined) {
      return Promise.reject(new CursorTooOld(`the change stream no longer holds ${String(cursor)}`));
    }
    const watch: Watch = { deliver };
    this.#watches.add(watch);
    deliver(missed, this.#position());
    return new Promise((resolve) => {
      signal.addEventListener(
        'abort',
        () => {
          this.#watches.delete(watch);
          resolve();
        },
        { once: true },
      );
    });
  }

  #store(commit: Commit): number {
    if (commit.bindings.length === 0) {
      this.#records.delete(commit.aor);
      this.#due.delete(commit.aor);
      return 0;
    }
    this.#lastVersion += 1;
    this.#records.set(commit.aor, { version: this.#lastVersion, bindings: commit.bindings });
    let earliest = Infinity;
    for (const binding of commit.bindings) earliest = Math.min(earliest, binding.expiresAt);
    this.#armNoLater(commit.aor, epochMs(earliest));
    return this.#lastVersion;
  }

  #armNoLater(aor: Aor, at: EpochMs): void {
    const armed = this.#due.get(aor);
    if (armed === undefined || at < armed) this.#due.set(aor, at);
  }

  #tell(commit: Commit): void {
    if (commit.changes.length === 0) return;
    const at = this.now();
    const events = commit.changes.map(({ kind, binding }, index): LocationEvent => {
      const cursor = String(this.#forgotten + this.#events.length + index + 1);
      const event = { cursor, at, aor: commit.aor, kind, bindingId: binding.id, contact: binding.contact };
      return commit.actor === undefined ? event : { ...event, actor: commit.actor };
    });
    this.#events.push(...events);
    if (this.#events.length > this.#eventLimit * 2) {
      const surplus = this.#events.length - this.#eventLimit;
      this.#forgotten += surplus;
      this.#events = this.#events.slice(surplus);
    }
    for (const watch of this.#watches) watch.deliver(events, this.#position());
  }

  /** The cursor of the latest event, or the place before the first. */
  #position(): string {
    return String(this.#forgotten + this.#events.length);
  }

  #eventsAfter(cursor: string | undefined): readonly LocationEvent[] | undefined {
    if (cursor === undefined) return [];
    const seen = Number(cursor);
    if (!Number.isSafeInteger(seen) || seen < this.#forgotten) return undefined;
    return this.#events.slice(seen - this.#forgotten);
  }
}
