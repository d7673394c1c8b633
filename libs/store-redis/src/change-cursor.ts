import { CursorTooOld } from '@rollcall/location';

/** Highest sequence number of a stream id: with it, a position after every entry of its millisecond. */
const LAST_SEQUENCE = '18446744073709551615';

/** A place in the order of all changes: by ms, then shard, then sequence number of an entry, then place within its commit. */
export interface ChangePlace {
  readonly ms: number;
  readonly shard: number;
  readonly sequence: number;
  /** How many changes of the entry lie before the place; 0 is before the entry, which then need not exist. */
  readonly told: number;
}

/** Before everything that happens at `ms` or later. */
export const placeBefore = (ms: number): ChangePlace => ({ ms, shard: 0, sequence: 0, told: 0 });

export function printCursor({ ms, shard, sequence, told }: ChangePlace): string {
  return [ms, shard, sequence, told].map((n) => n.toString(36)).join('-');
}

/** Throws `CursorTooOld` when the text is no cursor: whoever sent it starts anew. */
export function readCursor(text: string): ChangePlace {
  const [ms = NaN, shard = NaN, sequence = NaN, told = NaN] = text.split('-').map((n) => parseInt(n, 36));
  if (Number.isNaN(ms + shard + sequence + told)) throw new CursorTooOld('not a cursor of the change stream');
  return { ms, shard, sequence, told };
}

/** The stream id after which `shard` holds what comes after `place`, the entry of `place` itself included. */
export function resumeAfter(place: ChangePlace, shard: number): string {
  const before = `${String(place.ms - 1)}-${LAST_SEQUENCE}`;
  if (shard < place.shard) return `${String(place.ms)}-${LAST_SEQUENCE}`;
  if (shard > place.shard || place.sequence === 0) return before;
  return `${String(place.ms)}-${String(place.sequence - 1)}`;
}

export interface StreamId {
  readonly ms: number;
  readonly sequence: number;
}

export function readStreamId(text: string): StreamId {
  const dash = text.indexOf('-');
  return { ms: Number(text.slice(0, dash)), sequence: Number(text.slice(dash + 1)) };
}

export function isAfter(a: StreamId, b: StreamId): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.sequence > b.sequence);
}
