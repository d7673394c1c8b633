import { createSocket, type Socket } from 'node:dgram';
import { parseMessage } from '@rollcall/sip';
import { token, type Phone } from '@rollcall/testkit';
import { headerOf, headersOf } from './text.ts';

export interface DeviceEvents {
  /** Once for each call that rings here. */
  onInvite(callId: string): void;
  /** Once for each call that is to stop ringing here. */
  onCancel(callId: string): void;
}

interface Incoming {
  readonly invite: string;
  cancelled: boolean;
  /** The last answer, sent again for each INVITE that comes again. */
  answer: string;
  final: number;
  sentAt: number;
  resends: number;
}

/** RFC 3261 §13.3.1.4, §17.2.1: a final answer is repeated until its ACK comes. */
const RESEND_MS = 500;
const MAX_RESENDS = 20;
/** Calls remembered, for what comes late. */
const REMEMBERED = 20_000;

/** A phone of a flood: rings, and answers when told. */
export class Device {
  readonly #calls = new Map<string, Incoming>();
  /** Calls whose final answer has not been acknowledged. */
  readonly #waiting = new Set<Incoming>();
  readonly #tag = token();

  private constructor(
    private readonly socket: Socket,
    private readonly server: { readonly host: string; readonly port: number },
    private readonly events: DeviceEvents,
  ) {
    socket.on('message', (data) => {
      this.#receive(data.toString('latin1'));
    });
  }

  static async open(
    server: { readonly host: string; readonly port: number },
    events: DeviceEvents,
  ): Promise<Device> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new Device(socket, server, events);
  }

  get contact(): string {
    return `sip:device@127.0.0.1:${String(this.socket.address().port)}`;
  }

  /** Registers this socket: `phone` knows how to answer a challenge. */
  async register(phone: Phone): Promise<number> {
    const raw = (): string =>
      phone
        .build('REGISTER', { callId: token(), headers: [`Contact: <${this.contact}>`, 'Expires: 3600'] })
        .replace(/(Via: SIP\/2\.0\/UDP )[^;]+/, `$1127.0.0.1:${String(this.socket.address().port)}`);
    const first = await this.#ask(raw());
    const learned = first !== undefined && this.#learn(phone, first);
    return learned ? Number((await this.#ask(raw()))?.slice(8, 11) ?? 0) : 0;
  }

  answer(callId: string, status: number): void {
    const call = this.#calls.get(callId);
    if (call === undefined || call.final !== 0) return;
    call.final = status;
    call.answer = this.#response(call.invite, status);
    call.sentAt = performance.now();
    this.#waiting.add(call);
    this.#send(call.answer);
  }

  tick(now: number): void {
    for (const call of this.#waiting) {
      if (now - call.sentAt < RESEND_MS) continue;
      call.sentAt = now;
      call.resends += 1;
      if (call.resends > MAX_RESENDS) this.#waiting.delete(call);
      else this.#send(call.answer);
    }
  }

  close(): void {
    this.socket.close();
  }

  #ask(message: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const branch = /branch=([^;\r]+)/.exec(message)?.[1] ?? '';
      const again = setInterval(() => {
        this.#send(message);
      }, RESEND_MS);
      const end = (answer: string | undefined): void => {
        clearInterval(again);
        clearTimeout(timer);
        this.socket.off('message', listen);
        resolve(answer);
      };
      const listen = (data: Buffer): void => {
        const text = data.toString('latin1');
        if (text.startsWith('SIP/2.0 ') && text.includes(branch)) end(text);
      };
      const timer = setTimeout(end, RESEND_MS * MAX_RESENDS, undefined);
      this.socket.on('message', listen);
      this.#send(message);
    });
  }

  #learn(phone: Phone, answer: string): boolean {
    const parsed = parseMessage(answer);
    return parsed.ok && parsed.value.kind === 'response' && phone.learn(parsed.value);
  }

  #receive(message: string): void {
    if (message.startsWith('SIP/2.0 ')) return;
    const id = headerOf(message, 'Call-ID') ?? '';
    const method = message.slice(0, message.indexOf(' '));
    const call = this.#calls.get(id);
    switch (method) {
      case 'INVITE':
        if (call === undefined) this.#ring(id, message);
        else this.#send(call.answer);
        return;
      case 'ACK':
        if (call !== undefined) this.#waiting.delete(call);
        return;
      case 'CANCEL':
        this.#send(this.#response(message, 200));
        if (call === undefined || call.cancelled) return;
        call.cancelled = true;
        this.answer(id, 487);
        this.events.onCancel(id);
        return;
      default:
        this.#send(this.#response(message, 200));
    }
  }

  #ring(id: string, invite: string): void {
    const call = { invite, cancelled: false, answer: '', final: 0, sentAt: 0, resends: 0 };
    call.answer = this.#response(invite, 180);
    this.#calls.set(id, call);
    if (this.#calls.size > REMEMBERED) this.#calls.delete(this.#calls.keys().next().value ?? '');
    this.#send(call.answer);
    this.events.onInvite(id);
  }

  #response(request: string, status: number): string {
    const copied = [...headersOf(request, 'Via').map((via) => `Via: ${via}`)];
    copied.push(...headersOf(request, 'Record-Route').map((route) => `Record-Route: ${route}`));
    const to = headerOf(request, 'To') ?? '';
    copied.push(`From: ${headerOf(request, 'From') ?? ''}`);
    copied.push(`To: ${to.includes(';tag=') ? to : `${to};tag=${this.#tag}`}`);
    copied.push(`Call-ID: ${headerOf(request, 'Call-ID') ?? ''}`, `CSeq: ${headerOf(request, 'CSeq') ?? ''}`);
    return `SIP/2.0 ${String(status)} Answer\r\n${copied.join('\r\n')}\r\nContact: <${this.contact}>\r\nContent-Length: 0\r\n\r\n`;
  }

  #send(message: string): void {
    this.socket.send(Buffer.from(message, 'latin1'), this.server.port, this.server.host);
  }
}
