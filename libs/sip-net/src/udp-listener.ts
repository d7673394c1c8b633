import type { Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { BoundedMap } from '@rollcall/kernel';
import type { Endpoint, Flow } from '@rollcall/sip-transaction';
import { addressFromHex, addressHex, plainAddress } from './addresses.ts';
import { type Advertised, advertisedFor } from './advertised.ts';
import { DatagramBatches, type OnDatagram } from './batches/datagram-batches.ts';
import type { FrontCounters } from './counters.ts';
import { PROBE_MS, QueueProbe } from './queue-probe.ts';
import { answerBinding } from './stun.ts';
import type { TapSlot } from './tap.ts';
import { openUdpSocket } from './udp-sender.ts';

const CR = 0x0d;
const LF = 0x0a;
/** The first octet of a STUN message is 0 or 1 (RFC 7983 §7: below 4); no SIP message begins so. */
const LOWEST_SIP_OCTET = 0x20;

/** Where a socket that listens on every address reaches itself. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Flows that are kept between the datagrams of a peer, so that they need not be made and named anew; a power of two. */
const KEPT_FLOWS = 16_384;

export interface UdpOptions {
  readonly index: number;
  readonly host: string;
  readonly port: number;
  readonly advertised?: Endpoint | undefined;
  readonly advertisedIPv4?: Endpoint | undefined;
  readonly counters: FrontCounters;
  readonly tap: TapSlot;
  /** Reads and sends many datagrams at a time where the system lets us. */
  readonly batches: boolean;
  onDatagram(raw: string, flow: Flow): void;
  readonly now: () => number;
}

/** One UDP socket. Its flows have no table: listener, address and port are the flow (RFC 5626 §3). */
export class UdpListener {
  readonly transport = 'udp' as const;
  local: Endpoint;
  advertised: Advertised;
  readonly index: number;
  readonly tap: TapSlot;
  readonly #options: UdpOptions;
  readonly #socket: Socket;
  readonly #isIPv6: boolean;
  readonly #flows = new Array<UdpFlow | undefined>(KEPT_FLOWS).fill(undefined);
  readonly #named = new BoundedMap<string, UdpFlow>(KEPT_FLOWS);
  open = false;
  #batches: DatagramBatches | undefined;
  readonly #probe: QueueProbe;
  #probing: NodeJS.Timeout | undefined;

  constructor(options: UdpOptions) {
    this.#options = options;
    this.index = options.index;
    this.tap = options.tap;
    this.local = { address: options.host, port: options.port };
    this.advertised = { any: options.advertised ?? this.local, ipv4: options.advertisedIPv4 };
    this.#isIPv6 = isIPv6(options.host);
    this.#socket = openUdpSocket(this.#isIPv6 ? 'udp6' : 'udp4');
    this.#probe = new QueueProbe((octets) => {
      this.#socket.send(octets, this.local.port, LOOPBACK[this.local.address] ?? this.local.address);
    }, options.now);
  }

  /** True when datagrams are read and sent many at a time. */
  get inBatches(): boolean {
    return this.#batches !== undefined;
  }

  /** Binds. Rejects with the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
  async start(): Promise<void> {
    const { host, port, batches } = this.#options;
    if (batches) this.#batches = await DatagramBatches.open(host, port, this.#isIPv6, this.#onDatagram);
    const fd = this.#batches?.fd;
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind(fd === undefined ? { port, address: host, exclusive: true } : { fd }, () => {
        this.#socket.off('error', reject);
        resolve();
      });
    });
    this.#batches?.claimPort();
    this.local = { address: this.#options.host, port: this.#socket.address().port };
    this.advertised = { any: this.#options.advertised ?? this.local, ipv4: this.#options.advertisedIPv4 };
    this.open = true;
    this.#socket.on('error', () => {
      this.#options.counters.datagramsFailed += 1;
    });
    this.#socket.on('message', (data, { address, port }) => {
      this.#onDatagram(data, 0, data.length, plainAddress(address), port);
      // Node read the first; what waits behind it is read at once.
      this.#batches?.receive();
    });
    this.#probing = setInterval(() => {
      this.#probe.tick();
    }, PROBE_MS);
  }

  /** How long a datagram waits in the socket now, ms. */
  waits(): number {
    return this.#probe.waits();
  }

  flowTo(remote: Endpoint): Flow {
    return new UdpFlow(this, remote.address, remote.port);
  }

  /** True when datagrams can go there from this socket; one on `::` serves IPv4 too. */
  reaches(address: string): boolean {
    return isIPv6(address) === this.#isIPv6 || this.local.address === '::';
  }

  /** The flow that an id of the form `u<listener>-<address hex>-<port>` names. */
  flowOf(id: string): Flow | undefined {
    const known = this.#named.peek(id);
    if (known !== undefined) return known;
    const [, hex = '', port = ''] = id.split('-');
    const address = addressFromHex(hex);
    if (address === undefined || !/^\d{1,5}$/.test(port)) return undefined;
    if (Number(port) < 1 || Number(port) > 65_535 || !this.reaches(address)) return undefined;
    const flow = new UdpFlow(this, address, Number(port));
    this.#named.set(id, flow);
    return flow;
  }

  send(message: string, to: UdpFlow): boolean {
    if (!this.open) return false;
    this.#options.counters.datagramsOut += 1;
    const batches = this.#batches;
    if (batches !== undefined) {
      to.name ??= batches.nameOf(to.address, to.port);
      if (batches.send(message, to.name)) return true;
    }
    // Node waits until the system takes it, or says what is wrong.
    this.#sendAlone(Buffer.from(message, 'latin1'), to.address, to.port);
    return true;
  }

  async stop(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    clearInterval(this.#probing);
    await new Promise<void>((resolve) => {
      this.#socket.close(() => {
        resolve();
      });
    });
  }

  readonly #onDatagram: OnDatagram = (octets, start, end, address, port) => {
    if (!this.open) return;
    const first = octets[start];
    if (start === end || first === undefined || first < LOWEST_SIP_OCTET) {
      if (!this.#isMessage(octets.subarray(start, end), address, port)) return;
    } else this.#options.counters.datagramsIn += 1;
    this.#options.onDatagram(octets.toString('latin1', start, end), this.#flowFrom(address, port));
  };

  /** False for what does not begin as SIP does, and has been seen to: probes, STUN, keep-alives. */
  #isMessage(data: Buffer, address: string, port: number): boolean {
    const { counters } = this.#options;
    const first = data[0];
    if (first !== undefined && this.#probe.takes(data)) return false;
    counters.datagramsIn += 1;
    if (first === undefined || first === CR || first === LF) {
      if (!isBlank(data)) return true;
      counters.keepAlives += 1;
    } else this.#receiveStun(data, address, port);
    return false;
  }

  /** RFC 5626 §8: STUN comes to the port of SIP, as the keep-alive of a UDP flow. */
  #receiveStun(data: Buffer, address: string, port: number): void {
    const { counters } = this.#options;
    const reply = answerBinding(data, address, port);
    if (reply === undefined) {
      counters.notSip += 1;
      return;
    }
    counters.stunAnswered += 1;
    this.#sendAlone(reply, address, port);
  }

  #sendAlone(octets: Buffer, address: string, port: number): void {
    const mapped = this.#isIPv6 && !address.includes(':');
    // A callback costs an object and a tick: only where nearly all goes out without Node.
    const onSent = this.#batches === undefined ? undefined : this.#onSent;
    this.#socket.send(octets, port, mapped ? `::ffff:${address}` : address, onSent);
  }

  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#options.counters.datagramsFailed += 1;
  };

  /** The flow of a peer; the same object as last time, for as long as nobody else needs its place. */
  #flowFrom(address: string, port: number): UdpFlow {
    let place = port;
    for (let i = 0; i < address.length; i += 1) place = Math.imul(place ^ address.charCodeAt(i), 0x01000193);
    place = (place ^ (place >>> 15)) & (KEPT_FLOWS - 1);
    const known = this.#flows[place];
    if (known !== undefined && known.port === port && known.address === address) return known;
    const flow = new UdpFlow(this, address, port);
    this.#flows[place] = flow;
    return flow;
  }
}

