/** The part of drachtio-srf 5.0.29 that speaks to the server; the package's own types leave it out. */
declare module 'drachtio-srf/lib/wire-protocol.js' {
  import { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  interface ConnectOptions {
    readonly host: string;
    readonly port: number;
    readonly reconnect: { readonly retryMaxDelay: number };
  }

  class WireProtocol extends EventEmitter {
    constructor(options: object);
    /** No reconnect when true. */
    closing?: boolean;
    reconnectVars: { retryTimer: NodeJS.Timeout | null };
    /** What has come of a frame that is not whole yet. */
    mapIncomingMsg: Map<Socket, { incomingMsg: Buffer }>;
    connect(options: ConnectOptions): void;
    /** Writes one frame; gives its message id. */
    send(socket: Socket, message: string): string;
    _onData(socket: Socket, chunk: Buffer): void;
  }
  export = WireProtocol;
}
