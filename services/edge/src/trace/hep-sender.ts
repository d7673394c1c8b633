import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { encodeHep3, HEP_MAX_PAYLOAD, maskCredentials } from '@rollcall/trace';
import type { TraceEntry } from '@rollcall/trace';

export interface HepSenderOptions {
  readonly host: string;
  readonly port: number;
  readonly agent: number;
  readonly key?: string;
}

const CALL_ID = /\r\n(?:call-id|i)[ \t]*:[ \t]*([^\s]+)/i;

/** Sends what is kept to a capture server. Nobody waits for it, and what cannot be sent is counted and gone. */
export class HepSender {
  readonly #options: HepSenderOptions;
  readonly #socket: Socket;
  sent = 0;
  failed = 0;

  constructor(options: HepSenderOptions) {
    this.#options = options;
    this.#socket = createSocket(isIPv6(options.host) ? 'udp6' : 'udp4');
    this.#socket.unref();
    this.#socket.on('error', () => {
      this.failed += 1;
    });
  }

  send(entry: TraceEntry): void {
    if (entry.octets.length > HEP_MAX_PAYLOAD) {
      this.failed += 1;
      return;
    }
    const { host, port, agent, key } = this.#options;
    const masked = { ...entry, octets: maskCredentials(entry.octets) };
    const callId = CALL_ID.exec(entry.octets)?.[1];
    const packet = encodeHep3(masked, callId, key === undefined ? { agent } : { agent, key });
    this.#socket.send(packet, port, host, (error) => {
      if (error === null) this.sent += 1;
      else this.failed += 1;
    });
  }

  close(): void {
    this.#socket.close();
  }
}
