import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { epochMs } from '@rollcall/kernel';
import { parseMessage, SipRequest, SipResponse } from '@rollcall/sip';
import type { Flow, FrontUser, ServerTransaction } from '@rollcall/sip-transaction';
import { answer, createSipFront, type NativeFront, type NetLimits, newToken } from '../src/index.ts';

export const HOST = '127.0.0.1';

/** The real clock, that a test may turn on. */
export class TurnedClock {
  #ahead = 0;
  now = () => epochMs(Date.now() + this.#ahead);
  turn(ms: number): void {
    this.#ahead += ms;
  }
}

/** A message as a reader of the test wants to see it: lines, and the CRLFs added here. */
export const message = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

export interface RequestParts {
  readonly method?: string;
  readonly uri?: string;
  readonly via?: string;
  readonly branch?: string;
  readonly callId?: string;
  readonly toTag?: string;
  readonly seq?: number;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** A well-formed request of a phone. */
export function request(parts: RequestParts = {}): string {
  const method = parts.method ?? 'REGISTER';
  const body = parts.body ?? '';
  const via =
    parts.via ?? `SIP/2.0/UDP 192.0.2.77:5060;branch=${parts.branch ?? `z9hG4bK${newToken()}`};rport`;
  return (
    message(
      `${method} ${parts.uri ?? 'sip:example.test'} SIP/2.0`,
      `Via: ${via}`,
      'Max-Forwards: 70',
      'From: <sip:alice@example.test>;tag=from1',
      `To: <sip:alice@example.test>${parts.toTag === undefined ? '' : `;tag=${parts.toTag}`}`,
      `Call-ID: ${parts.callId ?? 'call-1@phone'}`,
      `CSeq: ${String(parts.seq ?? 1)} ${method}`,
      ...(parts.headers ?? []),
      `Content-Length: ${String(body.length)}`,
    ) + body
  );
}

export function parsed(text: string): SipRequest | SipResponse {
  const result = parseMessage(text);
  if (!result.ok) throw new Error(`not SIP: ${result.error.detail}: ${text}`);
  return result.value;
}

export function asResponse(text: string): SipResponse {
  const result = parsed(text);
  if (!(result instanceof SipResponse)) throw new Error(`not a response: ${text}`);
  return result;
}

export function asRequest(text: string): SipRequest {
  const result = parsed(text);
  if (!(result instanceof SipRequest)) throw new Error(`not a request: ${text}`);
  return result;
}

/** Waits for the next of something; fails when it does not come. */
export class Inbox<T> {
  readonly all: T[] = [];
  #waiting: ((item: T) => void)[] = [];
  #read = 0;

  put(item: T): void {
    this.all.push(item);
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter(item);
  }

  next(what = 'item', ms = 2_000): Promise<T> {
    const at = this.#read;
    this.#read += 1;
    if (at < this.all.length) return Promise.resolve(this.all[at] as T);
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => {
        reject(new Error(`no ${what} within ${String(ms)} ms`));
      }, ms);
      this.#waiting.push((item) => {
        clearTimeout(timeout);
        resolve(item);
      });
    });
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until a condition holds. */
export async function until(condition: () => boolean, ms = 2_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${String(ms)} ms: ${condition.toString()}`);
    await pause(5);
  }
}

/** What the front hands up, in the order of arrival; requests are answered by the test. */
export class RecordingUser implements FrontUser {
  readonly requests = new Inbox<ServerTransaction>();
  readonly acks = new Inbox<SipRequest>();
  readonly closed = new Inbox<Flow>();
  onEach: ((transaction: ServerTransaction) => void) | undefined;

  onRequest(transaction: ServerTransaction): void {
    this.requests.put(transaction);
    this.onEach?.(transaction);
  }
  onAck(ack: SipRequest): void {
    this.acks.put(ack);
  }
  onFlowClosed(flow: Flow): void {
    this.closed.put(flow);
  }
}

/** Answers a transaction the way an edge does. */
export function reply(transaction: ServerTransaction, status: number, toTag = 'rc'): void {
  transaction.respond(status, answer(transaction.request, transaction.flow, status, { toTag }));
}

export interface Bench {
  readonly front: NativeFront;
  readonly user: RecordingUser;
  readonly clock: TurnedClock;
  readonly udp: number;
  readonly tcp: number;
  readonly phones: { close(): void }[];
  stop(): Promise<void>;
}

export async function startFront(limits: Partial<NetLimits> = {}): Promise<Bench> {
  const clock = new TurnedClock();
  const front = createSipFront({
    listeners: [
      { transport: 'udp', host: HOST, port: 0 },
      { transport: 'tcp', host: HOST, port: 0, advertised: { address: '203.0.113.5', port: 5070 } },
    ],
    limits,
    clock,
  });
  const user = new RecordingUser();
  await front.start(user);
  const phones: { close(): void }[] = [];
  return {
    front,
    user,
    clock,
    udp: front.listeners[0]?.local.port ?? 0,
    tcp: front.listeners[1]?.local.port ?? 0,
    phones,
    stop: async () => {
      for (const phone of phones) phone.close();
      await front.stop();
    },
  };
}

/** A phone on UDP. */
export class UdpPhone {
  readonly inbox = new Inbox<string>();
  readonly #socket: UdpSocket;
  readonly #port: number;

  private constructor(socket: UdpSocket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.on('message', (data) => {
      this.inbox.put(data.toString('latin1'));
    });
  }

  static async open(bench: Bench): Promise<UdpPhone> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => {
      socket.bind(0, HOST, resolve);
    });
    const phone = new UdpPhone(socket, bench.udp);
    bench.phones.push(phone);
    return phone;
  }

  get port(): number {
    return this.#socket.address().port;
  }
  send(text: string): void {
    this.#socket.send(Buffer.from(text, 'latin1'), this.#port, HOST);
  }
  async response(): Promise<SipResponse> {
    return asResponse(await this.inbox.next('response'));
  }
  async request(): Promise<SipRequest> {
    return asRequest(await this.inbox.next('request'));
  }
  close(): void {
    this.#socket.close();
  }
}

/** A phone on TCP; what it receives is collected as text. */
export class TcpPhone {
  text = '';
  closed = false;
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.text += data.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('end', () => {
      this.closed = true;
    });
  }

  static async open(bench: { tcp: number; phones: { close(): void }[] }): Promise<TcpPhone> {
    const socket = connect(bench.tcp, HOST);
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    const phone = new TcpPhone(socket);
    bench.phones.push(phone);
    return phone;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Takes the first whole message (all of ours here are without body). */
  async next(): Promise<string> {
    await until(() => this.text.includes('\r\n\r\n'));
    const end = this.text.indexOf('\r\n\r\n') + 4;
    const taken = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return taken;
  }

  async response(): Promise<SipResponse> {
    return asResponse(await this.next());
  }
  close(): void {
    this.socket.destroy();
  }
}
