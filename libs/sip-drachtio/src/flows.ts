import { isIP, isIPv4 } from 'node:net';
import type { Endpoint, Flow, TransportName } from '@rollcall/sip-transaction';

/** Where the server listens, outside and behind. */
export interface ServerAddress {
  readonly transport: TransportName;
  readonly local: Endpoint;
  readonly advertised: Endpoint;
}

/** What a flow hands a message to that it is given whole. */
export type SendWhole = (message: string, flow: DrachtioFlow) => boolean;

/**
 * A peer of the server: transport and address. The server, not we, has the connection; whether it still stands is seen when
 * something is sent.
 */
export class DrachtioFlow implements Flow {
  readonly reliable: boolean;
  readonly open = true;

  constructor(
    readonly id: string,
    readonly transport: TransportName,
    readonly remote: Endpoint,
    readonly local: Endpoint,
    readonly advertised: Endpoint,
    private readonly whole: SendWhole,
  ) {
    this.reliable = transport !== 'udp';
  }

  /** The next hop as the server wants it. */
  get uri(): string {
    const host = this.remote.address.includes(':') ? `[${this.remote.address}]` : this.remote.address;
    return `sip:${host}:${String(this.remote.port)};transport=${this.transport}`;
  }

  send(message: string): boolean {
    return this.whole(message, this);
  }

  close(): void {
    // There is no way to ask the server for it.
  }
}

/**
 * `udp/192.0.2.1:5060,tcp/192.0.2.1:5060` twice: as the outside is told, and as it is bound. A part that is not understood is left
 * out.
 */
export function readAddresses(outside: string, local: string): ServerAddress[] {
  const bound = read(local);
  return read(outside).map(({ transport, endpoint }, index) => ({
    transport,
    advertised: endpoint,
    local: (bound[index]?.transport === transport ? bound[index] : undefined)?.endpoint ?? endpoint,
  }));
}

const TRANSPORTS: ReadonlySet<string> = new Set(['udp', 'tcp', 'tls', 'ws', 'wss']);

function read(text: string): { transport: TransportName; endpoint: Endpoint }[] {
  return text.split(',').flatMap((part) => {
    const match = /^(\w+)\/\[?([^\]]+?)\]?:(\d{1,5})$/.exec(part.trim());
    const [, transport = '', address = '', port = ''] = match ?? [];
    if (!TRANSPORTS.has(transport)) return [];
    return [{ transport: transport as TransportName, endpoint: { address, port: Number(port) } }];
  });
}

/** Hex digits of an address: 8 for IPv4, 32 for IPv6. Undefined for what is no address. */
export function addressHex(address: string): string | undefined {
  if (isIPv4(address))
    return address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
  if (isIP(address) !== 6 || address.includes('.') || address.includes('%')) return undefined;
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after]
    .map((group) => group.padStart(4, '0'))
    .join('')
    .toLowerCase();
}

/** The address that hex digits name. */
export function addressFromHex(hex: string): string | undefined {
  if (/^[0-9a-f]{8}$/.test(hex))
    return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  return (hex.match(/.{4}/g) ?? []).map((group) => group.replace(/^0{1,3}/, '')).join(':');
}

/** Flows by what their ids say: nothing is kept. */
export class Flows {
  addresses: readonly ServerAddress[] = [];

  constructor(private readonly whole: SendWhole) {}

  /** The flow of a peer. Undefined when it is no address, or the server does not listen on that transport. */
  of(transport: TransportName, remote: Endpoint): DrachtioFlow | undefined {
    const hex = addressHex(remote.address);
    const index = this.addresses.findIndex((one) => one.transport === transport);
    const server = this.addresses[index];
    if (hex === undefined || server === undefined) return undefined;
    // For UDP as the native engine names it: its flows outlive a restart, and a change of the engine.
    const id =
      transport === 'udp'
        ? `u0-${hex}-${String(remote.port)}`
        : `d${transport}-${hex}-${String(remote.port)}`;
    return new DrachtioFlow(id, transport, remote, server.local, server.advertised, this.whole);
  }

  /** The flow that an id names. */
  named(id: string): DrachtioFlow | undefined {
    const [kind = '', hex = '', port = ''] = id.split('-');
    const address = addressFromHex(hex);
    if (address === undefined || !/^[1-9]\d{0,4}$/.test(port)) return undefined;
    const transport = /^u\d+$/.test(kind) ? 'udp' : kind.slice(1);
    if (!TRANSPORTS.has(transport) || (transport !== 'udp' && !kind.startsWith('d'))) return undefined;
    return this.of(transport as TransportName, { address, port: Number(port) });
  }
}
