import type { EpochMs } from '@rollcall/kernel';
import { aorPrefix, asksForBindings, fitsAor, fitsBinding } from '@rollcall/location';
import type {
  Aor,
  ListedAor,
  ListingFilter,
  LocationLister,
  LocationSnapshot,
  Page,
  StoreClock,
} from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { Reply } from './call.ts';
import type { StoreClient } from './client.ts';
import { readRecord } from './codec/record.ts';
import { aorOfMember, INDEX_SETS, keys, shardOf } from './keys.ts';
import { currentLayout } from './layout.ts';
import { SHARD_SLOTS } from './redis-location.ts';
import { defineScript } from './script.ts';

const listScript = defineScript(new URL('../scripts/list-aors.lua', import.meta.url), INDEX_SETS);

/** Index entries taken by one script, and records read by one MGET: either keeps Redis busy for well under a millisecond. */
const MEMBERS_A_CALL = 500;
const RECORDS_A_CALL = 100;
/** What one page looks at, at most. Entries are cheap; records cost their octets and a look at each binding. */
const MEMBERS_A_PAGE = 20_000;
const RECORDS_A_PAGE = 4000;

/** A place in the order of all index entries: after `member` in a set of a shard. */
interface Place {
  readonly shard: number;
  /** From 1, as the script counts. */
  readonly set: number;
  /** Empty: before the first. */
  readonly member: string;
}

const START: Place = { shard: 0, set: 1, member: '' };

/**
 * Listings by the index sets, which hold each AoR with a record under its domain and user. Domain and prefix are a range of
 * each set; the rest is told by the records, which are read a bounded number at a time. An AoR keeps its place in the order for as long as
 * it has a record, so that a walk meets it once.
 */
export class RedisListing implements LocationLister {
  constructor(
    private readonly client: StoreClient,
    private readonly clock: StoreClock,
  ) {}

  async list(filter: ListingFilter, cursor: string | undefined, limit: number): Promise<Page<ListedAor>> {
    const page = new PageBuilder(filter, this.clock.now(), limit);
    let place: Place | undefined = cursor === undefined ? START : readPlace(cursor);
    while (place !== undefined && !page.full) place = await this.#step(filter, place, page);
    return place === undefined ? { items: page.items } : { items: page.items, cursor: printPlace(place) };
  }

  /** Looks at the next entries of one shard; the place after them, undefined when there are no more. */
  async #step(filter: ListingFilter, place: Place, page: PageBuilder): Promise<Place | undefined> {
    const { from, to } = rangeOf(filter);
    const begin = place.member === '' ? from : `(${place.member}`;
    const wanted = asksForBindings(filter) ? MEMBERS_A_CALL : Math.min(MEMBERS_A_CALL, page.room + 1);
    const reply = await this.client.run(listScript, SHARD_SLOTS[place.shard] ?? 0, [
      ...keys.indexSets(place.shard),
      ...[String(place.set), begin, from, to, String(wanted)],
    ]);
    const [stopped, members, sets] = listOf(reply);
    const found = listOf(members).map((member, i): Place => ({
      shard: place.shard,
      set: numberOf(listOf(sets)[i]),
      member: textOf(member),
    }));
    const last = await this.#look(filter, found, page);
    if (last !== undefined) return last;
    if (numberOf(stopped) > 0) return found.at(-1) ?? place;
    return place.shard + 1 < currentLayout().shards ? { ...START, shard: place.shard + 1 } : undefined;
  }

  /** Takes what fits onto the page; the place to go on from when the page is full before the entries are through. */
  async #look(filter: ListingFilter, found: readonly Place[], page: PageBuilder): Promise<Place | undefined> {
    for (let at = 0; at < found.length; at += RECORDS_A_CALL) {
      const part = found.slice(at, at + RECORDS_A_CALL);
      page.members += part.length;
      const fitting = part.filter(({ member }) => fitsAor(filter, aorOfMember(member)));
      const records = await this.#read(fitting.map(({ member }) => aorOfMember(member)));
      for (const [i, place] of fitting.entries()) {
        page.take(aorOfMember(place.member), records[i] ?? null);
        if (page.full) return place;
      }
      const end = part.at(-1);
      if (page.full && end !== undefined) return end;
    }
    return undefined;
  }

  async #read(aors: readonly Aor[]): Promise<readonly Reply[]> {
    const [first] = aors;
    if (first === undefined) return [];
    const shard = shardOf(first);
    return listOf(
      await this.client.command(SHARD_SLOTS[shard] ?? 0, [
        'MGET',
        ...aors.map((aor) => keys.record(shard, aor)),
      ]),
    );
  }
}

class PageBuilder {
  readonly items: ListedAor[] = [];
  members = 0;
  #records = 0;

  constructor(
    private readonly filter: ListingFilter,
    private readonly now: EpochMs,
    private readonly limit: number,
  ) {}

  /** Nothing more is to be looked at. */
  get full(): boolean {
    return this.room <= 0 || this.members >= MEMBERS_A_PAGE || this.#records >= RECORDS_A_PAGE;
  }

  get room(): number {
    return this.limit - this.items.length;
  }

  take(aor: Aor, record: Reply): void {
    // Gone since the index was read, or left behind in it.
    if (record === null) return;
    this.#records += 1;
    const snapshot = readAnything(aor, textOf(record));
    if (snapshot === undefined) {
      if (!asksForBindings(this.filter)) this.items.push({ aor, version: 0, bindings: [], unreadable: true });
      return;
    }
    const bindings = snapshot.bindings.filter(({ expiresAt }) => expiresAt > this.now);
    if (!bindings.some((binding) => fitsBinding(this.filter, binding))) return;
    this.items.push({ aor, version: snapshot.version, bindings });
  }
}

function readAnything(aor: Aor, text: string): LocationSnapshot | undefined {
  try {
    return readRecord(aor, text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Bounds of the entries that may fit, as ZRANGE … BYLEX takes them. */
function rangeOf({ domain, prefix }: ListingFilter): { readonly from: string; readonly to: string } {
  if (domain === undefined) return { from: '-', to: '+' };
  const begin = prefix === undefined ? '' : aorPrefix(prefix);
  const at = begin.lastIndexOf('@');
  const start = `${domain} ${at < 0 ? begin : begin.slice(0, at)}`;
  return { from: `[${start}`, to: `(${successor(start)}` };
}

/** The least text after all that begin with `text`, which does not end in the highest octet. */
function successor(text: string): string {
  return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + 1);
}

function printPlace({ shard, set, member }: Place): string {
  return `${String(currentLayout().generation)}.${String(shard)}.${String(set)}.${member}`;
}

/** A cursor that is none, or of another layout, begins anew: an AoR is then listed twice, never missed. */
function readPlace(cursor: string): Place {
  const [, generation, shard, set, member = ''] =
    /^(\d{1,9})\.(\d{1,4})\.(\d{1,3})\.([^]*)$/.exec(cursor) ?? [];
  const place = { shard: Number(shard ?? NaN), set: Number(set ?? NaN), member };
  const layout = currentLayout();
  if (Number(generation) !== layout.generation) return START;
  return place.shard < layout.shards && place.set >= 1 && place.set <= INDEX_SETS ? place : START;
}
