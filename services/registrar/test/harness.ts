import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { parseMessage, StreamFramer } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';

const PATIENCE_MS = 20_000;
const POLL_MS = 25;

export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** An edge's end of the inner connection: requests go out, answers come back in any order. */
export class InnerPeer {
  readonly #waiting = new Map<string, (answer: SipResponse) => void>();
  readonly #framer = new StreamFramer({ maxHeaderBytes: 65_536, maxBodyBytes: 65_536 });
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => {
      for (const event of this.#framer.push(chunk)) {
        const parsed = event.kind === 'message' ? parseMessage(event.raw) : undefined;
        if (parsed?.ok === true && parsed.value.kind === 'response') this.#answered(parsed.value);
      }
    });
    this.#socket.on('error', () => undefined);
  }

  /** `text` has a branch of its own. */
  send(text: string): Promise<SipResponse> {
    const branch = /branch=([^;\s]+)/.exec(text)?.[1] ?? '';
    return new Promise((resolve) => {
      this.#waiting.set(branch, resolve);
      this.#socket.write(text, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #answered(answer: SipResponse): void {
    const via = answer.topVia();
    const branch = via.ok ? (via.value.branch ?? '') : '';
    this.#waiting.get(branch)?.(answer);
    this.#waiting.delete(branch);
  }
}
