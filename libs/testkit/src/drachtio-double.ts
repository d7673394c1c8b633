/*
 * A double of drachtio-server: its wire protocol over real TCP, and real SIP over UDP and TCP. It does what the server is known to do
 * to an app, its faults included; what it does not do (proxy, CDRs, 100rel, session timers, outbound connections) no engine of
 * ours asks for.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { edit, parseMessage, respond, type SipRequest, type SipResponse } from '@rollcall/sip';
import type { ClientTransaction, Flow, ServerTransaction, SipFront } from '@rollcall/sip-transaction';

export interface DrachtioDoubleOptions {
  readonly secret: string;
  /** The SIP side, over UDP and perhaps TCP: any front that has not been started. */
  readonly front: SipFront;
  /** 0 takes any free port. */
  readonly adminPort?: number;
}

/** The receive buffer of the server: a frame that is larger never completes, and the connection is dead without a word. */
const RECEIVE_BUFFER = 12_228;
const READ_CHUNK = 8_192;
/** Digits of a length that it reads before it gives up. */
const LENGTH_DIGITS = 5;
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

interface App {
  readonly socket: Socket;
  received: Buffer;
  wedged: boolean;
  readonly verbs: Set<string>;
}

/** A dialog that the server has with a phone. */
interface Dialog {
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

interface Outgoing {
  readonly app: App;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly client: ClientTransaction;
}

export class DrachtioDouble {
  readonly #secret: string;
  #adminPort: number;
  readonly #front: SipFront;
  readonly #admin: Server;
  readonly #apps = new Set<App>();
  readonly #incoming = new Map<string, { transaction: ServerTransaction; app: App }>();
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #dialogs = new Map<string, Dialog>();
  #turn = 0;
  /** Frames that apps have sent: type and size. */
  readonly frames: { readonly type: string; readonly size: number }[] = [];
  /** Writes every frame to apps in pieces of so many octets; 0 writes it whole. */
  pieces = 0;
  /** Most octets that were unread at one time. */
  mostBuffered = 0;

