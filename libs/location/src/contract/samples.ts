import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { Aor, Binding, BindingChange, BindingId } from '../model.ts';
import type { LocationEvent, LocationWatcher, LocationWriter } from '../ports.ts';

const SAMPLE_LIFETIME_MS = 3_600_000;

/** An AoR that no other test uses. */
export function freshAor(user = 'user'): Aor {
  return `sip:${user}-${randomUUID()}@example.test` as Aor;
}

/** A binding of its own that lives an hour, with `fields` put over it. */
export function sampleBinding(now: EpochMs, fields: Partial<Binding> = {}): Binding {
  const id = randomUUID();
  return {
    id: id.slice(0, 12) as BindingId,
    contact: `sip:${id}@192.0.2.1:5060`,
    params: '',
    callId: `${id}@192.0.2.1`,
    cseq: 1,
    path: [],
    registeredAt: now,
    refreshedAt: now,
    expiresAt: epochMs(now + SAMPLE_LIFETIME_MS),
    ...fields,
  };
}

/** Commits where no conflict can be, and gives the new version. */
export async function commitOnce(
  store: LocationWriter,
  aor: Aor,
  expectedVersion: number,
  bindings: readonly Binding[],
  changes: readonly BindingChange[] = [],
  actor?: string,
): Promise<number> {
  const outcome = await store.commit({ aor, expectedVersion, bindings, changes, actor });
  if (outcome.kind !== 'committed')
    throw new Error(`conflict where nobody else writes: ${JSON.stringify(outcome)}`);
  return outcome.version;
}

/** Events of one AoR as they are delivered. */
export interface CollectedEvents {
  /** The position that the first delivery gave. */
  readonly start: string;
  /** Waits for `count` events and a moment more for one too many, ends the watch, and gives what came. */
  until(count: number): Promise<readonly LocationEvent[]>;
}

const TOO_LATE_MS = 5000;
const POLL_MS = 25;
const POLLS_FOR_ONE_TOO_MANY = 6;

async function aMoment(): Promise<void> {
  let polls = 0;
  await vi.waitUntil(() => ++polls > POLLS_FOR_ONE_TOO_MANY, { interval: POLL_MS, timeout: TOO_LATE_MS });
}

/** Starts a watch for `aor`; resolves when changes committed from now on will be seen. */
export async function collectEvents(
  store: LocationWatcher,
  cursor: string | undefined,
  aor: Aor,
): Promise<CollectedEvents> {
  const abort = new AbortController();
  const seen: LocationEvent[] = [];
  const positions: string[] = [];
  const watching = store.watch(
    cursor,
    (events, position) => {
      positions.push(position);
      seen.push(...events.filter((event) => event.aor === aor));
    },
    abort.signal,
  );
  // "From now on" begins when the watch has asked its store where now is.
  const start = await vi.waitUntil(() => positions[0], { interval: POLL_MS, timeout: TOO_LATE_MS });
  return {
    start,
    async until(count: number) {
      await vi.waitUntil(() => seen.length >= count, { interval: POLL_MS, timeout: TOO_LATE_MS });
      await aMoment();
      abort.abort();
      await watching;
      return seen;
    },
  };
}
