import { parseUri } from '@rollcall/sip';
import type { SipUri } from '@rollcall/sip';
import { literalHops } from '@rollcall/sip-transaction';
import type { NextHop } from '@rollcall/sip-transaction';
import type { Egress, Onward } from './egress.ts';
import type { Target } from './response-context.ts';

/** Looks the next hops of a URI up (RFC 3263). Rejects when the DNS does not answer. */
export type LocateNextHops = (uri: SipUri, size: number) => Promise<readonly NextHop[]>;

/** Hosts that are names lead nowhere for an edge that has no DNS. */
export const NO_DNS: LocateNextHops = () => Promise.resolve([]);

/**
 * Targets outside that no flow leads to: for requests from inside, and for bindings that were stored without a Path. One next
 * hop after the other is tried until one answers (RFC 3263 §4.3).
 */
export class OutsideTargets {
  constructor(
    private readonly egress: Egress,
    private readonly locate: LocateNextHops,
  ) {}

  /** Undefined for a URI that leads nowhere. */
  of(uriText: string, onward: Onward, size: number): Target | undefined {
    const uri = parseUri(uriText);
    if (!uri.ok || uri.value.kind !== 'sip') return undefined;
    const literal = literalHops(uri.value, size);
    if (literal !== undefined) return literal.length === 0 ? undefined : this.#at(literal, 0, onward);
    let hops: readonly NextHop[] = [];
    return {
      ...this.#at([], 0, onward),
      resolve: (done) => {
        this.locate(uri.value as SipUri, size).then(
          (found) => {
            hops = found;
            this.#at(hops, 0, onward).resolve(done);
          },
          () => {
            done(undefined, false);
          },
        );
      },
      otherwise: (_gone, done) => {
        done(this.#next(hops, 0, onward));
      },
    };
  }

  #next(hops: readonly NextHop[], at: number, onward: Onward): Target | undefined {
    return at + 1 < hops.length ? this.#at(hops, at + 1, onward) : undefined;
  }

  #at(hops: readonly NextHop[], at: number, onward: Onward): Target {
    return {
      onward,
      failover: true,
      resolve: (done) => {
        const hop = hops[at];
        done(hop === undefined ? undefined : this.egress.direct(hop), false);
      },
      otherwise: (_gone, done) => {
        done(this.#next(hops, at, onward));
      },
    };
  }
}
