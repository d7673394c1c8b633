import { parseMessage, respond } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { createInnerLink, createInnerServer, staticReplicas } from '@rollcall/sip-net';
import type { InnerLink, InnerServer } from '@rollcall/sip-net';
import { recordRoute } from './world.ts';

export interface Received {
  readonly request: SipRequest;
  readonly at: number;
  reply(status: number): void;
}

/** The edge as presence sees it: asks over the inner link, takes NOTIFYs on its inner listener. */
export class FakeEdge {
  readonly notifies: Received[] = [];
  /** Status of the answers to NOTIFYs; undefined: the test answers. */
  answers: number | undefined = 200;
  #server: InnerServer | undefined;
  #serial = 0;
  readonly #link: InnerLink = createInnerLink({
    replicas: staticReplicas([]),
    timeoutMs: 5_000,
    maxPending: 1_000,
  });

  get inner(): string {
    return `127.0.0.1:${this.#server?.port ?? 0}`;
  }

  async start(): Promise<void> {
    this.#server = await createInnerServer({
      host: '127.0.0.1',
      port: 0,
      onRequest: (request, reply) => {
        const received = {
          request,
          at: Date.now(),
          reply: (status: number) => reply(respond(request, status)),
        };
        this.notifies.push(received);
        if (this.answers !== undefined) received.reply(this.answers);
      },
    });
  }

  async stop(): Promise<void> {
    this.#link.close();
    await this.#server?.close();
  }

  /** NOTIFYs of one dialog in the order in which they came. */
  of(callId: string): Received[] {
    return this.notifies.filter(({ request }) => request.header('call-id') === callId);
  }

  subscribe(
    port: number,
    options: {
      user: string;
      to?: string;
      callId: string;
      cseq: number;
      toTag?: string;
      expires?: number;
      event?: string;
      trace?: string;
    },
  ): Promise<SipResponse> {
    const { user, to = user, callId, cseq, toTag, expires = 600, event = 'presence', trace } = options;
    const uri = toTag === undefined ? `sip:${to}@example.test` : `sip:${toTag}@198.51.100.1:5060`;
    return this.send(port, `SUBSCRIBE ${uri} SIP/2.0`, callId, cseq, [
      `Record-Route: ${recordRoute('u0-c0000201-5060')}`,
      `To: <sip:${to}@example.test>${toTag === undefined ? '' : `;tag=${toTag}`}`,
      `Contact: <sip:${user}@192.0.2.1:5060>`,
      `Event: ${event}`,
      `Expires: ${expires}`,
      `P-Asserted-Identity: <sip:${user}@example.test>`,
      ...(trace === undefined ? [] : [`Traceparent: ${trace}`]),
    ]);
  }

  async send(
    port: number,
    line: string,
    callId: string,
    cseq: number,
    headers: readonly string[],
  ): Promise<SipResponse> {
    const branch = `z9hG4bKedge${(this.#serial += 1)}`;
    const message =
      `${line}\r\nVia: SIP/2.0/TCP edge.invalid;branch=${branch}\r\nMax-Forwards: 69\r\nFrom: <sip:w@example.test>;tag=f1\r\n` +
      `Call-ID: ${callId}\r\nCSeq: ${cseq} ${line.slice(0, line.indexOf(' '))}\r\n${headers.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`;
    if (!parseMessage(message).ok) throw new Error('the test writes no request');
    return new Promise((resolve, reject) => {
      this.#link.requestTo({ host: '127.0.0.1', port }, branch, message, (outcome) => {
        if (outcome.kind === 'response') resolve(outcome.response);
        else reject(new Error(outcome.kind));
      });
    });
  }
}
