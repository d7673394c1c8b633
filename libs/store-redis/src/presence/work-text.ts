import type { EpochMs } from '@rollcall/kernel';
import type {
  DirtyEntry,
  ResourceChange,
  ShardWork,
  StateSource,
  SubscriptionId,
  TellDuty,
  WatcherChange,
  WatcherEvent,
  WatcherStatus,
} from '@rollcall/events';
import type { Aor, BindingId, ChangeKind } from '@rollcall/location';
import { listOf, textOf } from '../call.ts';
import type { Reply } from '../call.ts';
import { isReadable } from '../codec/stream-format.ts';
import type { LaterEntries } from '../codec/stream-format.ts';

/** Stands before an AoR among the members of a due-set whose publications are due. */
export const PUBLICATION_MARK = 'p:';
/** The same for one that changed, and that whoever changed it wanted to tell of. */
export const DUTY_MARK = 'd:';

const SOURCES: ReadonlyMap<string, StateSource> = new Map([
  ['reg', 'location'],
  ['message-summary', 'mailbox'],
  ['presence', 'publications'],
  ['watchers', 'watchers'],
  ['rules', 'rules'],
  ['list', 'list'],
]);

/**
 * Reads the reply of take-work.lua; what is due was put off until `until`. Entries that this code cannot read are left out: they stay
 * unfinished, and a replica that can read them is given them after their lease.
 */
export function readWork(reply: Reply, until: EpochMs, later: LaterEntries): ShardWork {
  const [fresh, left, members] = listOf(reply);
  const dirty: DirtyEntry[] = [];
  for (const raw of [...listOf(left), ...listOf(fresh)]) {
    const entry = readEntry(raw, later);
    if (entry !== undefined) dirty.push(entry);
  }
  const due: SubscriptionId[] = [];
  const lapsed: Aor[] = [];
  const untold: TellDuty[] = [];
  for (const raw of listOf(members)) {
    const member = textOf(raw);
    if (member.startsWith(PUBLICATION_MARK)) lapsed.push(member.slice(PUBLICATION_MARK.length) as Aor);
    else if (member.startsWith(DUTY_MARK))
      untold.push({ resource: member.slice(DUTY_MARK.length) as Aor, until });
    else due.push(member as SubscriptionId);
  }
  return { dirty, due, untold, lapsed };
}

function readEntry(raw: Reply, later: LaterEntries): DirtyEntry | undefined {
  const [id, fields] = listOf(raw);
  if (!isReadable(fields)) {
    later.add();
    return undefined;
  }
  const values = new Map<string, string>();
  const flat = listOf(fields);
  for (let i = 0; i + 1 < flat.length; i += 2) values.set(textOf(flat[i]), textOf(flat[i + 1]));
  const source = SOURCES.get(values.get('p') ?? '');
  const resource = values.get('r');
  if (source === undefined || resource === undefined) return undefined;
  const packages = values.get('e') ?? '';
  const trace = values.get('t') ?? '';
  return {
    cursor: textOf(id),
    resource: resource as Aor,
    source,
    changes: source === 'location' ? readChanges(values.get('k')) : [],
    ...(packages === '' ? {} : { packages: packages.split(' ') }),
    ...(source === 'watchers' ? { watching: readWatcherChange(values.get('k') ?? '') } : {}),
    ...(trace === '' ? {} : { trace }),
  };
}

/** Id, package, watcher, status before and after (empty for none), event: a line each. */
export function printWatcherChange({ id, package: name, watcher, from, to, event }: WatcherChange): string {
  return [id, name, watcher, from ?? '', to ?? '', event].join('\n');
}

function readWatcherChange(text: string): WatcherChange {
  const [id = '', name = '', watcher = '', from = '', to = '', event = ''] = text.split('\n');
  return {
    id: id as SubscriptionId,
    package: name,
    watcher,
    from: readStatus(from),
    to: readStatus(to),
    event: event as WatcherEvent,
  };
}

const readStatus = (text: string): WatcherStatus | undefined =>
  text === 'active' || text === 'pending' ? text : undefined;

/** `k` is JSON that our own commits have written: [kind, binding id, Contact] for each change. */
function readChanges(text: string | undefined): readonly ResourceChange[] {
  if (text === undefined || text === '') return [];
  const changes = JSON.parse(text) as readonly (readonly [string, string, string])[];
  return changes.map(([kind, bindingId, contact]) => ({
    kind: kind as ChangeKind,
    bindingId: bindingId as BindingId,
    contact,
  }));
}
