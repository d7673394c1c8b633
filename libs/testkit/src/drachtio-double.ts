/*
 * A double of drachtio-server: its wire protocol over real TCP, and real SIP over UDP and TCP. It does what the server is known to do
 * to an app, its faults included; what it does not do (proxy, CDRs, 100rel, session timers, outbound connections) no engine of
 * ours asks for.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { edit, parseMessage, respond, type SipRequest, type SipResponse } from '@rollcall/sip';
import type { ClientTransaction, Flow, ServerTransaction, SipFront } from '@rollcall/sip-transaction';
import { type App, AppPort } from './drachtio-apps.ts';
import { type Dialog, Dialogs } from './drachtio-dialogs.ts';
import {
  appLines,
  body,
  contactOf,
  headerOf,
  hostOf,
  networkHead,
  newTag,
  sentReply,
  transportOf,
  viaOf,
} from './drachtio-text.ts';

export interface DrachtioDoubleOptions {
  readonly secret: string;
  /** The SIP side, over UDP and perhaps TCP: any front that has not been started. */
  readonly front: SipFront;
  /** 0 takes any free port. */
  readonly adminPort?: number;
}

/** Methods of requests outside a dialog that it delivers; others are dropped without an answer. */
const DELIVERED = new Set([
  'INVITE',
  'REGISTER',
  'MESSAGE',
  'OPTIONS',
  'INFO',
  'NOTIFY',
  'SUBSCRIBE',
  'PUBLISH',
]);
/** Headers that an app cannot set. */
const IGNORED = ['via', 'route', 'rseq', 'record-route', 'content-length'];

interface Outgoing {
  readonly app: App;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly client: ClientTransaction;
}

export class DrachtioDouble {
  readonly #front: SipFront;
  readonly #port: AppPort;
  readonly #incoming = new Map<string, { transaction: ServerTransaction; app: App }>();
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #dialogs = new Dialogs();

