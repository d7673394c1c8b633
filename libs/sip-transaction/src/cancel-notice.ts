import type { OnCancel } from './front.ts';

const NOBODY = (): void => undefined;

/**
 * Brings a CANCEL to who wants to know of it, whichever is there first: its user may still be looking somebody up. Tells once; a
 * CANCEL that comes again says nothing new (RFC 3261 §9.2).
 */
export class CancelNotice {
  #act: OnCancel | undefined;
  /** Reason of a CANCEL of which nobody has been told yet. */
  #reason: string | undefined;

  get listener(): OnCancel {
    return this.#act ?? NOBODY;
  }

  set listener(act: OnCancel) {
    this.#act = act;
    if (this.#reason !== undefined) this.arrived(this.#reason);
  }

  arrived(reason: string): void {
    const act = this.#act;
    this.#act = undefined;
    this.#reason = act === undefined ? reason : undefined;
    act?.(reason);
  }

  /** A final answer has gone out: nobody wants to know any more. */
  letGo(): void {
    this.#act = undefined;
  }
}
