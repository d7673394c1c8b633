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

  /** The call in flight that was sent first. */
  get head(): Call | undefined {
    return this.#head;
  }

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

  /**
   * Lets go of the calls that have ended. Each is unchained as it goes: a long chain of dead calls, once its first has grown old,
   * would keep all of them alive through every young collection (measured: half of all time).
   */
  release(): void {
    let call = this.#head;
    while (call?.settled === true) {
      const next: Call | undefined = call.next;
      call.next = undefined;
      call = next;
    }
    this.#head = call;
    if (call === undefined) this.#tail = undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(now: number): void {
    if (this.heard) this.#lastHeardAt = now;
    this.heard = false;
    this.release();
    while (this.#head !== undefined && now - this.#head.sentAt >= this.timeoutMs) {
      this.expired(this.#head, this.#lastHeardAt < this.#head.sentAt);
      this.release();
    }
    if (this.#head === undefined) this.stop();
  }
}
