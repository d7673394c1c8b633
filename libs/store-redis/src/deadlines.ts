import type { Call } from './call.ts';

/** How often calls are looked at, as a part of the time they have. */
const CHECKS_PER_TIMEOUT = 8;

/**
 * Keeps the time of all calls in flight with one timer. Calls are sent in order and have the same time, so that only the head
 * of the line is ever looked at.
 */
export class Deadlines {
  /** Set by whoever receives an answer, of whatever call. */
  heard = false;
  #head: Call | undefined;
  #tail: Call | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastHeardAt = 0;

  /** `expired` is told whether the server has been mute since the call was sent. */
  constructor(
    readonly timeoutMs: number,
    private readonly expired: (call: Call, mute: boolean) => void,
  ) {}

  add(call: Call, now: number): void {
    call.sentAt = now;
    call.next = undefined;
    if (this.#tail === undefined) this.#head = call;
    else this.#tail.next = call;
    this.#tail = call;
    this.#timer ??= setInterval(() => {
      this.#check(performance.now());
    }, this.timeoutMs / CHECKS_PER_TIMEOUT);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(now: number): void {
    if (this.heard) this.#lastHeardAt = now;
    this.heard = false;
    let call = this.#head;
    while (call !== undefined && (call.settled || now - call.sentAt >= this.timeoutMs)) {
      if (!call.settled) this.expired(call, this.#lastHeardAt < call.sentAt);
      call = call.next;
    }
    this.#head = call;
    if (call !== undefined) return;
    this.#tail = undefined;
    this.stop();
  }
}
