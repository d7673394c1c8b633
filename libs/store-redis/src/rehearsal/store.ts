import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { openStore } from '../store.ts';
import type { Store } from '../store.ts';
import { Understudy } from './understudy.ts';
import { printReply, readCommand } from './wire.ts';

/** A store without a Redis, for rehearsals. */
export interface RehearsalStore {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

const HOST = '127.0.0.1';

/**
 * A store whose Redis is this process, on a port of 127.0.0.1 that nobody is told: what is run is the code of the real one, down to
 * the socket. It knows the calls of requests, and forgets all when it is closed. Rejects when there is no port, or no link.
 */
export async function openRehearsalStore(): Promise<RehearsalStore> {
  const understudy = new Understudy();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    serve(socket, understudy);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: HOST, port: 0 }, resolve);
  });
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const store = openStore({ url: `redis://${HOST}:${String(port)}` });
  const close = async (): Promise<void> => {
    await store.close();
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await store.client.settled();
  if (store.ready()) return { store, close };
  await close();
  throw new Error('no link to the store of the rehearsal');
}

function serve(socket: Socket, understudy: Understudy): void {
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  socket.on('data', (chunk: string) => {
    const text = rest + chunk;
    let from = 0;
    let replies = '';
    for (let command = readCommand(text, from); command !== undefined; command = readCommand(text, from)) {
      replies += printReply(understudy.answer(command.parts));
      from = command.end;
    }
    rest = text.slice(from);
    if (replies !== '') socket.write(replies, 'latin1');
  });
}
