import { watchedPackage } from '@rollcall/events';
import type {
  DirtyEntry,
  EventPackage,
  PublicationCommit,
  ResourceChange,
  ResourceState,
  StateSource,
  SubscriptionId,
  TellDuty,
  WatcherChange,
} from '@rollcall/events';
import type { Aor } from '@rollcall/location';

/** What happened to one resource and is to be told to its watchers, put together from several entries. */
export interface ResourceWork {
  readonly resource: Aor;
  readonly sources: Set<StateSource>;
  readonly changes: ResourceChange[];
  /** Packages whose publications changed; undefined: any may have. */
  packages: Set<string> | undefined;
  readonly watching: WatcherChange[];
  /** Entries of bindings among them. */
  commits: number;
  trace: string | undefined;
  /** Entries of the stream that it is made of. */
  readonly cursors: string[];
  /** Duties to tell that it fulfils. */
  readonly duties: TellDuty[];
  /** What whoever made the change knows already; of no worth once the work has waited for other work. */
  known: KnownTelling | undefined;
}

/** The watchers and the state of a resource as they were at its change. */
export interface KnownTelling {
  readonly watchers: readonly SubscriptionId[];
  readonly state: ResourceState;
  /** `Records.learnt` before the change was made: records learnt later may have been told a newer state. */
  readonly learnt: number;
}

/** Work of no entry yet. */
export const newWork = (resource: Aor): ResourceWork => ({
  resource,
  sources: new Set(),
  changes: [],
  packages: new Set(),
  watching: [],
  commits: 0,
  trace: undefined,
  cursors: [],
  duties: [],
  known: undefined,
});

/** The entries by what they are of. */
export function byResource(entries: readonly DirtyEntry[]): readonly ResourceWork[] {
  const works = new Map<Aor, ResourceWork>();
  for (const entry of entries) {
    let work = works.get(entry.resource);
    if (work === undefined) works.set(entry.resource, (work = newWork(entry.resource)));
    addEntry(work, entry);
  }
  return [...works.values()];
}

function addEntry(
  work: ResourceWork,
  { cursor, source, changes, packages, watching, trace }: DirtyEntry,
): void {
  work.cursors.push(cursor);
  work.sources.add(source);
  if (source === 'location') work.commits += 1;
  work.changes.push(...changes);
  if (watching !== undefined) work.watching.push(watching);
  if (source === 'publications') {
    if (packages === undefined) work.packages = undefined;
    for (const name of packages ?? []) work.packages?.add(name);
  }
  work.trace ??= trace;
}

/** A publication, by who took it. */
export function publicationWork(
  { resource, packages, trace }: PublicationCommit,
  known: KnownTelling,
): ResourceWork {
  const work = newWork(resource);
  work.sources.add('publications');
  work.packages = packages === undefined ? undefined : new Set(packages);
  work.trace = trace;
  work.known = known;
  return work;
}

/** What was changed by somebody who did not come to tell of it: all there is may have changed. */
export function untoldWork(duty: TellDuty): ResourceWork {
  const work = newWork(duty.resource);
  work.duties.push(duty);
  work.sources.add('publications');
  work.packages = undefined;
  return work;
}

/** Puts later work on the same resource to work that has not begun. */
export function mergeWork(into: ResourceWork, work: ResourceWork): void {
  for (const source of work.sources) into.sources.add(source);
  into.changes.push(...work.changes);
  if (work.packages === undefined) into.packages = undefined;
  for (const name of work.packages ?? []) into.packages?.add(name);
  into.watching.push(...work.watching);
  into.commits += work.commits;
  into.trace ??= work.trace;
  into.cursors.push(...work.cursors);
  into.duties.push(...work.duties);
  into.known = undefined;
}

/** Whether the work can have changed what a package tells of the resource itself. */
export function concerns(
  work: ResourceWork,
  { name, sources, unmovedBy }: Pick<EventPackage, 'name' | 'sources' | 'unmovedBy'>,
): boolean {
  return sources.some((source) => {
    if (!work.sources.has(source)) return false;
    if (source === 'publications') return work.packages?.has(name) ?? true;
    if (source === 'watchers') return work.watching.some((one) => one.package === watchedPackage(name));
    return (
      source !== 'location' ||
      work.changes.length === 0 ||
      work.changes.some(({ kind }) => !unmovedBy.has(kind))
    );
  });
}
