import { respond } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { createInnerLink, createInnerServer, staticReplicas } from '@rollcall/sip-net';
import type { InnerLink, InnerServer } from '@rollcall/sip-net';
import { recordRoute } from './world.ts';

/** What one watcher has been told. */
export interface Watcher {
  readonly callId: string;
  readonly resource: string;
  toTag: string;
  /** CSeq of its last NOTIFY. */
  cseq: number;
  notifies: number;
  /** Mark in the last body; empty before there was one. */
  mark: string;
  /** When the last body came, ms. */
  at: number;
}

/** Marks of states: a word in the body of a NOTIFY. */
const MARK = /mark-[0-9]+/;
/** RFC 3261 §17.1.2.2, timer F, and some. */
const TIMEOUT_MS = 40_000;

/**
 * Many phones behind one edge, as presence sees them: they subscribe, answer NOTIFYs, and complain when CSeq does not rise
 * (RFC 3261 §12.2.2).
 */
export class Watchers {
  readonly all = new Map<string, Watcher>();
  readonly problems: string[] = [];
  notifies = 0;
  #server: InnerServer | undefined;
  #serial = 0;
  readonly #link: InnerLink = createInnerLink({
    replicas: staticReplicas([]),
    timeoutMs: TIMEOUT_MS,
    maxPending: 100_000,
  });

  get inner(): string {
    return `127.0.0.1:${String(this.#server?.port ?? 0)}`;
  }

  async start(): Promise<void> {
    this.#server = await createInnerServer({
      host: '127.0.0.1',
      port: 0,
      onRequest: (request, reply) => {
        this.#notified(request);
        reply(respond(request, 200));
      },
    });
  }

  async stop(): Promise<void> {
    this.#link.close();
    await this.#server?.close();
  }

  /** Subscribes one more for an hour; false when it was refused or not answered. */
  async subscribe(port: number, callId: string, resource: string): Promise<boolean> {
    const watcher: Watcher = { callId, resource, toTag: '', cseq: 0, notifies: 0, mark: '', at: 0 };
    this.all.set(callId, watcher);
    const response = await this.#send(port, 'SUBSCRIBE', resource, callId, 1, [
      `Record-Route: ${recordRoute('u0-c0000201-5060')}`,
      `Contact: <sip:${callId}@192.0.2.1:5060>`,
      'Expires: 3600',
      `P-Asserted-Identity: <sip:${callId}@example.test>`,
    ]);
    const to = response?.to();
    if (response?.status !== 200 || to?.ok !== true) return false;
    watcher.toTag = to.value.tag ?? '';
    return true;
  }

  /** Publishes a state with a mark; the new entity-tag, or undefined when it did not work. */
  async publish(port: number, resource: string, mark: string, etag: string): Promise<string | undefined> {
    const body =
      `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:${resource}@example.test"><tuple id="t1">` +
      `<status><basic>open</basic></status><note>${mark}</note></tuple></presence>`;
    const serial = (this.#serial += 1);
    const lines = [
      `P-Asserted-Identity: <sip:${resource}@example.test>`,
      'Expires: 3600',
      'Content-Type: application/pidf+xml',
      ...(etag === '' ? [] : [`SIP-If-Match: ${etag}`]),
    ];
    const callId = `pub-${String(serial)}`;
    const response = await this.#send(port, 'PUBLISH', resource, callId, serial, lines, body);
    return response?.status === 200 ? response.header('sip-etag') : undefined;
  }

  /** Watchers whose last state is another than the truth. */
  stale(truth: ReadonlyMap<string, string>): readonly Watcher[] {
    return [...this.all.values()].filter(
      ({ resource, mark, toTag }) => toTag !== '' && mark !== (truth.get(resource) ?? ''),
    );
  }

  #notified(request: SipRequest): void {
    this.notifies += 1;
    const watcher = this.all.get(request.header('call-id') ?? '');
    const cseq = request.cseq();
    if (watcher === undefined || !cseq.ok) return;
    if (cseq.value.seq <= watcher.cseq)
      this.problems.push(`${watcher.callId}: CSeq ${String(cseq.value.seq)} after ${String(watcher.cseq)}`);
    watcher.cseq = cseq.value.seq;
    watcher.notifies += 1;
    watcher.mark = MARK.exec(request.body)?.[0] ?? '';
    watcher.at = performance.now();
  }

  #send(
    port: number,
    method: string,
    resource: string,
    callId: string,
    cseq: number,
    lines: readonly string[],
    body = '',
  ): Promise<SipResponse | undefined> {
    const branch = `z9hG4bKw${String((this.#serial += 1))}`;
    const uri = `sip:${resource}@example.test`;
    const message =
      `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/TCP edge.invalid;branch=${branch}\r\nMax-Forwards: 69\r\n` +
      `From: <sip:${method === 'SUBSCRIBE' ? callId : resource}@example.test>;tag=f1\r\nTo: <${uri}>\r\nCall-ID: ${callId}\r\nCSeq: ${String(cseq)} ${method}\r\nEvent: presence\r\n` +
      `${lines.join('\r\n')}\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
    return new Promise((resolve) => {
      this.#link.requestTo({ host: '127.0.0.1', port }, branch, message, (outcome) => {
        resolve(outcome.kind === 'response' ? outcome.response : undefined);
      });
    });
  }
}
