import type { FrontCounters } from './counters.ts';
import type { NetLimits } from './limits.ts';

/**
 * Who may have another stream connection: in all, and from one address. A connection counts from its accept, so that
 * half-done handshakes are inside the bounds too, until it is closed.
 */
export class Admission {
  readonly #limits: NetLimits;
  readonly #counters: FrontCounters;
  readonly #perAddress = new Map<string, number>();
  #all = 0;

  constructor(limits: NetLimits, counters: FrontCounters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  /** Connections that are counted now. */
  get size(): number {
    return this.#all;
  }

  /** Counts a connection whose address is not known yet: one from a balancer. False when there are too many. */
  enter(): boolean {
    if (this.#all >= this.#limits.maxConnections) return this.#refuse();
    this.#all += 1;
    return true;
  }

  /** Gives a counted connection its address. False when that address has too many; it is still counted in all. */
  name(address: string): boolean {
    const there = this.#perAddress.get(address) ?? 0;
    if (there >= this.#limits.maxConnectionsPerAddress) return this.#refuse();
    this.#perAddress.set(address, there + 1);
    return true;
  }

  /** Ends what `enter` and, when an address is given, `name` have begun. */
  leave(address: string | undefined): void {
    this.#all -= 1;
    if (address === undefined) return;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  #refuse(): false {
    this.#counters.connectionsRefused += 1;
    return false;
  }
}
