import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '@rollcall/kernel';
import { CursorTooOld, StoreUnavailable } from '@rollcall/location';
import type { DeliverChanges, LocationEvent, LocationWatcher } from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import { isAfter, placeBefore, printCursor, readCursor, readStreamId, resumeAfter } from './change-cursor.ts';
import type { ChangePlace } from './change-cursor.ts';
import type { StoreClient } from './client.ts';
import { readChanges } from './codec/changes.ts';
import { isReadable, LaterEntries } from './codec/stream-format.ts';
import { keys } from './keys.ts';
import { currentLayout } from './layout.ts';
import { SHARD_SLOTS } from './redis-location.ts';
import { defineScript } from './script.ts';

const readScript = defineScript(new URL('../scripts/read-changes.lua', import.meta.url), 1);
const ARGUMENTS_NOW = 'now';
/** How late an event may be told; and how long to wait before the store is asked again after it was away. */
const POLL_MS = 150;
const ENTRIES_A_READ = 500;

interface Entry {
  readonly ms: number;
  readonly sequence: number;
  readonly shard: number;
  /** Undefined in an entry of a later format. */
  readonly text: string | undefined;
}

/**
 * The change streams of all shards as one, in the order of their ids. What is told is only what no shard can still add something
 * before: entries older than the time that every shard has answered with. So a cursor is one place in one order, not a place in
 * each shard. Redis is asked only while somebody watches.
 */
export class ChangeWatcher implements LocationWatcher {
  constructor(
    private readonly client: StoreClient,
    private readonly later = new LaterEntries(),
  ) {}

  async watch(cursor: string | undefined, deliver: DeliverChanges, signal: AbortSignal): Promise<void> {
    let begun = false;
    let merge = new Merge(cursor === undefined ? undefined : readCursor(cursor), this.later);
    while (!signal.aborted) {
      // The store has got more shards: what was told so far names the place in the order of them all.
      if (merge.positions.length !== currentLayout().everShards) {
        merge = new Merge(merge.place === '' ? undefined : readCursor(merge.place), this.later);
      }
      try {
        const events = merge.take(await this.#poll(merge.positions));
        // The signal may have been given while the store was being asked.
        if ((events.length > 0 || !begun) && !hasAborted(signal)) deliver(events, merge.place);
        begun = true;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #poll(positions: readonly string[]): Promise<Reply[]> {
    return Promise.all(
      positions.map((after, shard) =>
        this.client.run(readScript, SHARD_SLOTS[shard] ?? 0, [
          keys.changes(shard),
          after,
          String(ENTRIES_A_READ),
        ]),
      ),
    );
  }
}

const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

/** Puts what the shards answer into one order. */
class Merge {
  readonly positions: string[];
  readonly #resume: ChangePlace | undefined;
  #resumed: boolean;
  #waiting: Entry[] = [];
  /** The cursor after all that was given out; empty before the first answers of a watch from now on. */
  place: string;

  constructor(
    resume: ChangePlace | undefined,
    private readonly later: LaterEntries,
  ) {
    this.#resume = resume;
    // A place before an entry is one in time: there is nothing that must still be there.
    this.#resumed = resume === undefined || resume.told === 0;
    this.place = resume === undefined ? '' : printCursor(resume);
    this.positions = Array.from({ length: currentLayout().everShards }, (_, shard) =>
      resume === undefined ? ARGUMENTS_NOW : resumeAfter(resume, shard),
    );
  }

  /** Takes one answer of each shard; gives the events whose turn has come. Throws `CursorTooOld` when there is a gap. */
  take(replies: readonly Reply[]): readonly LocationEvent[] {
    let whole = Infinity;
    const positions: string[] = [];
    const fresh: Entry[] = [];
    replies.forEach((reply, shard) => {
      const [now, last, oldest, added, held, entries] = listOf(reply);
      const after = this.positions[shard] ?? ARGUMENTS_NOW;
      if (numberOf(added) > numberOf(held)) refuseGap(after, textOf(oldest));
      const read = listOf(entries).map((entry) => readEntry(entry, shard));
      for (const entry of read) if (entry.text === undefined) this.later.add();
      fresh.push(...read);
      const end = read.at(-1);
      whole = Math.min(whole, read.length < ENTRIES_A_READ || end === undefined ? numberOf(now) : end.ms);
      if (end !== undefined) positions.push(`${String(end.ms)}-${String(end.sequence)}`);
      else positions.push(after === ARGUMENTS_NOW ? textOf(last) : after);
    });
    this.#checkResume(fresh);
    positions.forEach((position, shard) => (this.positions[shard] = position));
    const all = [...this.#waiting, ...fresh].sort(
      (a, b) => a.ms - b.ms || a.shard - b.shard || a.sequence - b.sequence,
    );
    this.#waiting = all.filter(({ ms }) => ms >= whole);
    const events = all.filter(({ ms }) => ms < whole).flatMap((entry) => this.#events(entry));
    // From now on: what a shard adds after its answer has the ms of that answer or a later one.
    if (this.place === '') this.place = printCursor(placeBefore(whole));
    this.place = events.at(-1)?.cursor ?? this.place;
    return events;
  }

  /** The entry that a cursor names is read again: when it is not there, the stream was trimmed beyond it, or is another one. */
  #checkResume(fresh: readonly Entry[]): void {
    const resume = this.#resume;
    if (this.#resumed || resume === undefined) return;
    const there = fresh.some(
      ({ ms, shard, sequence }) => ms === resume.ms && shard === resume.shard && sequence === resume.sequence,
    );
    if (!there) throw new CursorTooOld('the change stream no longer holds what the cursor names');
    this.#resumed = true;
  }

  #events({ ms, sequence, shard, text }: Entry): LocationEvent[] {
    const packed = text === undefined ? undefined : readChanges(text);
    if (packed === undefined) return [];
    const resume = this.#resume;
    const told =
      resume?.ms === ms && resume.shard === shard && resume.sequence === sequence ? resume.told : 0;
    return packed.changes.slice(told).map(({ kind, bindingId, contact }, i) => ({
      cursor: printCursor({ ms, shard, sequence, told: told + i + 1 }),
      at: epochMs(ms),
      aor: packed.aor,
      kind,
      bindingId,
      contact,
      ...(packed.actor === undefined ? {} : { actor: packed.actor }),
    }));
  }
}

/** Entries were dropped from the stream, and the oldest one left comes after what was read last: some may have been missed. */
function refuseGap(after: string, oldest: string): void {
  if (after === ARGUMENTS_NOW) return;
  if (oldest === '' || isAfter(readStreamId(oldest), readStreamId(after))) {
    throw new CursorTooOld('the change stream was trimmed beyond the cursor');
  }
}

function readEntry(reply: Reply, shard: number): Entry {
  const [id, fields] = listOf(reply);
  const text = isReadable(fields) ? textOf(listOf(fields)[1]) : undefined;
  return { ...readStreamId(textOf(id)), shard, text };
}
