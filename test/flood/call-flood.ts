import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerChallenge, Phone, pickChallenge, token, type Account } from '@rollcall/testkit';
import { Device, type DeviceEvents } from './device.ts';
import { headerOf, headersOf } from './text.ts';

export interface FloodOptions {
  /** Where callers and devices reach the edges, UDP; devices are spread over all. */
  readonly edges: readonly { readonly host: string; readonly port: number }[];
  readonly domain: string;
  readonly caller: Account;
  readonly callees: readonly Account[];
  /** Calls a second. */
  readonly rate: number;
  readonly seconds: number;
}

export interface FloodResult {
  readonly calls: number;
  /** Answered, acknowledged and ended by BYE; cancelled by the caller with 487; busy everywhere with 486. */
  readonly answered: number;
  readonly cancelled: number;
  readonly busy: number;
  /** Calls that came to another end, or to none, by what became of them. */
  readonly failed: Readonly<Record<string, number>>;
  /** CANCELs that devices must have had, and had. */
  readonly cancelsDue: number;
  readonly cancelsSeen: number;
  /** From the INVITE until the last of three devices rang, ms. */
  readonly ringMs: { readonly p50: number; readonly p99: number };
}

/** What becomes of a call; half of them ring at devices that must then be told to stop. */
const ENDINGS = ['answered', 'cancelled', 'answered', 'busy'] as const;
type Ending = (typeof ENDINGS)[number];

const DEVICES = 3;
const TICK_MS = 20;
/** RFC 3261 T1: what was not answered is sent again. */
const RESEND_MS = 500;
/** As long as a call may take to its end; more than timer B. */
const PATIENCE_MS = 40_000;

interface Call {
  readonly id: string;
  readonly uri: string;
  readonly ending: Ending;
  readonly devices: readonly Device[];
  readonly began: number;
  /** The INVITE that was sent last. */
  invite: string;
  rung: number;
  cancels: number;
  sentAt: number;
  /** What is sent again until it is answered. */
  last: string;
  state: 'calling' | 'ringing' | 'cancelling' | 'talking' | 'over';
  final: number;
}

/** Calls at a steady rate to users with three devices each, over UDP, all parties in this process. */
export class CallFlood {
  readonly #options: FloodOptions;
  readonly #socket: Socket;
  readonly #calls = new Map<string, Call>();
  readonly #devices: Device[][] = [];
  #made = 0;
  #port = 0;
  #cancelsDue = 0;
  #cancelsSeen = 0;
  #ends = { answered: 0, cancelled: 0, busy: 0 };
  #failed: Record<string, number> = {};
  #rings: number[] = [];

  constructor(options: FloodOptions) {
    this.#options = options;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  }

  /** Floods, and waits until every call is over. */
  async run(): Promise<FloodResult> {
    const { rate, seconds } = this.#options;
    this.#made = 0;
    this.#cancelsDue = 0;
    this.#cancelsSeen = 0;
    this.#ends = { answered: 0, cancelled: 0, busy: 0 };
    this.#failed = {};
    this.#rings = [];
    const total = Math.round(rate * seconds);
    const began = performance.now();
    while (this.#made < total) {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1_000) * rate));
      while (this.#made < due) this.#start();
      this.#tick();
      await sleep(TICK_MS);
    }
    const until = performance.now() + PATIENCE_MS;
    while (this.#calls.size > 0 && performance.now() < until) {
      this.#tick();
      await sleep(TICK_MS);
    }
    for (const { ending, state, rung, cancels } of this.#calls.values())
      this.#fail(`${ending} is ${state} with ${String(rung)} rung and ${String(cancels)} cancelled`);
    this.#calls.clear();
    return this.#result();
  }

  close(): void {
    this.#socket.close();
    for (const device of this.#devices.flat()) device.close();
  }

  /** Registers the devices. */
  async prepare(): Promise<void> {
    const { edges, domain, callees } = this.#options;
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    this.#port = this.#socket.address().port;
    this.#socket.on('message', (data) => {
      this.#receive(data.toString('latin1'));
    });
    const events: DeviceEvents = {
      onInvite: (id) => {
        this.#ring(id);
      },
      onCancel: (id) => {
        this.#cancelled(id);
      },
    };
    for (const account of callees) {
      const devices: Device[] = [];
      for (let i = 0; i < DEVICES; i += 1) {
        const server = edges[i % edges.length];
        if (server === undefined) throw new Error('no edge');
        const device = await Device.open(server, events);
        const phone = await Phone.open({ transport: 'udp', server, domain, ...account });
        const answer = await device.register(phone);
        phone.close();
        if (answer !== 200) throw new Error(`a device was not registered: ${String(answer)}`);
        devices.push(device);
      }
      this.#devices.push(devices);
    }
  }

  #start(): void {
    const { domain, callees } = this.#options;
    const index = this.#made % callees.length;
    const ending = ENDINGS[Math.floor(this.#made / callees.length) % ENDINGS.length] ?? 'answered';
    this.#made += 1;
    const uri = `sip:${callees[index]?.user ?? ''}@${domain}`;
    const id = token();
    const invite = this.#invite(id, uri, 1, '');
    const now = performance.now();
    const devices = this.#devices[index] ?? [];
    this.#calls.set(id, {
      ...{ id, uri, ending, devices, began: now, invite, rung: 0, cancels: 0 },
      ...{ sentAt: now, last: invite, state: 'calling', final: 0 },
    });
    this.#cancelsDue += cancelsOf(ending);
    this.#send(invite);
  }

  #invite(id: string, uri: string, cseq: number, credentials: string): string {
    const { domain, caller } = this.#options;
    return (
      `INVITE ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${String(this.#port)};branch=z9hG4bK${id}${String(cseq)};rport\r\nMax-Forwards: 70\r\n` +
      `From: <sip:${caller.user}@${domain}>;tag=c${id}\r\nTo: <${uri}>\r\nCall-ID: ${id}\r\nCSeq: ${String(cseq)} INVITE\r\n` +
      `Contact: <sip:${caller.user}@127.0.0.1:${String(this.#port)}>\r\n${credentials}Content-Length: 0\r\n\r\n`
    );
  }

