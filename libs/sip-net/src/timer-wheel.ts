/** Who is told when a timer fires; `what` is the name that it was started under. */
export interface WheelUser {
  onTimer(what: string): void;
}

/** A link of a slot's list; alone when it is its own neighbour. The head of a list is one that never fires. */
class Timer {
  previous: Timer = this;
  next: Timer = this;
  constructor(
    /** The tick at which it fires. */
    readonly due: number,
    readonly user: WheelUser,
    readonly what: string,
  ) {}
}

const NOBODY: WheelUser = { onTimer: () => undefined };

/** A started timer; opaque. */
export type WheelTimer = Timer;

/**
 * Timers for transactions: a ring of slots, each a linked list of the timers that fall in it, turned by one coarse
 * interval of the owner's. Starting and stopping costs a few pointers, and there is no system timer for each
 * transaction. A timer fires at the first tick at or after its time, never before.
 */
export class TimerWheel {
  readonly #slots: Timer[];
  readonly #tickMs: number;
  /** The last tick that was turned to, in ticks since `#epoch`. */
  #tick = 0;
  readonly #epoch: number;
  #size = 0;

  /** @param now current time in ms, the same scale as `turn` gets. */
  constructor(now: number, tickMs: number, slots = 1024) {
    this.#epoch = now;
    this.#tickMs = tickMs;
    this.#slots = Array.from({ length: slots }, () => new Timer(Infinity, NOBODY, 'head'));
  }

  /** Timers started and not yet fired or stopped. */
  get size(): number {
    return this.#size;
  }

  start(ms: number, now: number, user: WheelUser, what: string): WheelTimer {
    const due = Math.max(this.#tick + 1, Math.ceil((now + ms - this.#epoch) / this.#tickMs));
    const timer = new Timer(due, user, what);
    const head = this.#slot(due);
    timer.previous = head.previous;
    timer.next = head;
    head.previous.next = timer;
    head.previous = timer;
    this.#size += 1;
    return timer;
  }

  /** Stops a timer; a timer that has fired or been stopped is left alone. */
  stop(timer: WheelTimer): void {
    if (timer.next === timer) return;
    timer.previous.next = timer.next;
    timer.next.previous = timer.previous;
    timer.previous = timer;
    timer.next = timer;
    this.#size -= 1;
  }

  /** Fires everything that is due at `now`. A clock that went back fires nothing. */
  turn(now: number): void {
    const target = Math.floor((now - this.#epoch) / this.#tickMs);
    // After a jump of more than one turn each slot is visited once: every timer that is due is in one of them.
    this.#tick = Math.max(this.#tick, target - this.#slots.length);
    while (this.#tick < target) {
      this.#tick += 1;
      this.#fire(this.#slot(this.#tick), target);
    }
  }

  #fire(head: Timer, target: number): void {
    let link = head.next;
    while (link !== head) {
      const timer = link;
      link = link.next;
      if (timer.due > target) continue;
      const resume = link;
      this.stop(timer);
      timer.user.onTimer(timer.what);
      // The callback may have stopped the neighbour; then the slot is read from its start again.
      if (resume !== head && resume.next === resume) link = head.next;
    }
  }

  #slot(tick: number): Timer {
    const slot = this.#slots[tick % this.#slots.length];
    if (slot === undefined) throw new RangeError(`no slot for tick ${String(tick)}`);
    return slot;
  }
}
