import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { hashOctets } from '@rollcall/digest';
import type { Algorithm, Ha1Set } from '@rollcall/digest';

/** The phones of a rehearsal: their domain (RFC 2606 §2), and what all of them answer challenges with. */
export interface PhoneAccounts {
  readonly domain: string;
  /** Makes a user, and resolves with what its phones know. */
  readonly enlist: (user: string) => Promise<Required<Ha1Set>>;
  readonly random: () => string;
}

/** What a phone has said and heard so far. */
interface Call {
  readonly user: string;
  readonly ha1: Required<Ha1Set>;
  readonly id: string;
  readonly tag: string;
  readonly algorithm: Algorithm;
  cseq: number;
  nonce: string;
  nc: number;
}

interface Ask {
  readonly method: string;
  readonly uri: string;
  readonly to?: string;
  readonly lines?: string;
  readonly body?: string;
}

/** What phones answer with in practice: MD5 mostly. */
const ALGORITHMS: readonly Algorithm[] = ['MD5', 'SHA-256', 'MD5', 'MD5'];
const EXPIRES_S = 3_600;

/** Phones on one UDP socket: they register, subscribe and publish, and answer every NOTIFY with 200. */
export class Phones {
  readonly #socket: Socket;
  readonly #accounts: PhoneAccounts;
  readonly #waiting = new Map<string, (answer: string) => void>();
  #edgePort = 0;
  #serial = 0;

  private constructor(socket: Socket, accounts: PhoneAccounts) {
    this.#socket = socket;
    this.#accounts = accounts;
    socket.on('message', (data) => {
      this.#receive(data.toString('latin1'));
    });
    socket.on('error', () => undefined);
  }

