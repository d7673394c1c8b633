import type { DeliverChanges, LocationEvent, LocationWatcher } from '@rollcall/location';
import { StoreUnavailable } from '@rollcall/location';

interface Follower {
  readonly deliver: DeliverChanges;
  readonly fail: (error: unknown) => void;
}

/** Bounds of a `SharedWatcher`. */
export interface SharedWatcherLimits {
  /** Recent events that are kept for clients that come back. */
  readonly recent: number;
  /** How long the watch goes on with nobody following. */
  readonly lingerMs: number;
}

const LIMITS: SharedWatcherLimits = { recent: 4_096, lingerMs: 30_000 };

/**
 * One watch of the store for any number of followers: each watch asks every shard several times a second. Who comes with the
 * cursor of a recent event is served from memory; who was away for longer gets a watch of its own until it has caught up.
 */
export class SharedWatcher implements LocationWatcher {
  readonly #followers = new Set<Follower>();
  #running: AbortController | undefined;
  #linger: NodeJS.Timeout | undefined;
  /** The latest events in order; `#first` is the number of the oldest, counted from the start of the watch. */
  #recent: LocationEvent[] = [];
  #first = 0;
  /** The number of the event that comes after each position which is still in memory. */
  readonly #next = new Map<string, number>();
  /** Where the watch stands; undefined until the source has said where it begins. */
  #position: string | undefined;

  constructor(
    private readonly source: LocationWatcher,
    private readonly limits: SharedWatcherLimits = LIMITS,
  ) {}

  async watch(cursor: string | undefined, deliver: DeliverChanges, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#start();
    if (cursor === undefined || this.#next.has(cursor)) {
      await this.#follow(cursor, deliver, signal);
      return;
    }
    const met = await this.#catchUp(cursor, deliver, signal);
    if (met !== undefined) await this.#follow(met, deliver, signal);
  }

  /** Ends the watch; followers end by their own signals. */
  close(): void {
    clearTimeout(this.#linger);
    this.#running?.abort();
    this.#forget();
  }

  /** Follows from the recent event with this cursor, or from now on. */
  #follow(cursor: string | undefined, deliver: DeliverChanges, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const follower: Follower = { deliver, fail: reject };
      this.#followers.add(follower);
      signal.addEventListener(
        'abort',
        () => {
          this.#followers.delete(follower);
          if (this.#followers.size === 0) this.#stopLater();
          resolve();
        },
        { once: true },
      );
      const next = cursor === undefined ? undefined : this.#next.get(cursor);
      const missed = next === undefined ? [] : this.#recent.slice(next - this.#first);
      if (this.#position !== undefined) deliver(missed, this.#position);
    });
  }

  /** A watch from an older cursor, until it meets the events in memory; gives the cursor where it met them. */
  async #catchUp(cursor: string, deliver: DeliverChanges, signal: AbortSignal): Promise<string | undefined> {
    const own = new AbortController();
    const ended = AbortSignal.any([signal, own.signal]);
    let met: string | undefined;
    const take: DeliverChanges = (events, position) => {
      if (ended.aborted) return;
      const meeting = events.find((event) => this.#next.has(event.cursor));
      if (meeting === undefined) {
        deliver(events, position);
        return;
      }
      met = meeting.cursor;
      deliver(events.slice(0, events.indexOf(meeting) + 1), met);
      own.abort();
    };
    // A source may call `take` before it listens to its signal.
    await new Promise<void>((resolve, reject) => {
      ended.addEventListener('abort', () => {
        resolve();
      });
      this.source.watch(cursor, take, ended).then(resolve, reject);
    });
    return signal.aborted ? undefined : met;
  }

  #start(): void {
    clearTimeout(this.#linger);
    if (this.#running !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    const take: DeliverChanges = (events, position) => {
      if (this.#running === running) this.#take(events, position);
    };
    this.source.watch(undefined, take, running.signal).then(
      () => {
        this.#end(running, new StoreUnavailable('the watch ended'));
      },
      (error: unknown) => {
        this.#end(running, error);
      },
    );
  }

  #take(events: readonly LocationEvent[], position: string): void {
    for (const event of events) {
      this.#recent.push(event);
      this.#next.set(event.cursor, this.#first + this.#recent.length);
    }
    this.#next.set(position, this.#first + this.#recent.length);
    this.#position = position;
    const over = this.#recent.length - this.limits.recent;
    if (over > 0) this.#forgetOldest(over);
    for (const follower of this.#followers) follower.deliver(events, position);
  }

  /** Positions are in the map in the order of what comes after them. */
  #forgetOldest(count: number): void {
    this.#recent.splice(0, count);
    this.#first += count;
    for (const [position, next] of this.#next) {
      if (next >= this.#first) return;
      this.#next.delete(position);
    }
  }

  #stopLater(): void {
    this.#linger = setTimeout(() => {
      this.close();
    }, this.limits.lingerMs);
    this.#linger.unref();
  }

  /** The watch is over: whoever follows must come again with the last cursor. */
  #end(running: AbortController, error: unknown): void {
    if (this.#running !== running) return;
    this.#forget();
    for (const follower of this.#followers) follower.fail(error);
    this.#followers.clear();
  }

  #forget(): void {
    this.#running = undefined;
    this.#recent = [];
    this.#next.clear();
    this.#position = undefined;
  }
}
