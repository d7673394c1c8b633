import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { SipAddress } from './plan.ts';

/** Why nothing can listen there, in Node's word (EADDRINUSE, EADDRNOTAVAIL, EACCES ...); undefined when something can. */
function refusalAt({ transport, host, port }: SipAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const refused = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message);
    if (transport === 'udp') {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.on('error', refused);
      socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
    } else {
      const server = createServer();
      server.on('error', refused);
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
    }
  });
}

export interface Busy extends SipAddress {
  /** Node's word for why. */
  readonly code: string;
}

/** The first address where nothing can listen. */
export async function firstBusy(addresses: readonly SipAddress[]): Promise<Busy | undefined> {
  for (const address of addresses) {
    const code = await refusalAt(address);
    if (code !== undefined) return { ...address, code };
  }
  return undefined;
}