  static async open(accounts: PhoneAccounts): Promise<Phones> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, HOST, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new Phones(socket, accounts);
  }

  /** Where they send to. */
  set edgePort(port: number) {
    this.#edgePort = port;
  }

  close(): void {
    this.#socket.close();
  }

  /** Registers, refreshes, subscribes, publishes and unsubscribes; resolves with the number of exchanges. */
  async play(): Promise<number> {
    const { domain, random, enlist } = this.#accounts;
    this.#serial += 1;
    const user = `rehearsal-${String(this.#serial)}`;
    const ha1 = await enlist(user);
    const algorithm = ALGORITHMS[this.#serial % ALGORITHMS.length] ?? 'MD5';
    const fresh = { user, ha1, algorithm, nonce: '' };
    const begin = (): Call => ({ ...fresh, id: random(), tag: random(), cseq: 0, nc: 0 });
    const device = begin();
    const register = { method: 'REGISTER', uri: `sip:${domain}`, lines: this.#contact(user, EXPIRES_S) };
    let exchanges = 0;
    for (let n = 0; n < REFRESHES; n += 1) exchanges += await this.#ask(device, register);
    const watch = begin();
    const resource = `sip:${user}@${domain}`;
    const lines = `Event: presence\r\nAccept: application/pidf+xml\r\nExpires: 600\r\n${this.#contact(user)}`;
    exchanges += await this.#ask(watch, { method: 'SUBSCRIBE', uri: resource, lines });
    const publish = 'Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n';
    const body = PIDF(resource);
    exchanges += await this.#ask(begin(), { method: 'PUBLISH', uri: resource, lines: publish, body });
    return exchanges;
  }

  /** Sends a request, and once more with an answer to the challenge. Rejects when it is refused. */
  async #ask(call: Call, ask: Ask): Promise<number> {
    let answer = await this.#send(call, ask);
    let exchanges = 1;
    if (statusOf(answer) === '401') {
      call.nonce = nonceOf(answer, call.algorithm);
      call.nc = 0;
      answer = await this.#send(call, ask);
      exchanges = 2;
    }
    if (statusOf(answer) !== '200') throw new Error(`${statusOf(answer)} to ${ask.method}`);
    return exchanges;
  }

  #send(
    call: Call,
    { method, uri, to = `sip:${call.user}@${this.#accounts.domain}`, lines, body = '' }: Ask,
  ) {
    const { domain, random } = this.#accounts;
    call.cseq += 1;
    const branch = `z9hG4bK${random()}`;
    const from = `sip:${call.user}@${domain}`;
    const message =
      `${method} ${uri} SIP/2.0\r\n` +
      `Via: SIP/2.0/UDP ${this.#address};branch=${branch};rport\r\nMax-Forwards: 70\r\n` +
      `From: <${from}>;tag=${call.tag}\r\nTo: <${to}>\r\n` +
      `Call-ID: ${call.id}\r\nCSeq: ${String(call.cseq)} ${method}\r\n` +
      `${lines ?? ''}${this.#authorization(call, method, uri)}User-Agent: Rollcall rehearsal\r\n` +
      `Content-Length: ${String(body.length)}\r\n\r\n${body}`;
    return new Promise<string>((resolve) => {
      this.#waiting.set(branch, resolve);
      this.#transmit(message);
    });
  }

  #authorization(call: Call, method: string, uri: string): string {
    if (call.nonce === '') return '';
    const { algorithm, nonce, user } = call;
    const { domain, random } = this.#accounts;
    call.nc += 1;
    const nc = call.nc.toString(16).padStart(8, '0');
    const cnonce = random();
    const a2 = hashOctets(algorithm, `${method}:${uri}`);
    const response = hashOctets(algorithm, `${call.ha1[algorithm]}:${nonce}:${nc}:${cnonce}:auth:${a2}`);
    return (
      `Authorization: Digest username="${user}", realm="${domain}", nonce="${nonce}", uri="${uri}", ` +
      `response="${response}", algorithm=${algorithm}, cnonce="${cnonce}", qop=auth, nc=${nc}\r\n`
    );
  }

  #contact(user: string, expires?: number): string {
    const end = expires === undefined ? '' : `;expires=${String(expires)}`;
    return `Contact: <sip:${user}@${this.#address}>${end}\r\n`;
  }

  get #address(): string {
    return `${HOST}:${String(this.#socket.address().port)}`;
  }

  #receive(text: string): void {
    if (!text.startsWith('SIP/2.0 ')) {
      this.#transmit(accepted(text));
      return;
    }
    const branch = BRANCH.exec(text)?.[1] ?? '';
    const answer = this.#waiting.get(branch);
    if (answer === undefined || text.startsWith('SIP/2.0 1')) return;
    this.#waiting.delete(branch);
    answer(text);
  }

  #transmit(message: string): void {
    this.#socket.send(Buffer.from(message, 'latin1'), this.#edgePort, HOST);
  }
}

const HOST = '127.0.0.1';
/** A device comes back far more often than it comes anew. */
const REFRESHES = 3;
const BRANCH = /^Via:.*?;branch=([^;\s]+)/im;
const statusOf = (answer: string): string => answer.slice('SIP/2.0 '.length, 'SIP/2.0 200'.length);

/** The nonce of the challenge for an algorithm. */
function nonceOf(answer: string, algorithm: Algorithm): string {
  const line = answer
    .split('\r\n')
    .find((one) => one.startsWith('WWW-Authenticate:') && one.includes(`algorithm=${algorithm},`));
  return /nonce="([^"]*)"/.exec(line ?? answer)?.[1] ?? '';
}

/** 200 to a NOTIFY: what RFC 3261 §8.2.6.2 wants back. */
function accepted(request: string): string {
  const lines = request.split('\r\n').filter((line) => /^(?:Via|From|To|Call-ID|CSeq):/i.test(line));
  return `SIP/2.0 200 OK\r\n${lines.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`;
}

const PIDF = (entity: string): string =>
  '<?xml version="1.0" encoding="UTF-8"?>\r\n' +
  `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${entity}">` +
  '<tuple id="t1"><status><basic>open</basic></status></tuple></presence>';
