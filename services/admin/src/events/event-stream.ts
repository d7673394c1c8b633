import type { ServerResponse } from 'node:http';
import type { LocationEvent } from '@rollcall/location';
import { SECURITY_HEADERS } from '@rollcall/http';
import { isoTime, shown } from '../text.ts';
import type { EventData } from './event-schema.ts';

export function eventData(event: LocationEvent): EventData {
  return {
    at: isoTime(event.at),
    kind: event.kind,
    aor: shown(event.aor),
    binding: event.bindingId,
    contact: shown(event.contact),
    ...(event.actor === undefined ? {} : { actor: shown(event.actor) }),
  };
}

const STREAM_HEADERS = {
  ...SECURITY_HEADERS,
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Proxies that buffer would hold events back.
  'x-accel-buffering': 'no',
};

// A line break inside a field would begin another field (HTML §9.2.6); ids and kinds come from the store.
const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, '');

/** Writes server-sent events (HTML §9.2) on one response. */
export class EventStream {
  #opened = false;
  /** Where a client that has seen everything so far stands. */
  #cursor: string | undefined;
  #cursorSent: string | undefined;

  constructor(private readonly response: ServerResponse) {}

  /** Bytes that the client has not taken yet. */
  get buffered(): number {
    return this.response.writableLength;
  }

  open(): void {
    if (this.#opened) return;
    this.#opened = true;
    this.response.writeHead(200, STREAM_HEADERS);
    // The reconnection time, so that clients of a restarted service do not wait the browser's default.
    this.response.write('retry: 1000\n\n');
  }

  get isOpen(): boolean {
    return this.#opened;
  }

  /**
   * Events in order; those that `wanted` refuses only move the position on. The first batch sends the position whatever is in
   * it, so that a client that is cut off before its first event can resume.
   */
  send(events: readonly LocationEvent[], position: string, wanted: (event: LocationEvent) => boolean): void {
    let text = '';
    for (const event of events) {
      if (!wanted(event)) continue;
      this.#cursorSent = event.cursor;
      text += `id: ${oneLine(event.cursor)}\nevent: ${oneLine(event.kind)}\ndata: ${JSON.stringify(eventData(event))}\n\n`;
    }
    const first = this.#cursor === undefined;
    this.#cursor = position;
    this.open();
    if (text !== '') this.response.write(text);
    if (first && this.#cursorSent !== position) this.#sendPosition(position);
  }

  /** A sign of life; an `id` without data is no event (HTML §9.2.6), it moves the client's position past events that it did not want. */
  heartbeat(): void {
    if (this.#cursor === undefined || this.#cursor === this.#cursorSent) {
      this.response.write(': alive\n\n');
      return;
    }
    this.#sendPosition(this.#cursor);
  }

  #sendPosition(cursor: string): void {
    this.#cursorSent = cursor;
    this.response.write(`id: ${oneLine(cursor)}\n\n`);
  }

  /** Says why the stream ends, when it is too late for a status. */
  fail(problem: object): void {
    this.response.write(`event: problem\ndata: ${JSON.stringify(problem)}\n\n`);
  }

  end(): void {
    this.response.end();
  }

  /** Drops the connection with what is buffered for it. */
  cut(): void {
    this.response.destroy();
  }
}
