import { ok } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import { fingerprintOf } from '../fingerprint.ts';
import type { ResourceState } from '../model.ts';
import { XML_DECLARATION, escapeXml } from '../xml/write.ts';
import {
  DIALOG_NAMESPACE,
  isBehind,
  packDialogs,
  readDialogInfo,
  unpackDialogs,
  updateDialogs,
} from './dialog-info.ts';
import type { DialogPart } from './dialog-info.ts';
import type { DocumentRequest, EventPackage, StateView } from './package.ts';

/** RFC 4235 §3.4: an hour for who watches all dialogs of a user. */
const DEFAULT_EXPIRES = 3600;

export const DIALOG_INFO = 'application/dialog-info+xml';

/** RFC 4235: the calls of a user, from what phones and the edge publish; what busy-lamp fields show. */
export const dialog: EventPackage = {
  name: 'dialog',
  rfc: 'RFC 4235',
  types: [DIALOG_INFO],
  defaultExpires: DEFAULT_EXPIRES,
  sources: ['publications'],
  unmovedBy: new Set(),
  audience: 'anybody',
  publication: {
    types: [DIALOG_INFO],
    read: (body) => {
      const document = readDialogInfo(body);
      return document.ok ? ok(packDialogs(document.value)) : document;
    },
    update: updateDialogs,
  },
  view: (state, now) => new DialogView(state, now),
};

/** Dialogs that a fingerprint names, so that their end can be told; a phone has a few lines. */
const MAX_TOLD = 8;
/** Ids that can stand in a fingerprint, which is kept in the subscription's record. */
const TELLABLE = /^[A-Za-z0-9._@+-]{1,64}$/;
/** The one dialog of a document without any: many phones take an empty one for no news. */
const NO_DIALOG = 'none';

class DialogView implements StateView {
  readonly fingerprint: string;
  readonly #resource: string;
  readonly #dialogs: readonly DialogPart[];
  readonly #xml: string;

  constructor(state: ResourceState, now: EpochMs) {
    this.#resource = state.resource;
    this.#dialogs = composeDialogs(state, now);
    this.#xml = this.#dialogs.map((each) => writeDialog(each, state.resource)).join('');
    const going = this.#dialogs.filter(({ state: at, id }) => at !== 'terminated' && TELLABLE.test(id));
    const told = going.slice(0, MAX_TOLD).map(({ id }) => `~${id}`);
    this.fingerprint = fingerprintOf(this.#xml) + told.join('');
  }

  /**
   * Always the full state: phones of all makers read that. A dialog that was told and has gone since is told once more, as
   * terminated, for those that look at one dialog only (§4.3 lets them forget it then).
   */
  write({ version, news }: DocumentRequest): string {
    const gone = (news?.after.split('~').slice(1) ?? []).filter((id) =>
      this.#dialogs.every((each) => each.id !== id),
    );
    const dialogs = this.#xml + gone.map(writeTerminated).join('');
    return (
      `${XML_DECLARATION}<dialog-info xmlns="${DIALOG_NAMESPACE}" version="${version}" state="full"` +
      ` entity="${escapeXml(this.#resource)}">\r\n${dialogs === '' ? writeTerminated(NO_DIALOG) : dialogs}</dialog-info>\r\n`
    );
  }
}

/**
 * The dialogs of all publishers. The same dialog told by two of them, a phone and the edge that its calls go through, is one,
 * in the later of its two states: what has ended for one has ended.
 */
function composeDialogs(state: ResourceState, now: EpochMs): readonly DialogPart[] {
  const composed = new Map<string, DialogPart>();
  const ids = new Set<string>();
  for (const publication of state.publications?.publications ?? []) {
    if (publication.package !== dialog.name || publication.expiresAt <= now) continue;
    for (const part of unpackDialogs(publication.body).dialogs) {
      const key = keyOf(part) ?? `\n${composed.size}`;
      const known = composed.get(key);
      if (known === undefined) composed.set(key, { ...part, id: unused(part.id, ids) });
      else if (isBehind(known, part)) composed.set(key, { ...part, id: known.id });
    }
  }
  return [...composed.values()];
}

/** RFC 3261 §12: Call-ID and both tags; undefined while one of them is not known. */
const keyOf = ({ callId, localTag, remoteTag }: DialogPart): string | undefined =>
  callId === '' || localTag === '' || remoteTag === '' ? undefined : `${callId}\t${localTag}\t${remoteTag}`;

function unused(wanted: string, used: Set<string>): string {
  let id = wanted;
  for (let n = 2; used.has(id); n += 1) id = `${wanted}.${n}`;
  used.add(id);
  return id;
}

function writeDialog(part: DialogPart, resource: string): string {
  const { id, callId, localTag, remoteTag, direction, state, event, code, xml } = part;
  const attributes =
    attribute('call-id', callId) + attribute('local-tag', localTag) + attribute('remote-tag', remoteTag);
  return (
    `<dialog id="${escapeXml(id)}"${attributes}${attribute('direction', direction)}>` +
    `<state${attribute('event', event)}${attribute('code', code)}>${state}</state>` +
    `${LOCAL.test(xml) ? '' : writeLocal(resource)}${xml}</dialog>\r\n`
  );
}

const LOCAL = /<local[ >]/;

/** Polycom shows nothing of a dialog whose own side is not named. */
function writeLocal(resource: string): string {
  const uri = escapeXml(resource);
  return `<local><identity>${uri}</identity><target uri="${uri}"/></local>`;
}

const attribute = (name: string, value: string): string =>
  value === '' ? '' : ` ${name}="${escapeXml(value)}"`;

const writeTerminated = (id: string): string =>
  `<dialog id="${escapeXml(id)}"><state>terminated</state></dialog>\r\n`;
