import { BlockList, isIP } from 'node:net';
import { BoundedMap } from '@rollcall/kernel';
import type { Flow } from '@rollcall/sip-transaction';

/** One address or one network, as the configuration writes it: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`. */
export type Network = string;

/** Addresses whose answer is kept: the list makes objects for each question, and the same peers come again and again. */
const KEPT = 4_096;

/** A set of addresses and networks. */
export class Networks {
  readonly #list = new BlockList();
  readonly #known = new BoundedMap<string, boolean>(KEPT);
  readonly #empty: boolean;

  constructor(networks: readonly Network[]) {
    this.#empty = networks.length === 0;
    for (const network of networks) {
      const [address = '', prefix] = network.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  has(address: string): boolean {
    if (this.#empty) return false;
    const known = this.#known.peek(address);
    if (known !== undefined) return known;
    const has = this.#list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
    this.#known.set(address, has);
    return has;
  }
}

/**
 * Peers that may call without credentials: gateways, other proxies (RFC 3325 §4: a trust domain). Known by the address of a
 * flow, or by the name that their TLS certificate proves (RFC 5922).
 */
export class TrustedPeers {
  readonly #networks: Networks;
  readonly #names: ReadonlySet<string>;

  constructor(networks: readonly Network[], names: readonly string[]) {
    this.#networks = new Networks(networks);
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  trusts(flow: Flow): boolean {
    if (this.#networks.has(flow.remote.address)) return true;
    const { certificateNames } = flow;
    return certificateNames?.some((name) => this.#names.has(name.toLowerCase())) === true;
  }
}
