/*
 * The connection to drachtio-server: frames, requests that wait for their reply, reconnecting.
 *
 * Facts of the server (0.9.10) that this file is shaped by:
 * - Its receive buffer is a ring of 12,228 bytes that overwrites itself. A frame that is larger never completes and wedges the
 *   connection for ever; frames that arrive back to back may together overwrite each other once they exceed what is left beside a
 *   read of 8,192. So a frame that is too large is refused here, and no more bytes are on their way than fit.
 * - Every frame gets one reply. One that gets none within seconds means that the connection is wedged: it is closed.
 * - drachtio-srf forgets what was pending when it reconnects. Here everything that waits is told.
 */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import WireProtocol from 'drachtio-srf/lib/wire-protocol.js';

/** The server's receive buffer, octets. */
const SERVER_BUFFER = 12_228;
/** What it reads at once. */
const SERVER_READ = 8_192;
/** Octets that may be on their way without a reply. */
const WINDOW = SERVER_BUFFER - SERVER_READ;
/** The largest payload that is sent: the buffer less the length, the message id and some room. */
export const MAX_FRAME = 12_000;
/** The largest frame of the server that is waited for: a SIP message of 64 KiB in UTF-8, and its header line. */
const MAX_INCOMING = 262_144;
/** Frames that wait for their turn; more are refused at once. */
const MAX_QUEUED = 10_000;
const REPLY_TIMEOUT_MS = 10_000;
const PING_MS = 15_000;
const TICK_MS = 1_000;
const RETRY_MAX_DELAY_MS = 5_000;

export interface LinkLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** SIP methods to be given, in lower case. */
  readonly verbs: readonly string[];
  readonly log: LinkLog;
}

export interface LinkUser {
  /** Authenticated and routed; the server's addresses as it tells them: `udp/192.0.2.1:5060,…`, outside and local. */
  onUp(outside: string, local: string): void;
  /** The connection is gone; all that waited has been told. */
  onDown(): void;
  /** A `sip` message: the fields of its header line, and the SIP message (text). */
  onSip(fields: readonly string[], message: string): void;
}

/** What the server said to a frame. */
export type Reply =
  | { readonly ok: true; readonly fields: readonly string[]; readonly message: string }
  | { readonly ok: false; readonly reason: string; readonly lost: boolean };

interface Waiting {
  readonly payload: string;
  readonly size: number;
  readonly done: (reply: Reply) => void;
  sentAt: number;
}