const isBlank = (data: Buffer): boolean => data.every((octet) => octet === CR || octet === LF);

/** Flow and endpoint in one object. */
class UdpFlow implements Flow, Endpoint {
  readonly transport = 'udp' as const;
  readonly reliable = false;
  readonly #listener: UdpListener;
  readonly address: string;
  readonly port: number;
  /** What the system calls the peer; known once something has been sent by its own calls. */
  name: Uint8Array | undefined = undefined;
  #id: string | undefined = undefined;

  constructor(listener: UdpListener, address: string, port: number) {
    this.#listener = listener;
    this.address = address;
    this.port = port;
  }

  get id(): string {
    return (this.#id ??= this.#name());
  }

  #name(): string {
    return `u${String(this.#listener.index)}-${addressHex(this.address)}-${String(this.port)}`;
  }

  get remote(): Endpoint {
    return this;
  }

  get local(): Endpoint {
    return this.#listener.local;
  }

  get advertised(): Endpoint {
    return advertisedFor(this.#listener.advertised, this.address);
  }

  get open(): boolean {
    return this.#listener.open;
  }

  send(message: string): boolean {
    this.#listener.tap.tap?.sent(message, this);
    return this.#listener.send(message, this);
  }

  close(): void {
    // A UDP flow has nothing to close.
  }
}