  /** Each call answers a challenge of its own, as most phones do. */
  #prove(call: Call, message: string): void {
    const challenge = pickChallenge(headersOf(message, 'Proxy-Authenticate'), ['MD5']);
    if (challenge === undefined) return;
    const { user, password } = this.#options.caller;
    const value = answerChallenge(challenge, { method: 'INVITE', uri: call.uri, user, password });
    call.invite = this.#invite(call.id, call.uri, 2, `Proxy-Authorization: ${value}\r\n`);
    this.#sendAgain(call, 'calling', call.invite);
  }

  /** One of the devices of a call rings; with the last of them the call goes on to its end. */
  #ring(id: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.rung += 1;
    if (call.rung < DEVICES) return;
    this.#rings.push(performance.now() - call.began);
    switch (call.ending) {
      case 'answered':
        call.devices[this.#made % DEVICES]?.answer(id, 200);
        break;
      case 'busy':
        for (const device of call.devices) device.answer(id, 486);
        break;
      case 'cancelled':
        this.#sendAgain(call, 'cancelling', sameHop(call.invite, 'CANCEL', undefined));
    }
  }

  #cancelled(id: string): void {
    this.#cancelsSeen += 1;
    const call = this.#calls.get(id);
    if (call === undefined) return;
    call.cancels += 1;
    this.#settle(call);
  }

  #receive(message: string): void {
    const id = headerOf(message, 'Call-ID') ?? '';
    const call = this.#calls.get(id);
    if (call === undefined || !message.startsWith('SIP/2.0 ')) {
      // A phone that is called answers; this one is only asked for BYE, which nobody sends.
      return;
    }
    const status = Number(message.slice(8, 11));
    const method = headerOf(message, 'CSeq')?.split(' ')[1] ?? '';
    if (method === 'INVITE') this.#answered(call, status, message);
    else if (method === 'BYE' && status >= 200) {
      call.state = 'over';
      this.#settle(call);
    } else if (method === 'CANCEL') call.last = '';
  }

  #answered(call: Call, status: number, message: string): void {
    if (status < 200) {
      if (call.state === 'calling') call.state = 'ringing';
      return;
    }
    // The first INVITE is over with its challenge (RFC 3261 §17.1.1.2): what its copies get is of no use any more.
    if (headerOf(message, 'CSeq') !== headerOf(call.invite, 'CSeq')) return;
    if (status === 407 && call.state === 'calling' && headerOf(call.invite, 'CSeq') === '1 INVITE') {
      this.#prove(call, message);
      return;
    }
    if (status >= 300) {
      this.#send(sameHop(call.invite, 'ACK', headerOf(message, 'To')));
      call.final = status;
      call.state = 'over';
      this.#settle(call);
      return;
    }
    this.#send(inDialog(call.invite, message, 'ACK', 2));
    if (call.final !== 0) return;
    call.final = status;
    this.#sendAgain(call, 'talking', inDialog(call.invite, message, 'BYE', 3));
  }

  /** A call is over when its caller is through and each device that has to stop has been told. */
  #settle(call: Call): void {
    const { ending, state, final, cancels, rung } = call;
    if (state !== 'over') return;
    const wanted = ending === 'answered' ? 200 : ending === 'cancelled' ? 487 : 486;
    if (final !== wanted) {
      this.#calls.delete(call.id);
      // Devices that were never reached have nothing to stop.
      this.#cancelsDue -= rung === 0 ? cancelsOf(ending) : 0;
      this.#fail(`${ending} ended with ${String(final)} after ${String(rung)} rang`);
      return;
    }
    if (cancels < cancelsOf(ending)) return;
    this.#calls.delete(call.id);
    this.#ends[ending] += 1;
  }

  #fail(what: string): void {
    this.#failed[what] = (this.#failed[what] ?? 0) + 1;
  }

  #sendAgain(call: Call, state: Call['state'], message: string): void {
    call.state = state;
    call.last = message;
    call.sentAt = performance.now();
    this.#send(message);
  }

  #tick(): void {
    const now = performance.now();
    for (const device of this.#devices.flat()) device.tick(now);
    for (const call of this.#calls.values()) {
      if (
        call.last === '' ||
        call.state === 'ringing' ||
        call.state === 'over' ||
        now - call.sentAt < RESEND_MS
      )
        continue;
      call.sentAt = now;
      this.#send(call.last);
    }
  }

  #send(message: string): void {
    const edge = this.#options.edges[0];
    this.#socket.send(Buffer.from(message, 'latin1'), edge?.port ?? 0, edge?.host);
  }

  #result(): FloodResult {
    const sorted = [...this.#rings].sort((a, b) => a - b);
    const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
    return {
      calls: this.#made,
      ...this.#ends,
      failed: this.#failed,
      cancelsDue: this.#cancelsDue,
      cancelsSeen: this.#cancelsSeen,
      ringMs: { p50: at(0.5), p99: at(0.99) },
    };
  }
}