  private constructor(options: DrachtioDoubleOptions) {
    this.#secret = options.secret;
    this.#adminPort = options.adminPort ?? 0;
    this.#front = options.front;
    this.#admin = createServer((socket) => {
      this.#accept(socket);
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
  async listen(): Promise<void> {
    this.#admin.listen(this.#adminPort, '127.0.0.1');
    await once(this.#admin, 'listening');
    // The same again when it comes back.
    this.#adminPort = (this.#admin.address() as AddressInfo).port;
  }

  /** Closes the admin port and every connection on it; what apps had is forgotten, as when the server is restarted. */
  async goAway(): Promise<void> {
    const closed = once(this.#admin, 'close');
    this.#admin.close();
    this.dropApps();
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#dialogs.clear();
    await closed;
  }

  get adminPort(): number {
    return this.#adminPort;
  }

  /** Where phones send to. */
  sip(transport: 'udp' | 'tcp'): { readonly host: string; readonly port: number } {
    const found = this.#front.listeners.find((one) => one.transport === transport);
    if (found === undefined) throw new Error(`the double does not listen on ${transport}`);
    return { host: found.local.address, port: found.local.port };
  }

  dropApps(): void {
    for (const app of this.#apps) app.socket.destroy();
    this.#apps.clear();
  }

  get apps(): number {
    return this.#apps.size;
  }

  get wedged(): boolean {
    return [...this.#apps].some((app) => app.wedged);
  }

  get dialogs(): number {
    return this.#dialogs.size;
  }

  async stop(): Promise<void> {
    if (this.#admin.listening) await this.goAway();
    await this.#front.stop();
  }

  /** Octets straight to every app: what a broken server would send. */
  sendRaw(text: string): void {
    for (const { socket } of this.#apps) socket.write(text);
  }

  // The admin port

  #accept(socket: Socket): void {
    const app: App = { socket, received: Buffer.alloc(0), wedged: false, verbs: new Set() };
    this.#apps.add(app);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#apps.delete(app);
    });
    socket.on('data', (data) => {
      this.#read(app, data);
    });
  }

  #read(app: App, data: Buffer): void {
    if (app.wedged) return;
    for (let at = 0; at < data.length && !app.wedged; at += READ_CHUNK) {
      app.received = Buffer.concat([app.received, data.subarray(at, at + READ_CHUNK)]);
      this.mostBuffered = Math.max(this.mostBuffered, app.received.length);
      // The ring overwrites its oldest octets: what is left is no frame.
      if (app.received.length > RECEIVE_BUFFER) app.wedged = true;
      else if (!this.#frames(app)) return;
    }
  }

  /** Takes whole frames off what has been read. False when the connection has been given up. */
  #frames(app: App): boolean {
    for (;;) {
      const end = app.received.indexOf('#');
      const length = app.received.toString('latin1', 0, end < 0 ? LENGTH_DIGITS + 1 : end);
      if (!/^\d*$/.test(length) || length.length > LENGTH_DIGITS) {
        app.socket.destroy();
        return false;
      }
      const from = end + 1;
      if (end < 1 || app.received.length < from + Number(length)) return true;
      const text = app.received.toString('utf8', from, from + Number(length));
      app.received = app.received.subarray(from + Number(length));
      this.frames.push({ type: text.split('|', 2)[1] ?? '', size: Number(length) });
      this.#frame(app, text);
    }
  }

  #frame(app: App, text: string): void {
    const end = text.indexOf('\r\n');
    const [id = '', type = '', ...fields] = (end < 0 ? text : text.slice(0, end)).split('|');
    const message = end < 0 ? '' : Buffer.from(text.slice(end + 2), 'utf8').toString('latin1');
    const at = this.#front.listeners
      .map(({ transport, local }) => `${transport}/${local.address}:${String(local.port)}`)
      .join(',');
    switch (type) {
      case 'authenticate':
        if (fields[0] === this.#secret) this.#say(app, `response|${id}|OK|${at}|v0.9.10|${at}`);
        else this.#end(app, `response|${id}|NO|incorrect secret`);
        break;
      case 'route':
        app.verbs.add(fields[0] ?? '');
        this.#say(app, `response|${id}|OK`);
        break;
      case 'remove_route':
        app.verbs.clear();
        this.#say(app, `response|${id}|OK`);
        break;
      case 'ping':
        this.#say(app, `response|${id}|OK|pong`);
        break;
      case 'sip':
        this.#fromApp(app, id, fields, message);
        break;
      default:
        this.#end(app, `response|${id}|NO|Unknown message type`);
    }
  }

  #end(app: App, text: string): void {
    this.#say(app, text);
    app.socket.end();
  }

  #say(app: App, text: string, message = ''): void {
    const body = Buffer.from(message, 'latin1').toString('utf8');
    const payload = `${randomUUID()}|${text}${message === '' ? '' : `\r\n${body}`}`;
    const frame = Buffer.from(`${String(Buffer.byteLength(payload))}#${payload}`);
    if (this.pieces === 0) {
      app.socket.write(frame);
      return;
    }
    for (let from = 0; from < frame.length; from += this.pieces)
      app.socket.write(frame.subarray(from, from + this.pieces));
  }

  // From phones

  #onRequest(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    const dialog = this.#dialogOf(request);
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
    const app = dialog?.app ?? this.#appFor(request.method);
    if (app === undefined || !this.#apps.has(app)) {
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
    if (request.method === 'BYE' && dialog !== undefined) this.#dialogs.delete(dialog.id);
    this.#deliver(app, flow, id, dialog?.id ?? '', request.raw);
  }

  #onAck(request: SipRequest): void {
    const dialog = this.#dialogOf(request);
    if (dialog !== undefined)
      this.#deliver(dialog.app, dialog.flow, dialog.transactionId, dialog.id, request.raw);
  }

  #deliver(app: App, flow: Flow, transactionId: string, dialogId: string, raw: string): void {
    const { address, port } = flow.remote;
    const local = dialogId === '' ? `|${flow.local.address}|${String(flow.local.port)}` : '';
    const head = [
      'sip',
      'network',
      String(raw.length),
      flow.transport,
      address,
      String(port),
      '12:00:00.000000',
    ];
    this.#say(app, `${head.join('|')}|${transactionId}|${dialogId}${local}|`, raw);
  }

  /** Apps that have routed the method, in turn. */
  #appFor(method: string): App | undefined {
    const able = [...this.#apps].filter((app) => app.verbs.has(method.toLowerCase()));
    this.#turn += 1;
    return able[this.#turn % Math.max(1, able.length)];
  }

  #dialogOf(request: SipRequest): Dialog | undefined {
    const to = request.to();
    const from = request.from();
    const callId = request.callId();
    if (!to.ok || !from.ok || !callId.ok || to.value.tag === undefined) return undefined;
    const toTag = to.value.tag;
    const fromTag = from.value.tag ?? '';
    return [...this.#dialogs.values()].find(
      (one) => one.callId === callId.value && tagOf(one.local) === toTag && tagOf(one.remote) === fromTag,
    );
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
      const known = [...this.#dialogs.values()].find((one) => one.callId === callId);
      if (known === undefined) this.#newRequest(app, id, method, raw, routeUrl);
      else this.#inDialog(app, id, known, method, raw);
    }
  }

