import { MessageTable } from './message-table.ts';
import { SocketNames } from './socket-names.ts';
import { type SystemCalls, systemCalls, systemError } from './system-calls.ts';

/** Datagrams of one call. */
const READ_AT_ONCE = 32;
/** Calls in one turn of the event loop: streams and timers want their turn too. */
const READS_A_TURN = 2;
/** The longest datagram of UDP. */
const LONGEST = 65_536;

/** `SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC`, `MSG_DONTWAIT`, `SOL_SOCKET`, `SO_REUSEADDR` of Linux. */
const DATAGRAM_SOCKET = 2 | 0o4000 | 0o2000000;
const DONT_WAIT = 0x40;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

/** Takes a datagram, which lies in `octets` from `start` to `end` for as long as the call lasts. */
export type OnDatagram = (octets: Buffer, start: number, end: number, address: string, port: number) => void;

/**
 * The datagrams of one UDP socket by the system's own calls: up to 32 that came are read with one, and one that goes takes no object of
 * Node's (ADR 18).
 */
export class DatagramBatches {
  readonly fd: number;
  readonly #calls: SystemCalls;
  readonly #names: SocketNames;
  readonly #in: MessageTable;
  readonly #out = Buffer.allocUnsafeSlow(LONGEST);
  readonly #onDatagram: OnDatagram;
  #reads = 0;

  private constructor(calls: SystemCalls, fd: number, names: SocketNames, onDatagram: OnDatagram) {
    this.fd = fd;
    this.#calls = calls;
    this.#names = names;
    this.#onDatagram = onDatagram;
    this.#in = new MessageTable(READ_AT_ONCE, LONGEST, names.length, (buffer) => calls.address(buffer));
  }

  /**
   * Opens and binds a socket. Undefined where the system calls cannot be had. Rejects with the system's error (EADDRINUSE, EACCES,
   * EADDRNOTAVAIL).
   */
  static async open(
    host: string,
    port: number,
    isIPv6: boolean,
    onDatagram: OnDatagram,
  ): Promise<DatagramBatches | undefined> {
    const calls = await systemCalls();
    if (calls === undefined) return undefined;
    const names = new SocketNames(isIPv6);
    const fd = calls.socket(names.family, DATAGRAM_SOCKET, 0);
    if (fd < 0) throw systemError('socket', calls.errno(), host, port);
    if (calls.bind(fd, names.of(host, port), names.length) < 0) {
      const errno = calls.errno();
      calls.close(fd);
      throw systemError('bind', errno, host, port);
    }
    return new DatagramBatches(calls, fd, names, onDatagram);
  }

  /** libuv lets others bind to the port of a socket that it was given; this takes it back. */
  claimPort(): void {
    this.#calls.setsockopt(this.fd, SOL_SOCKET, SO_REUSEADDR, new Uint8Array(4), 4);
  }

  /** The name of a peer, for `send`. */
  nameOf(address: string, port: number): Uint8Array {
    return this.#names.of(address, port);
  }

  /** Reads what waits in the socket, up to a bound for each turn of the event loop. */
  receive(): void {
    if (this.#reads === 0) setImmediate(this.#endTurn);
    const { words, octets, size } = this.#in;
    while (this.#reads < READS_A_TURN) {
      this.#reads += 1;
      const count = this.#calls.recvmmsg(this.fd, this.#in.headers, READ_AT_ONCE, DONT_WAIT, null);
      for (let slot = 0; slot < count; slot += 1) {
        const length = this.#in.received(slot);
        const name = this.#in.nameAt(slot);
        const address = this.#names.address(words, name);
        const start = slot * size;
        this.#onDatagram(octets, start, start + length, address, this.#names.port(words, name));
      }
      if (count < READ_AT_ONCE) return;
    }
  }

  /** Sends an octet string. False when the system does not take it now. */
  send(message: string, name: Uint8Array): boolean {
    const { length } = message;
    if (length > LONGEST) return false;
    this.#out.write(message, 0, 'latin1');
    return this.#calls.sendto(this.fd, this.#out, length, DONT_WAIT, name, this.#names.length) === length;
  }

  readonly #endTurn = (): void => {
    this.#reads = 0;
  };
}
