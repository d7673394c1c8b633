import type { Aor, DueReader, StoreClock } from '@rollcall/location';
import { StoreUnavailable } from '@rollcall/location';
import { decideExpiry } from '@rollcall/registration';
import { countChanges } from './counters.ts';
import type { RegistrarCounters } from './counters.ts';
import type { RegistrarLocation, RegistrarLog } from './ports.ts';
import type { SnapshotMemory } from './snapshot-memory.ts';

export interface SweeperParts {
  readonly location: RegistrarLocation & DueReader;
  readonly clock: StoreClock;
  readonly memory: SnapshotMemory;
  readonly counters: RegistrarCounters;
  readonly log: RegistrarLog;
}

/** Well inside the second that an expiry may be late by (invariant 3), with the round trips that follow. */
const INTERVAL_MS = 300;
/** AoRs taken at one time; while there are as many, the next are taken at once. */
const BATCH = 256;
/** An AoR that others keep changing is left to its lease: it comes up again. */
const MAX_TRIES = 5;

/**
 * Ends bindings whose time is over. Every registrar sweeps; the store gives each AoR to one of them at a time, and the
 * compare-and-set makes each expiry one change, whoever comes second.
 */
export class Sweeper {
  readonly #parts: SweeperParts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#later();
  }

  /** Resolves when the sweep that runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Ends everything that is over now; the number of AoRs that were looked at. Throws `StoreUnavailable`. */
  async sweep(): Promise<number> {
    let looked = 0;
    for (;;) {
      const due = await this.#parts.location.takeDue(this.#parts.clock.now(), BATCH);
      await Promise.all(due.map((aor) => this.#settleAlone(aor)));
      looked += due.length;
      if (due.length < BATCH || this.#stopped) return looked;
    }
  }

  /** A record that cannot be read, or any fault of ours, holds up no other AoR; it comes up again after its lease. */
  async #settleAlone(aor: Aor): Promise<void> {
    try {
      await this.#settle(aor);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      this.#parts.log.error({ err: error, aor }, 'an AoR could not be swept');
    }
  }

  async #settle(aor: Aor): Promise<void> {
    const { location, clock, memory, counters } = this.#parts;
    let snapshot = await location.read(aor);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const decision = decideExpiry(snapshot, clock.now());
      if (decision.kind === 'wait') {
        await location.rearm(aor, decision.next);
        return;
      }
      const { bindings, changes } = decision;
      const outcome = await location.commit({
        aor,
        expectedVersion: snapshot.version,
        bindings,
        changes,
        actor: 'expiry',
      });
      if (outcome.kind === 'committed') {
        memory.forget(aor);
        counters.swept += changes.length;
        countChanges(counters, changes);
        await location.rearm(aor, decision.next);
        return;
      }
      snapshot = outcome.snapshot;
    }
  }

  #later(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#sweepOnce();
    }, INTERVAL_MS);
  }

  async #sweepOnce(): Promise<void> {
    try {
      await this.sweep();
    } catch (error) {
      // The store says itself when it goes and comes back; what was taken comes up again after its lease.
      if (!(error instanceof StoreUnavailable)) this.#parts.log.error({ err: error }, 'a sweep failed');
    } finally {
      this.#later();
    }
  }
}
