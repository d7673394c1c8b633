import { createSocket, type Socket, type SocketType } from 'node:dgram';

/**
 * Sockets as Node has them: who sends through them one by one pays about 5 µs for each datagram received and sent more than
 * `DatagramBatches` does (ADR 18). What can be had from them:
 * - `lookup` answers at once: destinations are addresses, and dns.lookup would cost a thread and a tick;
 * - no callback: it would cost an object and a tick for each datagram. A send that fails is what UDP may always do;
 * - large socket buffers: a burst of thousands of datagrams must outlive a pause of the event loop.
 */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

export const openUdpSocket = (type: SocketType): Socket =>
  createSocket({
    type,
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
    lookup: (host, _options, callback) => {
      callback(null, host, host.includes(':') ? 6 : 4);
    },
  });