/** Devices of a call that must be told to stop. */
const cancelsOf = (ending: Ending): number =>
  ending === 'answered' ? DEVICES - 1 : ending === 'cancelled' ? DEVICES : 0;

/** CANCEL or the ACK to a refusal: the hop of the INVITE (RFC 3261 §9.1, §17.1.1.3). */
function sameHop(invite: string, method: string, to: string | undefined): string {
  const uri = invite.split(' ', 2)[1] ?? '';
  return (
    `${method} ${uri} SIP/2.0\r\nVia: ${headerOf(invite, 'Via') ?? ''}\r\nMax-Forwards: 70\r\nFrom: ${headerOf(invite, 'From') ?? ''}\r\n` +
    `To: ${to ?? headerOf(invite, 'To') ?? ''}\r\nCall-ID: ${headerOf(invite, 'Call-ID') ?? ''}\r\nCSeq: ${headerOf(invite, 'CSeq')?.split(' ')[0] ?? ''} ${method}\r\nContent-Length: 0\r\n\r\n`
  );
}

/** A request in the dialog that a 200 has made (RFC 3261 §12.2.1.1). */
function inDialog(invite: string, ok: string, method: string, cseq: number): string {
  const target = /<([^>]+)>/.exec(headerOf(ok, 'Contact') ?? '')?.[1] ?? '';
  const routes = headersOf(ok, 'Record-Route')
    .reverse()
    .map((route) => `Route: ${route}\r\n`);
  const via = (headerOf(invite, 'Via') ?? '').replace(/branch=[^;]+/, `branch=z9hG4bK${token()}`);
  return (
    `${method} ${target} SIP/2.0\r\nVia: ${via}\r\n${routes.join('')}Max-Forwards: 70\r\nFrom: ${headerOf(invite, 'From') ?? ''}\r\n` +
    `To: ${headerOf(ok, 'To') ?? ''}\r\nCall-ID: ${headerOf(invite, 'Call-ID') ?? ''}\r\nCSeq: ${String(cseq)} ${method}\r\nContent-Length: 0\r\n\r\n`
  );
}
