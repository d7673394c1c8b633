import type { Aor } from '@rollcall/location';

/** One resource of a list. */
export interface ListEntry {
  readonly uri: Aor;
  /** What people call it; octets. */
  readonly name?: string;
}

/** A resource list (RFC 4662), as it is kept over REST or came with a SUBSCRIBE (RFC 5367). */
export interface ResourceList {
  /** Differs when the list differs. */
  readonly version: number;
  readonly entries: readonly ListEntry[];
  readonly name?: string;
  /** Who may subscribe to it; left away: every user of its domain. */
  readonly watchers?: readonly string[];
}

/** Entries of one list: each is a back-end watch and a part of each full NOTIFY. */
export const MAX_LIST_ENTRIES = 100;