  #answer(app: App, id: string, transactionId: string, raw: string): void {
    const waiting = this.#incoming.get(transactionId);
    if (waiting === undefined) {
      this.#say(app, `response|${id}|NOK|Response not sent due to unknown transaction`);
      return;
    }
    const { transaction } = waiting;
    const { request, flow } = transaction;
    const status = Number(raw.slice(8, 11));
    const toTag = /tag=(.*)/.exec(headerOf(raw, 'to') ?? '')?.[1] ?? newTag();
    const makesDialog = request.method === 'INVITE' && status >= 200 && status < 300;
    let headers = appLines(raw, [...IGNORED, 'from', 'to', 'call-id', 'cseq', 'content-type']);
    if (makesDialog && headerOf(raw, 'contact') === undefined)
      headers += `Contact: <sip:${this.#host(flow)}${transportOf(flow)}>\r\n`;
    for (const route of makesDialog ? request.headers('record-route') : [])
      headers += `Record-Route: ${route}\r\n`;
    const contentType = headerOf(raw, 'content-type');
    const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
    const sent = respond(request, status, {
      ...{ toTag, headers, topVia: viaOf(request, flow) },
      reason: /^SIP\/2\.0 \d{3} ([^\r]*)/.exec(raw)?.[1] ?? '',
      ...(body === '' ? {} : { body, contentType: contentType ?? 'application/sdp' }),
    });
    const known = this.#dialogOf(request);
    let dialogId = known?.id ?? '';
    if (makesDialog && known === undefined)
      dialogId = this.#addDialog(app, request, sent, flow, transactionId);
    if (status >= 200) this.#incoming.delete(transactionId);
    transaction.respond(status, sent);
    this.#say(app, `${sentReply(id, flow, transactionId, sent)}|${dialogId}||Msg sent:|`, sent);
  }

  /** Dialog of a phone that called: the id is Call-ID and the caller's tag. */
  #addDialog(app: App, request: SipRequest, sent: string, flow: Flow, transactionId: string): string {
    const callId = request.header('call-id') ?? '';
    const remote = request.header('from') ?? '';
    const id = `${callId};from-tag=${tagOf(remote)}`;
    const target = contactOf(request) ?? '';
    const local = headerOf(sent, 'to') ?? '';
    this.#dialogs.set(id, {
      id,
      app,
      callId,
      local,
      remote,
      target,
      flow,
      cseq: 1,
      transactionId,
      inviteCseq: 0,
    });
    return id;
  }

  #newRequest(app: App, id: string, method: string, raw: string, routeUrl: string): void {
    const uri = raw.slice(method.length + 1, raw.indexOf(' SIP/2.0'));
    const flow = this.#flowTo(routeUrl === '' ? uri : routeUrl);
    if (flow === undefined) {
      this.#say(app, `response|${id}|NOK|requested protocol/transport not available`);
      return;
    }
    if (body(raw) !== '' && headerOf(raw, 'content-type') === undefined) {
      this.#say(app, `response|${id}|NOK|missing content-type`);
      return;
    }
    const dialogForming = method === 'INVITE' || method === 'SUBSCRIBE';
    const contact =
      dialogForming && headerOf(raw, 'contact') === undefined
        ? `Contact: <sip:${this.#host(flow)}${transportOf(flow)}>\r\n`
        : '';
    this.#send(app, id, method, `${method} ${uri} SIP/2.0\r\n`, flow, contact + appLines(raw, IGNORED), raw);
  }

  #inDialog(app: App, id: string, dialog: Dialog | undefined, method: string, raw: string): void {
    if (dialog === undefined) {
      this.#say(app, `response|${id}|NOK|Server error: unable to find dialog for dialog id provided`);
      return;
    }
    const { flow } = dialog;
    const ack = method === 'ACK';
    if (!ack) dialog.cseq += 1;
    const lines =
      `From: ${dialog.local}\r\nTo: ${dialog.remote}\r\nCall-ID: ${dialog.callId}\r\n` +
      `CSeq: ${String(ack ? dialog.inviteCseq : dialog.cseq)} ${method}\r\nContact: <sip:${this.#host(flow)}${transportOf(flow)}>\r\n` +
      appLines(raw, [...IGNORED, 'from', 'to', 'call-id', 'cseq', 'contact', 'max-forwards']);
    if (method === 'INVITE') dialog.inviteCseq = dialog.cseq;
    if (method === 'BYE') this.#dialogs.delete(dialog.id);
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
    const via = `Via: SIP/2.0/${transport} ${this.#host(flow)};rport;branch=${branch}\r\n`;
    const content = body(raw);
    const sent = `${start}${via}${lines}Content-Length: ${String(content.length)}\r\n\r\n${content}`;
    const parsed = parseMessage(sent);
    if (!parsed.ok || parsed.value.kind !== 'request') {
      this.#say(app, `response|${id}|NOK|Error creating sip transaction for uac request`);
      return;
    }
    const request = parsed.value;
    const transactionId = randomUUID();
    this.#say(app, `${sentReply(id, flow, transactionId, sent)}|Msg sent:|`, sent);
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
      const callId = request.header('call-id') ?? '';
      const local = request.header('from') ?? '';
      dialogId = `${callId};from-tag=${tagOf(local)}`;
      const cseq = request.cseq();
      const number = cseq.ok ? cseq.value.seq : 1;
      this.#dialogs.set(dialogId, {
        ...{ id: dialogId, app, callId, local, flow, transactionId },
        remote: response.header('to') ?? '',
        target: contactOf(response) ?? '',
        cseq: number,
        inviteCseq: number,
      });
    }
    if (status >= 200) this.#outgoing.delete(transactionId);
    const raw = edit(response, {});
    const { address, port } = flow.remote;
    const head = [
      'sip',
      'network',
      String(raw.length),
      flow.transport,
      address,
      String(port),
      '12:00:00.000000',
    ];
    this.#say(app, `${head.join('|')}|${transactionId}|${dialogId}|`, raw);
  }

  #cancel(app: App, id: string, transactionId: string, method: string): void {
    const outgoing = this.#outgoing.get(transactionId);
    // For another method the server does nothing at all and says nothing.
    if (method !== 'CANCEL') return;
    if (outgoing === undefined) {
      this.#say(app, `response|${id}|NOK|unable to cancel unknown transaction id: ${transactionId}`);
      return;
    }
    outgoing.client.cancel();
    this.#say(
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

  /** Our own address on the transport of a flow. */
  #host(flow: Flow): string {
    return `${flow.local.address}:${String(flow.local.port)}`;
  }
}

