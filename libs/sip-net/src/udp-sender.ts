import type { Socket } from 'node:dgram';

/** First version: one `send` for each datagram. */
export class UdpSender {
  readonly #socket: Socket;
  readonly #onResult: (error: Error | null) => void;

  constructor(socket: Socket, onResult: (error: Error | null) => void) {
    this.#socket = socket;
    this.#onResult = onResult;
  }

  send(message: string, port: number, address: string): void {
    this.#socket.send(Buffer.from(message, 'latin1'), port, address, this.#onResult);
  }
}
