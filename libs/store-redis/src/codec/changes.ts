import type { Aor, BindingChange, BindingId, ChangeKind } from '@rollcall/location';
import { printContact, readContact } from './binding-text.ts';
import { printText, readText } from './fields.ts';

/*
 * The changes of one commit as one field of a stream entry: AoR, actor, then kind + binding id and Contact of each, all lines.
 * The actor is `=` when it is the AoR itself, empty when there is none.
 */

const LETTERS: Readonly<Record<ChangeKind, string>> = {
  registered: 'r',
  refreshed: 'f',
  shortened: 's',
  expired: 'e',
  unregistered: 'u',
  deactivated: 'd',
  rejected: 'j',
};
const KINDS = new Map(Object.entries(LETTERS).map(([kind, letter]) => [letter, kind as ChangeKind]));

export interface PackedChange {
  readonly kind: ChangeKind;
  readonly bindingId: BindingId;
  readonly contact: string;
}
export interface PackedChanges {
  readonly aor: Aor;
  readonly actor: string | undefined;
  readonly changes: readonly PackedChange[];
}

export function printChanges(aor: Aor, actor: string | undefined, changes: readonly BindingChange[]): string {
  let text = printText(aor) + (actor === aor ? '\n=' : actor === undefined ? '\n' : `\n.${printText(actor)}`);
  for (const { kind, binding } of changes) {
    text += `\n${LETTERS[kind]}${printText(binding.id)}\n${printContact(binding.contact, aor)}`;
  }
  return text;
}

/** Undefined when the text is not ours. */
export function readChanges(text: string): PackedChanges | undefined {
  const lines = text.split('\n');
  const aor = readText(lines[0] ?? '') as Aor;
  const actor = lines[1] ?? '';
  const changes: PackedChange[] = [];
  for (let at = 2; at + 1 < lines.length; at += 2) {
    const line = lines[at] ?? '';
    const kind = KINDS.get(line.charAt(0));
    if (kind === undefined) return undefined;
    const bindingId = readText(line.slice(1)) as BindingId;
    changes.push({ kind, bindingId, contact: readContact(lines[at + 1] ?? '', aor) });
  }
  return { aor, actor: actor === '=' ? aor : actor === '' ? undefined : readText(actor.slice(1)), changes };
}

/** What presence reads of a commit: JSON of [kind, binding id, Contact] for each change. */
export function changesForPresence(changes: readonly BindingChange[]): string {
  let text = '';
  for (const { kind, binding } of changes) {
    text += `${text === '' ? '[' : ','}["${kind}",${JSON.stringify(binding.id)},${JSON.stringify(binding.contact)}]`;
  }
  return text === '' ? '[]' : `${text}]`;
}
