import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import { readXml } from '../xml/read.ts';
import type { XmlElement } from '../xml/read.ts';
import { writeElement } from '../xml/write.ts';
import type { XmlScope } from '../xml/write.ts';

/* Published dialog information (RFC 4235 §4), taken apart into dialogs, each written anew. */

/** RFC 4235 §4. */
export const DIALOG_NAMESPACE = 'urn:ietf:params:xml:ns:dialog-info';
const SCOPE: XmlScope = { space: DIALOG_NAMESPACE, prefixes: new Map() };
/** Most dialogs of one publication; a phone has a few lines. */
const MAX_DIALOGS = 64;

/** RFC 4235 §3.7.1, figure 3, in the order in which a dialog goes through them. */
export const DIALOG_STATES = ['trying', 'proceeding', 'early', 'confirmed', 'terminated'] as const;
export type DialogState = (typeof DIALOG_STATES)[number];
const EVENTS: ReadonlySet<string> = new Set([
  'cancelled',
  'rejected',
  'replaced',
  'local-bye',
  'remote-bye',
  'error',
  'timeout',
]);

/** One dialog (RFC 4235 §4.1.1). Every text is octets without line breaks and tabs, empty for none. */
export interface DialogPart {
  readonly id: string;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly direction: string;
  readonly state: DialogState;
  /** Attributes of the state element: what ended the dialog. */
  readonly event: string;
  readonly code: string;
  /** The other children, without session descriptions (§4.1.6.3: only for who asked) and durations, which are old when they are read. */
  readonly xml: string;
}

export interface DialogDocument {
  /** False: only the dialogs that changed (§4.1). */
  readonly full: boolean;
  readonly dialogs: readonly DialogPart[];
}

/** Reads a published document. */
export function readDialogInfo(body: string): Result<DialogDocument, string> {
  const document = readXml(body);
  if (!document.ok) return err(`${document.error.detail} at ${document.error.at}`);
  const root = document.value;
  if (!isDialog(root, 'dialog-info')) return err('the root is no dialog-info element');
  const dialogs: DialogPart[] = [];
  const ids = new Set<string>();
  for (const child of root.children) {
    if (!isDialog(child, 'dialog')) continue;
    const dialog = readDialog(child);
    if (!dialog.ok) return dialog;
    if (ids.has(dialog.value.id)) return err('two dialogs of one id');
    if (ids.add(dialog.value.id).size > MAX_DIALOGS) return err('too many dialogs');
    dialogs.push(dialog.value);
  }
  return ok({ full: root.attributes.get('state') !== 'partial', dialogs });
}

function readDialog(dialog: XmlElement): Result<DialogPart, string> {
  const id = plain(dialog.attributes.get('id'));
  if (id === '') return err('dialog without id');
  const element = dialog.children.find((child) => isDialog(child, 'state'));
  const state = DIALOG_STATES.find((each) => each === element?.text.trim());
  if (state === undefined) return err('dialog without a state');
  const direction = plain(dialog.attributes.get('direction'));
  const event = plain(element?.attributes.get('event'));
  const code = plain(element?.attributes.get('code'));
  return ok({
    id,
    callId: plain(dialog.attributes.get('call-id')),
    localTag: plain(dialog.attributes.get('local-tag')),
    remoteTag: plain(dialog.attributes.get('remote-tag')),
    direction: direction === 'initiator' || direction === 'recipient' ? direction : '',
    state,
    event: EVENTS.has(event) ? event : '',
    code: /^[1-6][0-9][0-9]$/.test(code) ? code : '',
    xml: writeChildren(dialog),
  });
}

const PARTICIPANTS: ReadonlySet<string> = new Set(['local', 'remote']);
const LEFT_OUT: ReadonlySet<string> = new Set(['state', 'duration', 'session-description']);

function writeChildren(dialog: XmlElement): string {
  return kept(dialog)
    .map((child) => (child.children.length === 0 ? child : pruned(child)))
    .filter((child) => !PARTICIPANTS.has(child.name) || child.children.length > 0)
    .map((child) => writeElement(child, SCOPE))
    .join('');
}

const kept = (element: XmlElement): readonly XmlElement[] =>
  element.children.filter((child) => child.space !== DIALOG_NAMESPACE || !LEFT_OUT.has(child.name));

/** A participant without its session description. */
function pruned(element: XmlElement): XmlElement {
  const children = kept(element);
  return { ...element, children, content: children };
}

const isDialog = (element: XmlElement, name: string): boolean =>
  element.name === name && element.space === DIALOG_NAMESPACE;
const plain = (text: string | undefined): string => (text ?? '').replace(/[\t\r\n]/g, ' ').trim();

const FULL = 'full';
const PARTIAL = 'partial';

/** Dialogs as a publication stores them: `full` or `partial`, then a line each, columns with tabs between them. */
export function packDialogs({ full, dialogs }: DialogDocument): string {
  let packed = full ? FULL : PARTIAL;
  for (const { id, callId, localTag, remoteTag, direction, state, event, code, xml } of dialogs) {
    packed += `\n${[id, callId, localTag, remoteTag, direction, state, event, code, xml].join('\t')}`;
  }
  return packed;
}

/** The dialogs of a stored publication; lines that this code did not write are left out. */
export function unpackDialogs(packed: string): DialogDocument {
  const [kind, ...lines] = packed.split('\n');
  const dialogs = lines.flatMap((line): DialogPart[] => {
    const [
      id,
      callId = '',
      localTag = '',
      remoteTag = '',
      direction = '',
      stored,
      event = '',
      code = '',
      xml = '',
    ] = line.split('\t');
    const state = DIALOG_STATES.find((each) => each === stored);
    if (id === undefined || state === undefined) return [];
    return [{ id, callId, localTag, remoteTag, direction, state, event, code, xml }];
  });
  return { full: kind !== PARTIAL, dialogs };
}

/**
 * A publication after another of the same publisher: a partial document changes the dialogs that it names (§4.3). Neither kind
 * takes a dialog back to where it has been: what a reordering publisher says late is no news (§3.7.1, figure 3).
 */
export function updateDialogs(before: string, fresh: string): string {
  const known = new Map(unpackDialogs(before).dialogs.map((dialog) => [dialog.id, dialog]));
  const { full, dialogs } = unpackDialogs(fresh);
  const next = new Map<string, DialogPart>(full ? [] : known);
  for (const dialog of dialogs) {
    const old = known.get(dialog.id);
    next.set(dialog.id, old !== undefined && sameDialog(old, dialog) && isBehind(dialog, old) ? old : dialog);
  }
  const kept = [...next.values()];
  return packDialogs({ full: true, dialogs: kept.slice(Math.max(0, kept.length - MAX_DIALOGS)) });
}

/** True when `one` is an earlier state than `other`. */
export const isBehind = (one: DialogPart, other: DialogPart): boolean =>
  DIALOG_STATES.indexOf(one.state) < DIALOG_STATES.indexOf(other.state);

/** False when the publisher has taken the id for another call. */
const sameDialog = (old: DialogPart, fresh: DialogPart): boolean =>
  old.callId === fresh.callId &&
  (old.localTag === fresh.localTag || old.localTag === '' || fresh.localTag === '');