/** Frames of the server that are no frames, or too large, close the connection instead of ending the process. */
class GuardedWire extends WireProtocol {
  override _onData(socket: Socket, chunk: Buffer): void {
    try {
      super._onData(socket, chunk);
      const { incomingMsg } = this.mapIncomingMsg.get(socket) ?? { incomingMsg: Buffer.alloc(0) };
      if (incomingMsg.length > MAX_INCOMING || !beginsWithLength(incomingMsg)) throw new Error('not a frame');
    } catch (error) {
      this.mapIncomingMsg.delete(socket);
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** Digits, then "#" or what is still to come. */
function beginsWithLength(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += 1) {
    const octet = data[at] ?? 0;
    if (octet === 0x23) return at > 0;
    if (octet < 0x30 || octet > 0x39 || at > 9) return false;
  }
  return true;
}

/** One connection to a drachtio-server, made again whenever it is lost. */
export class ServerLink {
  readonly #options: LinkOptions;
  readonly #user: LinkUser;
  readonly #wire: WireProtocol;
  readonly #queue: Waiting[] = [];
  readonly #outstanding = new Map<string, Waiting>();
  #onTheWay = 0;
  #socket: Socket | undefined;
  #up = false;
  #told = false;
  #refused = false;
  #ticker: NodeJS.Timeout | undefined;
  #lastSent = 0;
  /** Frames refused because they were larger than the server takes, and connections lost. */
  tooLarge = 0;
  losses = 0;

  constructor(options: LinkOptions, user: LinkUser) {
    this.#options = options;
    this.#user = user;
    this.#wire = new GuardedWire({});
  }

  get up(): boolean {
    return this.#up;
  }

  get waiting(): number {
    return this.#queue.length + this.#outstanding.size;
  }

  start(): void {
    const { host, port } = this.#options;
    const events: EventEmitter = this.#wire;
    events.on('connect', (socket: Socket) => {
      this.#connected(socket);
    });
    events.on('close', (socket: Socket) => {
      this.#lost(socket);
    });
    events.on('error', (error: Error) => {
      this.#tellAway(error.message);
    });
    events.on('msg', (socket: Socket, text: string) => {
      if (socket === this.#socket) this.#receive(text);
    });
    this.#ticker = setInterval(() => {
      this.#tick();
    }, TICK_MS);
    this.#wire.connect({ host, port, reconnect: { retryMaxDelay: RETRY_MAX_DELAY_MS } });
  }

  stop(): void {
    this.#wire.closing = true;
    clearInterval(this.#ticker);
    if (this.#wire.reconnectVars.retryTimer !== null) clearTimeout(this.#wire.reconnectVars.retryTimer);
    const socket = this.#socket;
    if (socket !== undefined) {
      this.#lost(socket);
      socket.destroy();
    }
  }

  /** Sends one frame in its turn; `done` is called once. `payload` is text: type and fields, and perhaps CRLF and a SIP message. */
  send(payload: string, done: (reply: Reply) => void): void {
    if (!this.#up) {
      done({ ok: false, reason: 'the drachtio-server is away', lost: true });
      return;
    }
    this.#enqueue(payload, done);
  }

  #enqueue(payload: string, done: (reply: Reply) => void): void {
    const size = Buffer.byteLength(payload) + FRAME_OVERHEAD;
    if (size > MAX_FRAME) {
      this.tooLarge += 1;
      done({ ok: false, reason: 'larger than drachtio-server takes', lost: false });
      return;
    }
    if (this.#queue.length >= MAX_QUEUED) {
      done({ ok: false, reason: 'too much waits for drachtio-server', lost: false });
      return;
    }
    this.#queue.push({ payload, size, done, sentAt: 0 });
    this.#pump();
  }

  #pump(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined) return;
      if (this.#onTheWay > 0 && this.#onTheWay + next.size > WINDOW) return;
      this.#queue.shift();
      this.#onTheWay += next.size;
      next.sentAt = performance.now();
      this.#lastSent = next.sentAt;
      this.#outstanding.set(this.#wire.send(socket, next.payload), next);
    }
  }

  #connected(socket: Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    this.#enqueue(`authenticate|${this.#options.secret}|`, (reply) => {
      if (!reply.ok) {
        if (!reply.lost && !this.#refused) {
          this.#refused = true;
          this.#told = true;
          this.#options.log.error({ reason: reply.reason }, 'the drachtio-server refuses our secret');
        }
        socket.destroy();
        return;
      }
      this.#refused = false;
      this.#route(reply.fields[1] ?? '', reply.fields[3] ?? '');
    });
  }

  #route(outside: string, local: string): void {
    let left = this.#options.verbs.length;
    for (const verb of this.#options.verbs) {
      this.#enqueue(`route|${verb}`, (reply) => {
        left -= 1;
        if (!reply.ok || left > 0) return;
        this.#up = true;
        this.#told = false;
        this.#options.log.info({ addresses: outside }, 'the drachtio-server is there');
        this.#user.onUp(outside, local);
      });
    }
  }

  /** Gives no more requests to this edge; those under way go on. */
  unroute(): void {
    // The server takes away all routes of the connection, whichever is named.
    if (this.#up) this.#enqueue(`remove_route|${this.#options.verbs[0] ?? ''}`, () => undefined);
  }

  #lost(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    const wasUp = this.#up;
    this.#up = false;
    this.losses += 1;
    this.#onTheWay = 0;
    const waiting = [...this.#outstanding.values(), ...this.#queue.splice(0)];
    this.#outstanding.clear();
    for (const { done } of waiting) done({ ok: false, reason: 'the drachtio-server went away', lost: true });
    if (wasUp) {
      this.#user.onDown();
      this.#tellAway('the connection was closed');
    }
  }

  /** One line for each time that it goes, however often a new connection fails. */
  #tellAway(reason: string): void {
    if (this.#wire.closing === true || this.#told) return;
    this.#told = true;
    this.#options.log.warn({ reason }, 'the drachtio-server is away, phones get no answer');
  }

  #receive(text: string): void {
    const end = text.indexOf('\r\n');
    const head = end < 0 ? text : text.slice(0, end);
    const message = end < 0 ? '' : text.slice(end + 2);
    const fields = head.split('|');
    if (fields[1] === 'sip') {
      this.#user.onSip(fields, message);
      return;
    }
    if (fields[1] !== 'response') return;
    const id = fields[2] ?? '';
    const waiting = this.#outstanding.get(id);
    if (waiting === undefined) return;
    this.#outstanding.delete(id);
    this.#onTheWay -= waiting.size;
    const reply: Reply =
      fields[3] === 'OK'
        ? { ok: true, fields: fields.slice(3), message }
        : { ok: false, reason: fields[4] ?? fields[3] ?? '', lost: false };
    waiting.done(reply);
    this.#pump();
  }

  #tick(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const now = performance.now();
    const [oldest] = this.#outstanding.values();
    if (oldest !== undefined && now - oldest.sentAt > REPLY_TIMEOUT_MS) {
      this.#options.log.error({}, 'the drachtio-server does not reply, connecting anew');
      socket.destroy();
      return;
    }
    if (this.#up && now - this.#lastSent > PING_MS) this.#enqueue('ping', () => undefined);
  }
}

/** Length, "#", message id, "|". */
const FRAME_OVERHEAD = 6 + 36 + 1;
