/** States of a dialog that watchers are told of (RFC 4235 §3.7.1). */
export type DialogState = 'trying' | 'early' | 'confirmed' | 'terminated';

/** One side of a call as RFC 4235 sees it: its own end is `local`. */
export interface DialogSide {
  /** Whose dialog this is, a URI. */
  readonly entity: string;
  /** Names the dialog within the entity. */
  readonly id: string;
  readonly callId: string;
  readonly localTag: string | undefined;
  readonly remoteTag: string | undefined;
  readonly direction: 'initiator' | 'recipient';
  readonly remote: { readonly uri: string; readonly display: string | undefined };
  readonly state: DialogState;
}

/** An `application/dialog-info+xml` document with one dialog (RFC 4235 §4); octets. */
export function printDialogInfo(side: DialogSide): string {
  const { entity, id, callId, localTag, remoteTag, direction, remote, state } = side;
  const tag = (name: string, value: string | undefined): string =>
    value === undefined ? '' : ` ${name}="${escapeXml(value)}"`;
  return (
    '<?xml version="1.0"?>\n' +
    `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="${escapeXml(entity)}">` +
    `<dialog id="${escapeXml(id)}"${tag('call-id', callId)}${tag('local-tag', localTag)}${tag('remote-tag', remoteTag)} direction="${direction}">` +
    `<state>${state}</state>` +
    `<local><identity>${escapeXml(entity)}</identity></local>` +
    `<remote><identity${tag('display', remote.display)}>${escapeXml(remote.uri)}</identity></remote>` +
    '</dialog></dialog-info>'
  );
}

/** XML 1.0 §2.2: characters that no document may hold, not even as a reference. */
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g;
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeXml = (text: string): string =>
  text.replace(NOT_XML, '').replace(/[&<>"]/g, (char) => ESCAPES[char] ?? '');
