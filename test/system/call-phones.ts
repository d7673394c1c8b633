import { respond, type SipRequest, type SipResponse } from '@rollcall/sip';
import { eventually, token, type Phone } from '@rollcall/testkit';

/** What a phone was asked on a call, and how it was answered. */
export interface IncomingCall {
  readonly invite: SipRequest;
  cancelled: boolean;
  acknowledged: boolean;
  answered: number;
}

/** The Route lines of a route set. */
const routeLines = (routes: readonly string[]): string[] => routes.map((value) => `Route: ${value}`);
const uriOf = (nameAddr: string | undefined): string => /<([^>]+)>/.exec(nameAddr ?? '')?.[1] ?? '';

/** A phone that is called: it answers when the test says so. CANCEL, BYE and all else are answered at once. */
export class Callee {
  readonly calls: IncomingCall[] = [];
  readonly requests: SipRequest[] = [];
  /** OPTIONS, which edges send at any time. */
  readonly pings: SipRequest[] = [];
  /** What an INVITE gets at once; 0 for nothing. */
  ring = 180;

  constructor(readonly phone: Phone) {
    phone.answer = (request) => this.#take(request);
  }

  /** The call that came last, when it has come. */
  async call(count = 1): Promise<IncomingCall> {
    await eventually(
      `call ${String(count)} at ${this.phone.hostPort}`,
      () => this.calls.length >= count,
      15_000,
    );
    return this.calls[count - 1] as IncomingCall;
  }

  /** Answers a call as a phone does: with the recorded route and a Contact of its own. */
  answer(call: IncomingCall, status: number): void {
    call.answered = status;
    this.phone.send(this.#response(call.invite, status));
  }

  /** A request of the callee inside the dialog that `call` has made (RFC 3261 §12.1.1). */
  inDialog(call: IncomingCall, method: string): string {
    const { invite } = call;
    return this.phone.build(method, {
      uri: uriOf(invite.header('contact')),
      from: `${invite.header('to') ?? ''};tag=${this.phone.tag}`,
      to: invite.header('from') ?? '',
      callId: invite.header('call-id') ?? '',
      headers: routeLines(invite.headers('record-route')),
      auth: false,
    });
  }

  #take(request: SipRequest): string | undefined {
    const callId = request.header('call-id');
    const call = this.calls.find(({ invite }) => invite.header('call-id') === callId);
    switch (request.method) {
      case 'INVITE':
        if (call !== undefined) return undefined;
        this.calls.push({ invite: request, cancelled: false, acknowledged: false, answered: 0 });
        return this.ring === 0 ? undefined : this.#response(request, this.ring);
      case 'ACK':
        if (call !== undefined) call.acknowledged = true;
        return undefined;
      case 'CANCEL':
        if (call?.cancelled === false && call.answered < 200) {
          call.cancelled = true;
          this.answer(call, 487);
        }
        return respond(request, 200, { toTag: this.phone.tag });
      default:
        (request.method === 'OPTIONS' ? this.pings : this.requests).push(request);
        return this.#response(request, 200);
    }
  }

  #response(request: SipRequest, status: number): string {
    const recorded = request.headers('record-route').map((value) => `Record-Route: ${value}\r\n`);
    const contact = `Contact: <${this.phone.contact}>\r\n`;
    const tagged = /;\s*tag=/.test(request.header('to') ?? '');
    return respond(request, status, {
      ...(tagged ? undefined : { toTag: this.phone.tag }),
      headers: recorded.join('') + contact,
    });
  }
}

/** A call that a phone makes. */
export class OutgoingCall {
  readonly callId = token();
  readonly from: string;
  invite = '';
  final: SipResponse | undefined;

  constructor(
    readonly phone: Phone,
    readonly uri: string,
    private readonly headers: readonly string[] = [],
  ) {
    this.from = `<${phone.aor}>;tag=${token()}`;
  }

  /** Sends the INVITE, with credentials; resolves with the first final answer. */
  async start(): Promise<SipResponse> {
    const { phone } = this;
    phone.forget();
    const build = (): string => phone.build('INVITE', this.#parts());
    const first = await phone.transact(build());
    if (first.status !== 407) return (this.final = first);
    phone.learn(first);
    this.invite = build();
    this.final = await this.#transact(this.invite, 'INVITE');
    if (this.final.status >= 300) this.#acknowledgeRefusal(this.final);
    return this.final;
  }

  /** RFC 3261 §9.1 */
  cancel(): Promise<SipResponse> {
    return this.#transact(this.#sameHop('CANCEL', undefined), 'CANCEL');
  }

  /** A CANCEL has the branch of its INVITE: the method in CSeq tells their answers apart (RFC 3261 §17.1.3). */
  async #transact(raw: string, method: 'INVITE' | 'CANCEL'): Promise<SipResponse> {
    const again = setInterval(() => {
      if (this.phone.wire.transport === 'udp' && this.provisionals().length === 0) this.phone.send(raw);
    }, 1_000);
    this.phone.send(raw);
    try {
      const answer = await this.phone.expect(
        (one) =>
          one.kind === 'response' &&
          one.status >= 200 &&
          one.header('call-id') === this.callId &&
          one.header('cseq')?.endsWith(method) === true,
        `final answer to ${method}`,
        40_000,
      );
      if (answer.kind !== 'response') throw new Error('unreachable');
      return answer;
    } finally {
      clearInterval(again);
    }
  }

  /** A request in the dialog of a 200 (RFC 3261 §12.2.1.1). */
  inDialog(method: string, ok: SipResponse, cseq?: number): string {
    return this.phone.build(method, {
      uri: uriOf(ok.header('contact')),
      from: this.from,
      to: ok.header('to') ?? '',
      callId: this.callId,
      headers: routeLines([...ok.headers('record-route')].reverse()),
      auth: false,
      ...(cseq === undefined ? undefined : { cseq }),
    });
  }

  /** Acknowledges a 200 and ends the call. */
  acknowledge(ok: SipResponse): void {
    const cseq = /^CSeq: (\d+)/m.exec(this.invite)?.[1];
    this.phone.send(this.inDialog('ACK', ok, Number(cseq)));
  }

  hangUp(ok: SipResponse): Promise<SipResponse> {
    return this.phone.transact(this.inDialog('BYE', ok));
  }

  /** Provisional answers that came so far, without 100. */
  provisionals(): number[] {
    return this.phone.inbox.flatMap((one) =>
      one.kind === 'response' && one.status > 100 && one.status < 200 && one.header('call-id') === this.callId
        ? [one.status]
        : [],
    );
  }

  #parts() {
    const { callId, from, uri, phone } = this;
    return { uri, to: `<${uri}>`, from, callId, headers: [`Contact: <${phone.contact}>`, ...this.headers] };
  }

  #acknowledgeRefusal(refusal: SipResponse): void {
    this.phone.send(this.#sameHop('ACK', refusal.header('to')));
  }

  #sameHop(method: string, to: string | undefined): string {
    const line = (name: string): string => new RegExp(`^${name}: [^\\r]*`, 'm').exec(this.invite)?.[0] ?? '';
    const cseq = /^CSeq: (\d+)/m.exec(this.invite)?.[1] ?? '1';
    return (
      `${method} ${this.uri} SIP/2.0\r\n${line('Via')}\r\nMax-Forwards: 70\r\n${line('From')}\r\n` +
      `${to === undefined ? line('To') : `To: ${to}`}\r\n${line('Call-ID')}\r\nCSeq: ${cseq} ${method}\r\nContent-Length: 0\r\n\r\n`
    );
  }
}
