import { BoundedMap } from '@rollcall/kernel';
import { edit } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';

/**
 * A dialog that the server has with one phone, and what the phone would know if our messages had reached it as they are. The server
 * puts its own Contact, Route and Record-Route into everything, so a request that comes in the dialog is put back to what the
 * edge's core would have got from the phone (RFC 3261 §12.2.1.1).
 */
export interface Leg {
  readonly dialogId: string;
  /** As the core knows it, and as it is on the wire: the two legs of a call must differ for the server. */
  readonly callId: string;
  readonly wireCallId: string;
  /** Tags seen from the server: `local` is in To of what the phone sends. */
  readonly localTag: string;
  readonly remoteTag: string;
  /** Request-URI and Route values of what the phone would send. */
  readonly target: string;
  readonly routes: readonly string[];
}

/** Most dialogs that are known; the oldest go first. */
export const MAX_LEGS = 100_000;

/** Dialogs by the server's id, and by what the core's requests in them say. */
export class Legs {
  readonly #byDialog = new BoundedMap<string, Leg>(MAX_LEGS);
  readonly #byTags = new BoundedMap<string, Leg>(MAX_LEGS);

  get size(): number {
    return this.#byDialog.size;
  }

  add(leg: Leg): void {
    this.#byDialog.set(leg.dialogId, leg);
    this.#byTags.set(tagsKey(leg.callId, leg.localTag, leg.remoteTag), leg);
  }

  /** The leg that a request from the phone came in. */
  of(dialogId: string): Leg | undefined {
    return this.#byDialog.peek(dialogId);
  }

  /** The leg that a request of the core goes out in: its From is our side, its To the phone's. */
  for(message: SipRequest | SipResponse): Leg | undefined {
    const [callId, from, to] = identity(message);
    return to === '' ? undefined : this.#byTags.peek(tagsKey(callId, from, to));
  }

  /** The leg behind an answer of the core to a request that came from elsewhere: there the tags stand the other way round. */
  answered(response: SipResponse): Leg | undefined {
    const [callId, from, to] = identity(response);
    return this.#byTags.peek(tagsKey(callId, from, to));
  }

  remove(leg: Leg): void {
    this.#byDialog.delete(leg.dialogId);
    this.#byTags.delete(tagsKey(leg.callId, leg.localTag, leg.remoteTag));
  }

  clear(): void {
    this.#byDialog.clear();
    this.#byTags.clear();
  }
}

const tagsKey = (callId: string, local: string, remote: string): string => `${callId}\n${local}\n${remote}`;

/** The dialog with a phone that was called: what it sends goes to the caller's Contact, through our Record-Route in its order. */
export function calledLeg(
  request: SipRequest,
  response: SipResponse,
  dialogId: string,
  wireCallId: string,
): Leg {
  const [callId, localTag, remoteTag] = identity(response);
  const target = contactUri(request) ?? request.requestUri;
  return { dialogId, callId, wireCallId, localTag, remoteTag, target, routes: recordRoutes(request) };
}

/** The dialog with a phone that calls: what it sends goes to the Contact of the answer, through its Record-Route reversed. */
export function callerLeg(request: SipRequest, response: SipResponse, dialogId: string): Leg {
  const [callId, remoteTag, localTag] = identity(response);
  const target = contactUri(response) ?? request.requestUri;
  const routes = recordRoutes(response).reverse();
  return { dialogId, callId, wireCallId: callId, localTag, remoteTag, target, routes };
}

/** Call-ID, From-tag and To-tag. */
export function identity(message: SipRequest | SipResponse): readonly [string, string, string] {
  const callId = message.callId();
  const from = message.from();
  const to = message.to();
  return [
    callId.ok ? callId.value : '',
    (from.ok ? from.value.tag : undefined) ?? '',
    (to.ok ? to.value.tag : undefined) ?? '',
  ];
}

/** The URI of the only Contact of a message that makes a dialog. */
export function contactUri(message: SipRequest | SipResponse): string | undefined {
  const contacts = message.contacts();
  return contacts.ok && contacts.value.kind === 'list' ? contacts.value.contacts[0]?.uriText : undefined;
}

/** The Record-Route values of a message, each by itself, from the top. */
export function recordRoutes(message: SipRequest | SipResponse): string[] {
  const routes = message.recordRoutes();
  return routes.ok ? routes.value.map((one) => one.text) : [];
}

/** A request that came in a dialog of the server, as the phone would have sent it through our own Record-Route. */
export function fromLeg(request: SipRequest, leg: Leg): string {
  const routes = leg.routes.map((route) => `Route: ${route}\r\n`).join('');
  return edit(request, {
    requestUri: leg.target,
    remove: ['route', 'call-id'],
    prepend: `${routes}Call-ID: ${leg.callId}\r\n`,
  });
}
