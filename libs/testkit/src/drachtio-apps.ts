import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** The receive buffer of the server: a frame that is larger never completes, and the connection is dead without a word. */
const RECEIVE_BUFFER = 12_228;
const READ_CHUNK = 8_192;
/** Digits of a length that it reads before it gives up. */
const LENGTH_DIGITS = 5;

/** A connection of an app. */
export interface App {
  readonly socket: Socket;
  received: Buffer;
  wedged: boolean;
  readonly verbs: Set<string>;
}

export interface AppPortOptions {
  readonly secret: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Where the SIP side listens, `udp/127.0.0.1:5060,…`. */
  readonly listensAt: () => string;
  /** A message that an app sends; octets as latin1. */
  readonly onSip: (app: App, id: string, fields: readonly string[], message: string) => void;
}

/** The side of a drachtio-server that apps connect to: its frames, and what is said about anything but SIP. */
export class AppPort {
  readonly #options: AppPortOptions;
  readonly #server: Server;
  readonly #apps = new Set<App>();
  #port: number;
  #turn = 0;
  /** Frames that apps have sent: type and size. */
  readonly frames: { readonly type: string; readonly size: number }[] = [];
  /** Writes every frame to apps in pieces of so many octets; 0 writes it whole. */
  pieces = 0;
  /** Most octets that were unread at one time. */
  mostBuffered = 0;

  constructor(options: AppPortOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#server = createServer((socket) => {
      this.#accept(socket);
    });
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  get apps(): ReadonlySet<App> {
    return this.#apps;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    // The same again when it comes back.
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Closes the port and every connection on it. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.drop();
    await closed;
  }

  drop(): void {
    for (const app of this.#apps) app.socket.destroy();
    this.#apps.clear();
  }

  /** Apps that have routed the method, in turn. */
  appFor(method: string): App | undefined {
    const able = [...this.#apps].filter((app) => app.verbs.has(method.toLowerCase()));
    this.#turn += 1;
    return able[this.#turn % Math.max(1, able.length)];
  }

  say(app: App, text: string, message = ''): void {
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
    const at = this.#options.listensAt();
    switch (type) {
      case 'authenticate':
        if (fields[0] === this.#options.secret) this.say(app, `response|${id}|OK|${at}|v0.9.10|${at}`);
        else this.#end(app, `response|${id}|NO|incorrect secret`);
        break;
      case 'route':
        app.verbs.add(fields[0] ?? '');
        this.say(app, `response|${id}|OK`);
        break;
      case 'remove_route':
        app.verbs.clear();
        this.say(app, `response|${id}|OK`);
        break;
      case 'ping':
        this.say(app, `response|${id}|OK|pong`);
        break;
      case 'sip':
        this.#options.onSip(app, id, fields, message);
        break;
      default:
        this.#end(app, `response|${id}|NO|Unknown message type`);
    }
  }

  #end(app: App, text: string): void {
    this.say(app, text);
    app.socket.end();
  }
}
