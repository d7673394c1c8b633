import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { FrontCounters } from './counters.ts';
import type { NetLimits } from './limits.ts';

export interface WebSocketSettings {
  /**
   * Origins (RFC 6454) that browsers may come from; any when unset. A client that sends none is no browser and may come
   * (RFC 6455 §10.2).
   */
  readonly origins?: readonly string[] | undefined;
}

/** RFC 7118 §4.1. */
const SUBPROTOCOL = 'sip';
/** Tokens and cookies of a site may come along with an upgrade. */
const MAX_REQUEST_BYTES = 16_384;
/** Frames that one message may be cut into; nobody cuts a SIP message into more. */
const MAX_FRAGMENTS = 256;
/** Pieces of one frame that are kept apart until it is whole. */
const MAX_PIECES = 8_192;
/** How long a closing handshake may take. */
const CLOSE_MS = 2_000;

/** A connection on which the upgrade has been done. */
export type OnUpgrade = (ws: WebSocket, socket: Duplex) => void;

/** The HTTP side of a WebSocket listener: takes sockets that are connected, and refuses all but `sip` over WebSocket. */
export class WebSocketUpgrade {
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #origins: ReadonlySet<string> | undefined;
  readonly #counters: FrontCounters;
  readonly #onUpgrade: OnUpgrade;

  constructor(settings: WebSocketSettings, limits: NetLimits, counters: FrontCounters, onUpgrade: OnUpgrade) {
    this.#origins =
      settings.origins === undefined ? undefined : new Set(settings.origins.map((one) => one.toLowerCase()));
    this.#counters = counters;
    this.#onUpgrade = onUpgrade;
    const options = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: limits.maxHeaderBytes + limits.maxBodyBytes,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_PIECES,
      closeTimeout: CLOSE_MS,
      handleProtocols: () => SUBPROTOCOL,
    };
    this.#webSockets = new WebSocketServer(options);
    this.#webSockets.on('wsClientError', (_error, socket) => {
      counters.upgradesRefused += 1;
      refuse(socket, 400, 'Bad Request');
    });
    this.#http = createServer({ maxHeaderSize: MAX_REQUEST_BYTES }, (_request, response) => {
      counters.upgradesRefused += 1;
      // RFC 9110 §15.5.22: what is served here is WebSocket alone.
      response
        .writeHead(426, { upgrade: 'websocket', connection: 'close' })
        .end('SIP over WebSocket (RFC 7118)\n');
    });
    this.#http.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
    this.#http.on('clientError', (_error, socket) => {
      counters.upgradesRefused += 1;
      refuse(socket, 400, 'Bad Request');
    });
  }

  /** Takes a connection; its time limit is the caller's. */
  take(socket: Duplex): void {
    this.#http.emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { origin } = request.headers;
    if (this.#origins !== undefined && origin !== undefined && !this.#origins.has(origin.toLowerCase())) {
      this.#counters.upgradesRefused += 1;
      refuse(socket, 403, 'Forbidden');
      return;
    }
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
    if (!offered.includes(SUBPROTOCOL)) {
      this.#counters.upgradesRefused += 1;
      refuse(socket, 400, 'Bad Request', 'the subprotocol "sip" is not offered (RFC 7118 section 4.1)\n');
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (ws) => {
      this.#onUpgrade(ws, socket);
    });
  }
}

function refuse(socket: Duplex, status: number, reason: string, body = ''): void {
  if (!socket.writable) return;
  socket.end(
    `HTTP/1.1 ${String(status)} ${reason}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${String(body.length)}\r\n\r\n${body}`,
  );
}
