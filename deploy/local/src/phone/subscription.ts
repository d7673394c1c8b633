import type { SipRequest, SipResponse } from '@rollcall/sip';
import { token, type Phone, type RequestParts } from './phone.ts';

export interface SubscribeOptions {
  /** Event header value: `reg`, `presence`, `message-summary`. */
  readonly event: string;
  /** The resource; the phone's own AoR unless told otherwise. */
  readonly resource?: string;
  readonly expires?: number;
  readonly accept?: string;
  readonly headers?: readonly string[];
}

/** A subscriber's dialog (RFC 6665 §4.1): what the next SUBSCRIBE in it must say. */
export class Subscription {
  readonly callId = token();
  readonly fromTag = token();
  toTag: string | undefined;
  /** The last answer to a SUBSCRIBE of this dialog. */
  answer: SipResponse | undefined;
  #target: string | undefined;
  #routes: readonly string[] = [];
  #cseq = 0;

  constructor(
    readonly phone: Phone,
    readonly options: SubscribeOptions,
  ) {}

  /** Sends SUBSCRIBE: the first makes the dialog, the next ones refresh it; 0 ends it. `more` is for this one only. */
  async send(
    expires = this.options.expires ?? 3600,
    via: Phone = this.phone,
    more: Pick<RequestParts, 'headers' | 'body'> = {},
  ): Promise<SipResponse> {
    const resource = this.options.resource ?? this.phone.aor;
    const { event, accept } = this.options;
    const parts = {
      uri: this.#target ?? resource,
      from: `<${this.phone.aor}>;tag=${this.fromTag}`,
      to: `<${resource}>${this.toTag === undefined ? '' : `;tag=${this.toTag}`}`,
      callId: this.callId,
      cseq: ++this.#cseq,
      headers: [
        ...this.#routes.map((route) => `Route: ${route}`),
        `Event: ${event}`,
        `Expires: ${expires}`,
        `Contact: <${this.phone.contact}>`,
        ...(accept === undefined ? [] : [`Accept: ${accept}`]),
        ...(this.options.headers ?? []),
        ...(more.headers ?? []),
      ],
      ...(more.body === undefined ? {} : { body: more.body }),
    };
    const answer = await via.request('SUBSCRIBE', parts);
    const answered = answer.cseq();
    if (answered.ok) this.#cseq = answered.value.seq;
    this.answer = answer;
    if (answer.status >= 200 && answer.status < 300) this.#learn(answer);
    return answer;
  }

  #learn(answer: SipResponse): void {
    const to = answer.to();
    if (to.ok) this.toTag ??= to.value.tag;
    const contacts = answer.contacts();
    const first = contacts.ok && contacts.value.kind === 'list' ? contacts.value.contacts[0] : undefined;
    if (first !== undefined) this.#target = first.uriText;
    // RFC 3261 §12.1.2: the route set is the Record-Route of the answer in reverse.
    if (this.#routes.length === 0) this.#routes = [...answer.headers('record-route')].reverse();
  }

  /** NOTIFYs of this dialog so far. */
  get notifies(): SipRequest[] {
    return this.phone.notifies.filter((notify) => notify.header('call-id') === this.callId);
  }

  /** Waits for the next NOTIFY of this dialog that was not waited for yet. */
  async nextNotify(timeoutMs?: number): Promise<SipRequest> {
    const message = await this.phone.expect(
      (one) => one.kind === 'request' && one.method === 'NOTIFY' && one.header('call-id') === this.callId,
      `NOTIFY of ${this.options.event}`,
      timeoutMs,
    );
    if (message.kind !== 'request') throw new Error('unreachable');
    return message;
  }
}