  private constructor(options: DrachtioDoubleOptions) {
    this.#front = options.front;
    this.#port = new AppPort({
      secret: options.secret,
      port: options.adminPort ?? 0,
      listensAt: () =>
        this.#front.listeners
          .map(({ transport, local }) => `${transport}/${local.address}:${String(local.port)}`)
          .join(','),
      onSip: (app, id, fields, message) => {
        this.#fromApp(app, id, fields, message);
      },
    });
  }

  static async start(options: DrachtioDoubleOptions): Promise<DrachtioDouble> {
    const double = new DrachtioDouble(options);
    await double.#front.start({
      onRequest: (transaction) => {
        double.#onRequest(transaction);
      },
      onAck: (request) => {
        double.#onAck(request);
      },
    });
    await double.listen();
    return double;
  }

  /** Opens the admin port, as after a restart of the app side alone. */
  listen(): Promise<void> {
    return this.#port.listen();
  }

  /** Closes the admin port and every connection on it; what apps had is forgotten, as when the server is restarted. */
  async goAway(): Promise<void> {
    const closed = this.#port.close();
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#dialogs.clear();
    await closed;
  }

  get adminPort(): number {
    return this.#port.port;
  }

  /** Frames that apps have sent: type and size. */
  get frames(): AppPort['frames'] {
    return this.#port.frames;
  }

  /** Writes every frame to apps in pieces of so many octets; 0 writes it whole. */
  set pieces(octets: number) {
    this.#port.pieces = octets;
  }

  /** Most octets that were unread at one time. */
  get mostBuffered(): number {
    return this.#port.mostBuffered;
  }

  /** Where phones send to. */
  sip(transport: 'udp' | 'tcp'): { readonly host: string; readonly port: number } {
    const found = this.#front.listeners.find((one) => one.transport === transport);
    if (found === undefined) throw new Error(`the double does not listen on ${transport}`);
    return { host: found.local.address, port: found.local.port };
  }

  dropApps(): void {
    this.#port.drop();
  }

  get apps(): number {
    return this.#port.apps.size;
  }

  get wedged(): boolean {
    return [...this.#port.apps].some((app) => app.wedged);
  }

  get dialogs(): number {
    return this.#dialogs.size;
  }

  async stop(): Promise<void> {
    if (this.#port.listening) await this.goAway();
    await this.#front.stop();
  }

  /** Octets straight to every app: what a broken server would send. */
  sendRaw(text: string): void {
    for (const { socket } of this.#port.apps) socket.write(text);
  }

  // From phones

  #onRequest(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    const dialog = this.#dialogs.of(request);
    if (dialog === undefined && !DELIVERED.has(request.method)) {
      if (request.method === 'BYE' || request.method === 'UPDATE')
        transaction.respond(481, respond(request, 481));
      return;
    }
    const to = request.to();
    if (dialog === undefined && request.method === 'INVITE' && to.ok && to.value.tag !== undefined) {
      transaction.respond(481, respond(request, 481));
      return;
    }
    if (request.method === 'INVITE') transaction.respond(100, respond(request, 100));
    const app = dialog?.app ?? this.#port.appFor(request.method);
    if (app === undefined || !this.#port.apps.has(app)) {
      const status = dialog === undefined ? 503 : 481;
      transaction.respond(status, respond(request, status));
      return;
    }
    const id = randomUUID();
    this.#incoming.set(id, { transaction, app });
    transaction.onCancel = () => {
      transaction.respond(487, respond(request, 487, { toTag: newTag() }));
      this.#incoming.delete(id);
      const cancel = request.raw.replace(/^INVITE/, 'CANCEL');
      this.#deliver(app, flow, id, '', cancel);
    };
    if (request.method === 'BYE' && dialog !== undefined) this.#dialogs.remove(dialog);
    this.#deliver(app, flow, id, dialog?.id ?? '', request.raw);
  }

  #onAck(request: SipRequest): void {
    const dialog = this.#dialogs.of(request);
    if (dialog !== undefined)
      this.#deliver(dialog.app, dialog.flow, dialog.transactionId, dialog.id, request.raw);
  }

  #deliver(app: App, flow: Flow, transactionId: string, dialogId: string, raw: string): void {
    const local = dialogId === '' ? `|${flow.local.address}|${String(flow.local.port)}` : '';
    this.#port.say(app, `${networkHead(flow, raw)}|${transactionId}|${dialogId}${local}|`, raw);
  }

  // From the app

  #fromApp(app: App, id: string, fields: readonly string[], raw: string): void {
    const [transactionId = '', dialogId = '', routeUrl = ''] = fields;
    if (raw.startsWith('SIP/2.0 ')) {
      this.#answer(app, id, transactionId, raw);
      return;
    }
    const method = raw.slice(0, raw.indexOf(' '));
    if (dialogId !== '') this.#inDialog(app, id, this.#dialogs.get(dialogId), method, raw);
    else if (transactionId !== '') this.#cancel(app, id, transactionId, method);
    else {
      const callId = headerOf(raw, 'call-id');
      const known = this.#dialogs.withCallId(callId);
      if (known === undefined) this.#newRequest(app, id, method, raw, routeUrl);
      else this.#inDialog(app, id, known, method, raw);
    }
  }

  #answer(app: App, id: string, transactionId: string, raw: string): void {
    const waiting = this.#incoming.get(transactionId);
    if (waiting === undefined) {
      this.#port.say(app, `response|${id}|NOK|Response not sent due to unknown transaction`);
      return;
    }
    const { transaction } = waiting;
    const { request, flow } = transaction;
    const status = Number(raw.slice(8, 11));
    const toTag = /tag=(.*)/.exec(headerOf(raw, 'to') ?? '')?.[1] ?? newTag();
    const makesDialog = request.method === 'INVITE' && status >= 200 && status < 300;
    let headers = appLines(raw, [...IGNORED, 'from', 'to', 'call-id', 'cseq', 'content-type']);
    if (makesDialog && headerOf(raw, 'contact') === undefined)
      headers += `Contact: <sip:${hostOf(flow)}${transportOf(flow)}>\r\n`;
    for (const route of makesDialog ? request.headers('record-route') : [])
      headers += `Record-Route: ${route}\r\n`;
    const contentType = headerOf(raw, 'content-type');
    const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
    const sent = respond(request, status, {
      ...{ toTag, headers, topVia: viaOf(request, flow) },
      reason: /^SIP\/2\.0 \d{3} ([^\r]*)/.exec(raw)?.[1] ?? '',
      ...(body === '' ? {} : { body, contentType: contentType ?? 'application/sdp' }),
    });
    const known = this.#dialogs.of(request);
    let dialogId = known?.id ?? '';
    if (makesDialog && known === undefined)
      dialogId = this.#addDialog(app, request, sent, flow, transactionId);
    if (status >= 200) this.#incoming.delete(transactionId);
    transaction.respond(status, sent);
    this.#port.say(app, `${sentReply(id, flow, transactionId, sent)}|${dialogId}||Msg sent:|`, sent);
  }

  /** Dialog of a phone that called. */
  #addDialog(app: App, request: SipRequest, sent: string, flow: Flow, transactionId: string): string {
    const remote = request.header('from') ?? '';
    return this.#dialogs.add(remote, {
      ...{ app, flow, transactionId, remote },
      callId: request.header('call-id') ?? '',
      local: headerOf(sent, 'to') ?? '',
      target: contactOf(request) ?? '',
      cseq: 1,
      inviteCseq: 0,
    });
  }

  #newRequest(app: App, id: string, method: string, raw: string, routeUrl: string): void {
    const uri = raw.slice(method.length + 1, raw.indexOf(' SIP/2.0'));
    const flow = this.#flowTo(routeUrl === '' ? uri : routeUrl);
    if (flow === undefined) {
      this.#port.say(app, `response|${id}|NOK|requested protocol/transport not available`);
      return;
    }
    if (body(raw) !== '' && headerOf(raw, 'content-type') === undefined) {
      this.#port.say(app, `response|${id}|NOK|missing content-type`);
      return;
    }
    const dialogForming = method === 'INVITE' || method === 'SUBSCRIBE';
    const contact =
      dialogForming && headerOf(raw, 'contact') === undefined
        ? `Contact: <sip:${hostOf(flow)}${transportOf(flow)}>\r\n`
        : '';
    this.#send(app, id, method, `${method} ${uri} SIP/2.0\r\n`, flow, contact + appLines(raw, IGNORED), raw);
  }

  #inDialog(app: App, id: string, dialog: Dialog | undefined, method: string, raw: string): void {
    if (dialog === undefined) {
      this.#port.say(app, `response|${id}|NOK|Server error: unable to find dialog for dialog id provided`);
      return;
    }
    const { flow } = dialog;
    const ack = method === 'ACK';
    if (!ack) dialog.cseq += 1;
    const lines =
      `From: ${dialog.local}\r\nTo: ${dialog.remote}\r\nCall-ID: ${dialog.callId}\r\n` +
      `CSeq: ${String(ack ? dialog.inviteCseq : dialog.cseq)} ${method}\r\nContact: <sip:${hostOf(flow)}${transportOf(flow)}>\r\n` +
      appLines(raw, [...IGNORED, 'from', 'to', 'call-id', 'cseq', 'contact', 'max-forwards']);
    if (method === 'INVITE') dialog.inviteCseq = dialog.cseq;
    if (method === 'BYE') this.#dialogs.remove(dialog);
    const start = `${method} ${dialog.target} SIP/2.0\r\n`;
    this.#send(app, id, method, start, dialog.flow, `Max-Forwards: 70\r\n${lines}`, raw, dialog);
  }

  #send(
    app: App,
    id: string,
    method: string,
    start: string,
    flow: Flow,
    lines: string,
    raw: string,
    dialog?: Dialog,
  ): void {
    const branch = `z9hG4bK${randomBytes(8).toString('hex')}`;
    const transport = flow.transport.toUpperCase();
    const via = `Via: SIP/2.0/${transport} ${hostOf(flow)};rport;branch=${branch}\r\n`;
    const content = body(raw);
    const sent = `${start}${via}${lines}Content-Length: ${String(content.length)}\r\n\r\n${content}`;
    const parsed = parseMessage(sent);
    if (!parsed.ok || parsed.value.kind !== 'request') {
      this.#port.say(app, `response|${id}|NOK|Error creating sip transaction for uac request`);
      return;
    }
    const request = parsed.value;
    const transactionId = randomUUID();
    this.#port.say(app, `${sentReply(id, flow, transactionId, sent)}|Msg sent:|`, sent);
    if (method === 'ACK') {
      flow.send(sent);
      return;
    }
    const client = this.#front.request(flow, method, branch, sent, {
      onResponse: (response) => {
        this.#fromPhone(app, transactionId, request, flow, response, dialog);
      },
      onFailure: (reason) => {
        // What the stack makes up itself.
        const status = reason === 'timeout' ? 408 : 503;
        const made = parseMessage(respond(request, status));
        if (made.ok && made.value.kind === 'response')
          this.#fromPhone(app, transactionId, request, flow, made.value, dialog);
      },
    });
    this.#outgoing.set(transactionId, { app, request, flow, client });
  }

  #fromPhone(
    app: App,
    transactionId: string,
    request: SipRequest,
    flow: Flow,
    response: SipResponse,
    dialog?: Dialog,
  ): void {
    if (!this.#outgoing.has(transactionId)) {
      // RFC 6026: a 2xx that comes again is acknowledged again by the server; the app does not see it.
      return;
    }
    let dialogId = dialog?.id ?? '';
    const { status } = response;
    if (request.method === 'INVITE' && status >= 200 && status < 300 && dialog === undefined) {
      const cseq = request.cseq();
      const number = cseq.ok ? cseq.value.seq : 1;
      const local = request.header('from') ?? '';
      dialogId = this.#dialogs.add(local, {
        ...{ app, flow, transactionId, local },
        callId: request.header('call-id') ?? '',
        remote: response.header('to') ?? '',
        target: contactOf(response) ?? '',
        cseq: number,
        inviteCseq: number,
      });
    }
    if (status >= 200) this.#outgoing.delete(transactionId);
    const raw = edit(response, {});
    this.#port.say(app, `${networkHead(flow, raw)}|${transactionId}|${dialogId}|`, raw);
  }

  #cancel(app: App, id: string, transactionId: string, method: string): void {
    const outgoing = this.#outgoing.get(transactionId);
    // For another method the server does nothing at all and says nothing.
    if (method !== 'CANCEL') return;
    if (outgoing === undefined) {
      this.#port.say(app, `response|${id}|NOK|unable to cancel unknown transaction id: ${transactionId}`);
      return;
    }
    outgoing.client.cancel();
    this.#port.say(
      app,
      `${sentReply(id, outgoing.flow, randomUUID(), '')}|Msg sent:|`,
      `CANCEL sip:x SIP/2.0\r\n\r\n`,
    );
  }

  #flowTo(uri: string): Flow | undefined {
    const match = /^sips?:(?:[^@]*@)?([\d.]+)(?::(\d+))?(?:;.*?transport=(\w+))?/i.exec(uri);
    const [, address = '', port = '5060', transport = 'udp'] = match ?? [];
    if (transport !== 'udp' && transport !== 'tcp') return undefined;
    return this.#front.connect(transport, { address, port: Number(port) });
  }
}
