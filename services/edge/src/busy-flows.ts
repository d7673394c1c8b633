import type { Flow } from '@rollcall/sip-transaction';

/** Flows with proxied requests in progress: a drain closes them last (K26). */
export class BusyFlows {
  readonly #counts = new Map<Flow, number>();

  /** Proxied requests in progress, each counted once for every flow that it is on. */
  get size(): number {
    return this.#counts.size;
  }

  has(flow: Flow): boolean {
    return this.#counts.has(flow);
  }

  enter(flow: Flow): void {
    this.#counts.set(flow, (this.#counts.get(flow) ?? 0) + 1);
  }

  leave(flow: Flow): void {
    const left = (this.#counts.get(flow) ?? 1) - 1;
    if (left > 0) this.#counts.set(flow, left);
    else this.#counts.delete(flow);
  }
}
