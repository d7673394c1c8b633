import { connect, type Socket } from 'node:net';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ALICE, Phone, TestSystem, token } from '@rollcall/testkit';

export interface SlowSendersOptions {
  /** Connections of each kind that are held at one time. */
  readonly senders: Readonly<Record<SlowKind, number>>;
  readonly seconds: number;
  /** Between two bytes of each, ms. */
  readonly everyMs: number;
}

const KINDS = ['tcp', 'tls', 'ws'] as const;
export type SlowKind = (typeof KINDS)[number];

export interface SlowSendersReport {
  /** Connections that the senders have begun in all, and the most that the edge had at one time. */
  readonly begun: number;
  readonly mostConnections: number;
  /** Closed by the edge, by reason. */
  readonly closed: Readonly<Record<string, number>>;
  /** A phone's new connection with a complete REGISTER meanwhile, ms; how many failed. */
  readonly phones: {
    readonly tried: number;
    readonly failed: number;
    readonly p50: number;
    readonly p99: number;
  };
  /** The same before, without senders. */
  readonly quiet: { readonly p50: number; readonly p99: number };
  /** Of the edge: resident memory in MiB and open descriptors before and at most. */
  readonly memory: { readonly before: number; readonly most: number };
  readonly descriptors: { readonly before: number; readonly most: number };
  readonly ended: readonly string[];
}

const PER_ADDRESS = 1000;
const OPENED_EACH_MS = 2;
const AGAIN_MS = 500;
const PHONE_EVERY_MS = 100;
const QUIET_TRIES = 20;
const MIB = 1_048_576;
const HELLO = Buffer.from('16030100c8010000c40303', 'hex').toString('latin1') + '\0'.repeat(200);

const beginningOf = (kind: SlowKind): string => {
  if (kind === 'tls') return HELLO;
  if (kind === 'ws')
    return 'GET / HTTP/1.1\r\nHost: example.test\r\nUpgrade: websocket\r\nX-Slow: ' + 'a'.repeat(4000);
  return (
    'REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKslow\r\nX-Slow: ' +
    'a'.repeat(4000)
  );
};

/** One that sends a byte at a time, never comes to an end, and begins anew when it is cut off. */
class SlowSender {
  begun = 0;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly server: { readonly host: string; readonly port: number },
    private readonly from: string,
    private readonly text: string,
    private readonly everyMs: number,
  ) {}

  open(): void {
    if (this.#closed) return;
    this.begun += 1;
    let at = 0;
    const socket = connect({ ...this.server, localAddress: this.from });
    this.#socket = socket;
    const send = (): void => {
      socket.write(this.text.charAt(at++ % this.text.length), 'latin1');
    };
    let timer: NodeJS.Timeout | undefined;
    socket.on('connect', () => {
      send();
      timer = setInterval(send, this.everyMs);
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      clearInterval(timer);
      if (!this.#closed) this.#timer = setTimeout(() => this.open(), AGAIN_MS * (1 + Math.random()));
    });
    socket.resume();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }
}

/** Holds thousands of connections that say almost nothing, while phones connect and register. */
export async function slowlySent({
  senders,
  seconds,
  everyMs,
}: SlowSendersOptions): Promise<SlowSendersReport> {
  const system = await TestSystem.start();
  const slow: SlowSender[] = [];
  const edge = system.service('edge-1').process;
  const descriptors = (): number => readdirSync(`/proc/${String(edge.pid)}/fd`).length;
  const resident = async (): Promise<number> =>
    Math.round((await system.metrics('edge-1')).sum('process_resident_memory_bytes') / MIB);
  try {
    const quiet: number[] = [];
    for (let n = 0; n < QUIET_TRIES; n += 1) quiet.push((await connectAndRegister(system)) ?? Infinity);
    const [memoryBefore, descriptorsBefore] = [await resident(), descriptors()];
    for (const kind of KINDS) {
      for (let n = 0; n < senders[kind]; n += 1) {
        const from = `127.0.${String(10 + KINDS.indexOf(kind))}.${String(1 + Math.floor(n / PER_ADDRESS))}`;
        slow.push(new SlowSender(system.sip(kind), from, beginningOf(kind), everyMs));
      }
    }
    const until = Date.now() + seconds * 1000;
    const opening = (async () => {
      for (const [n, sender] of slow.entries()) {
        sender.open();
        if (n % 10 === 9) await sleep(10 * OPENED_EACH_MS);
      }
    })();
    const took: number[] = [];
    let [failed, most, mostMemory, mostDescriptors] = [0, 0, memoryBefore, descriptorsBefore];
    for (let n = 0; Date.now() < until; n += 1) {
      const ms = await connectAndRegister(system);
      if (ms === undefined) failed += 1;
      else took.push(ms);
      if (n % 10 === 0) {
        most = Math.max(most, descriptors() - descriptorsBefore);
        mostDescriptors = Math.max(mostDescriptors, descriptors());
        mostMemory = Math.max(mostMemory, await resident());
      }
      await sleep(PHONE_EVERY_MS);
    }
    await opening;
    const metrics = await system.metrics('edge-1');
    const closed = Object.fromEntries([
      ...['first-byte', 'unfinished-message'].map((reason) => [reason, metrics.sum('rollcall_sip_flows_closed_total', { reason })]),
      ['handshake', metrics.sum('rollcall_sip_connections_refused_total', { reason: 'timeout' })],
      ['limit', metrics.sum('rollcall_sip_connections_refused_total', { reason: 'limit' })],
    ]) as Record<string, number>; // prettier-ignore
    return {
      begun: slow.reduce((sum, { begun }) => sum + begun, 0),
      mostConnections: most,
      closed,
      phones: { tried: took.length + failed, failed, ...percentiles(took) },
      quiet: percentiles(quiet),
      memory: { before: memoryBefore, most: mostMemory },
      descriptors: { before: descriptorsBefore, most: mostDescriptors },
      ended: system.system.services
        .filter(({ process }) => process.exited)
        .map(({ planned }) => planned.name),
    };
  } finally {
    for (const sender of slow) sender.close();
    await system.stop();
  }
}

/** Ms from a phone's first packet to the 200, on a connection of its own; undefined when there is none. */
async function connectAndRegister(system: TestSystem): Promise<number | undefined> {
  const began = performance.now();
  let phone: Phone | undefined;
  try {
    phone = await Phone.open({
      ...{ transport: 'tcp' as const, server: system.sip('tcp'), domain: system.domain, ...ALICE },
    });
    const { status } = await phone.request('REGISTER', { callId: token() });
    return status === 200 ? performance.now() - began : undefined;
  } catch {
    return undefined;
  } finally {
    phone?.close();
  }
}

function percentiles(ms: readonly number[]): { p50: number; p99: number } {
  const sorted = [...ms].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}