function sentReply(id: string, flow: Flow, transactionId: string, sent: string): string {
  const { address, port } = flow.remote;
  const where = `${String(sent.length)}|${flow.transport}|${address}|${String(port)}|12:00:00.000000`;
  return `response|${id}|OK|application|${where}|${transactionId}`;
}

const transportOf = (flow: Flow): string => (flow.reliable ? `;transport=${flow.transport}` : '');
/** The top Via with where the request came from (RFC 3261 §18.2.1, RFC 3581 §4). */
function viaOf(request: SipRequest, flow: Flow): string {
  const { address, port } = flow.remote;
  const [top = ''] = request.headers('via');
  return `${top.replace(/;rport(?!=)/i, `;rport=${String(port)}`)};received=${address}`;
}

const newTag = (): string => randomBytes(6).toString('hex');
const body = (raw: string): string => raw.slice(raw.indexOf('\r\n\r\n') + 4);
const tagOf = (value: string): string => /;tag=([^;\s]+)/.exec(value)?.[1] ?? '';

/** First value of a header by its long name. */
function headerOf(raw: string, name: string): string | undefined {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n') + 2);
  const found = new RegExp(`^${name}[ \\t]*:[ \\t]*([^\\r]*)\\r$`, 'im').exec(head);
  return found?.[1];
}

/** Header lines that an app gives, without those that it cannot give here. */
function appLines(raw: string, without: readonly string[]): string {
  const lines = raw.slice(0, raw.indexOf('\r\n\r\n')).split('\r\n').slice(1);
  return lines
    .filter(
      (line) =>
        line.includes(':') && !without.includes(line.slice(0, line.indexOf(':')).trim().toLowerCase()),
    )
    .map((line) => `${line}\r\n`)
    .join('');
}

function contactOf(message: SipRequest | SipResponse): string | undefined {
  const contacts = message.contacts();
  return contacts.ok && contacts.value.kind === 'list' ? contacts.value.contacts[0]?.uriText : undefined;
}
