import type { SipRequest } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';
import type { App } from './drachtio-apps.ts';
import { tagOf } from './drachtio-text.ts';

/** A dialog that the server has with a phone. */
export interface Dialog {
  /** Call-ID and the caller's tag. */
  readonly id: string;
  readonly app: App;
  readonly callId: string;
  /** Header values: ours and the phone's, with tags. */
  readonly local: string;
  readonly remote: string;
  readonly target: string;
  readonly flow: Flow;
  cseq: number;
  /** INVITE of the phone: the transaction whose ACK comes with its id. */
  readonly transactionId: string;
  /** CSeq of the INVITE of ours that its ACK must have. */
  inviteCseq: number;
}

/** The dialogs of the server. */
export class Dialogs {
  readonly #byId = new Map<string, Dialog>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Dialog | undefined {
    return this.#byId.get(id);
  }

  /** The dialog that a request of a phone is inside. */
  of(request: SipRequest): Dialog | undefined {
    const to = request.to();
    const from = request.from();
    const callId = request.callId();
    if (!to.ok || !from.ok || !callId.ok || to.value.tag === undefined) return undefined;
    const toTag = to.value.tag;
    const fromTag = from.value.tag ?? '';
    return [...this.#byId.values()].find(
      (one) => one.callId === callId.value && tagOf(one.local) === toTag && tagOf(one.remote) === fromTag,
    );
  }

  withCallId(callId: string | undefined): Dialog | undefined {
    return [...this.#byId.values()].find((one) => one.callId === callId);
  }

  /** Adds one whose caller's From is `caller`; gives its id. */
  add(caller: string, dialog: Omit<Dialog, 'id'>): string {
    const id = `${dialog.callId};from-tag=${tagOf(caller)}`;
    this.#byId.set(id, { ...dialog, id });
    return id;
  }

  remove(dialog: Dialog): void {
    this.#byId.delete(dialog.id);
  }

  clear(): void {
    this.#byId.clear();
  }
}
