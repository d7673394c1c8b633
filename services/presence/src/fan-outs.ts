import type { Aor } from '@rollcall/location';
import { mergeWork } from './resource-work.ts';
import type { ResourceWork } from './resource-work.ts';

interface FanOut {
  /** What has come up while it runs: told afterwards, all at once. */
  next: { readonly work: ResourceWork; readonly told: Promise<void> } | undefined;
  readonly told: Promise<void>;
}

/**
 * One resource is told by one fan-out at a time in this process; changes that come meanwhile are put together, so that of many
 * in a row the watchers get the last state and not each of them.
 */
export class FanOuts {
  readonly #running = new Map<Aor, FanOut>();

  constructor(private readonly tell: (work: ResourceWork) => Promise<void>) {}

  /** Resources that are being told. */
  get size(): number {
    return this.#running.size;
  }

  /** Resolves when the work, and whatever was put together with it, has been told; rejects as `tell` does. */
  add(work: ResourceWork): Promise<void> {
    const running = this.#running.get(work.resource);
    if (running === undefined) return this.#start(work);
    if (running.next !== undefined) {
      mergeWork(running.next.work, work);
      return running.next.told;
    }
    work.known = undefined;
    const again = (): Promise<void> => this.#start(work);
    const told = running.told.then(again, again);
    running.next = { work, told };
    return told;
  }

  #start(work: ResourceWork): Promise<void> {
    const told = this.tell(work);
    const mine: FanOut = { next: undefined, told };
    this.#running.set(work.resource, mine);
    const end = (): void => {
      if (mine.next === undefined && this.#running.get(work.resource) === mine)
        this.#running.delete(work.resource);
    };
    told.then(end, end);
    return told;
  }
}
