import type { DirtyEntry, ResourceChange, ShardWork, StateSource, SubscriptionId } from '@rollcall/events';
import type { Aor, BindingId, ChangeKind } from '@rollcall/location';
import { listOf, textOf } from '../call.ts';
import type { Reply } from '../call.ts';

/** Stands before an AoR among the members of a due-set whose publications are due. */
export const PUBLICATION_MARK = 'p:';

const SOURCES: ReadonlyMap<string, StateSource> = new Map([
  ['reg', 'location'],
  ['message-summary', 'mailbox'],
  ['presence', 'publications'],
]);

/** Reads the reply of take-work.lua. Entries that this code cannot read are left out. */
export function readWork(reply: Reply): ShardWork {
  const [fresh, left, members] = listOf(reply);
  const dirty: DirtyEntry[] = [];
  for (const raw of [...listOf(left), ...listOf(fresh)]) {
    const entry = readEntry(raw);
    if (entry !== undefined) dirty.push(entry);
  }
  const due: SubscriptionId[] = [];
  const lapsed: Aor[] = [];
  for (const raw of listOf(members)) {
    const member = textOf(raw);
    if (member.startsWith(PUBLICATION_MARK)) lapsed.push(member.slice(PUBLICATION_MARK.length) as Aor);
    else due.push(member as SubscriptionId);
  }
  return { dirty, due, lapsed };
}

function readEntry(raw: Reply): DirtyEntry | undefined {
  const [id, fields] = listOf(raw);
  const values = new Map<string, string>();
  const flat = listOf(fields);
  for (let i = 0; i + 1 < flat.length; i += 2) values.set(textOf(flat[i]), textOf(flat[i + 1]));
  const source = SOURCES.get(values.get('p') ?? '');
  const resource = values.get('r');
  if (source === undefined || resource === undefined) return undefined;
  const entry = {
    cursor: textOf(id),
    resource: resource as Aor,
    source,
    changes: readChanges(values.get('k')),
  };
  const trace = values.get('t') ?? '';
  return trace === '' ? entry : { ...entry, trace };
}

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
