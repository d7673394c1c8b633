import { ProblemError } from '@rollcall/http';

/** Bounds of the event streams. */
export interface StreamLimits {
  /** Streams open at one time. */
  readonly streams: number;
  /** Bytes that may wait for a client when more comes; a slower one is cut off and resumes by its Last-Event-ID. */
  readonly bufferedBytes: number;
  /** Between signs of life on a quiet stream. */
  readonly heartbeatMs: number;
}

export const STREAM_LIMITS: StreamLimits = { streams: 256, bufferedBytes: 1_048_576, heartbeatMs: 15_000 };

const RETRY_AFTER_S = '5';

/** Counts the open event streams, refuses more than the limit, and ends them all at shutdown. */
export class StreamGate {
  readonly #open = new Set<AbortController>();
  #closed = false;
  /** Streams refused because too many were open. */
  refused = 0;
  /** Streams cut off because their client was too slow. */
  dropped = 0;

  constructor(readonly limits: StreamLimits = STREAM_LIMITS) {}

  get size(): number {
    return this.#open.size;
  }

  /** A place for one stream; it ends when its signal aborts, and must be given back with `leave`. */
  enter(): AbortController {
    if (this.#closed || this.#open.size >= this.limits.streams) {
      this.refused += 1;
      throw new ProblemError('too-many-streams', undefined, { headers: { 'retry-after': RETRY_AFTER_S } });
    }
    const place = new AbortController();
    this.#open.add(place);
    return place;
  }

  leave(place: AbortController): void {
    this.#open.delete(place);
    place.abort();
  }

  /** Ends every stream and lets no more in. */
  close(): void {
    this.#closed = true;
    for (const place of this.#open) place.abort();
  }
}
