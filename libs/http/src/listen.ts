import type { Server } from 'node:http';

/** The address is in use by another process; `main.ts` prints the message as one line and exits 1. */
export class AddressInUse extends Error {
  override readonly name = 'AddressInUse';

  constructor(
    readonly host: string,
    readonly port: number,
  ) {
    super(`${host.includes(':') ? `[${host}]` : host}:${String(port)} (tcp) is already in use`);
  }
}

/** Turns the system's EADDRINUSE into `AddressInUse`; any other error comes back as it is. */
export function listenError(error: Error, host: string, port: number): Error {
  const inUse = 'code' in error && error.code === 'EADDRINUSE';
  return inUse ? new AddressInUse(host, port) : error;
}

/** The port that a listening server has, which matters when 0 was asked for. */
export function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Listens. Rejects with `AddressInUse`, or the system's error. */
export function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      reject(listenError(error, host, port));
    };
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      resolve(portOf(server));
    });
  });
}

/** How long a keep-alive or half-read request may hold up a shutdown. */
const CLOSE_GRACE_MS = 1_000;

/** Stops accepting, lets running requests end within a second, then closes what is left. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.closeAllConnections();
    }, CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
