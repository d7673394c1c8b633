import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { SipAddress } from './plan.ts';

/** True when nobody listens there. */
export function isFree({ transport, host, port }: SipAddress): Promise<boolean> {
  return new Promise((resolve) => {
    if (transport === 'udp') {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.on('error', () => resolve(false));
      socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
    } else {
      const server = createServer();
      server.on('error', () => resolve(false));
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
    }
  });
}

/** The first address that is taken. */
export async function firstBusy(addresses: readonly SipAddress[]): Promise<SipAddress | undefined> {
  for (const address of addresses) if (!(await isFree(address))) return address;
  return undefined;
}
