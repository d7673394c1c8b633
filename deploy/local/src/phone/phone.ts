import { randomBytes } from 'node:crypto';
import { parseMessage, respond, type SipRequest, type SipResponse } from '@rollcall/sip';
import { answerChallenge, pickChallenge, type Challenge } from './answer.ts';
import type { SipTransport } from '../plan.ts';
import { isWebSocket, openWire, type Wire, type WireTls } from './wire.ts';

export type SipMessage = SipRequest | SipResponse;

export interface PhoneOptions {
  readonly transport: SipTransport;
  readonly server: { readonly host: string; readonly port: number };
  readonly user: string;
  readonly password: string;
  readonly domain: string;
  readonly local?: { readonly address?: string; readonly port?: number };
  /** TLS and WSS: what is trusted and shown. */
  readonly tls?: WireTls;
  /** Digest algorithms this phone knows; all by default. */
  readonly algorithms?: readonly string[];
  /** Sees every message in its order on the wire. */
  readonly onTraffic?: (direction: 'out' | 'in', raw: string) => void;
}

/** A request to be built; what is left out is what a phone would fill in. */
export interface RequestParts {
  readonly uri?: string;
  readonly to?: string;
  readonly from?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  /** Whole header lines without CRLF. */
  readonly headers?: readonly string[];
  readonly body?: string;
  /** Adds the answer to the last challenge; false leaves it out. */
  readonly auth?: boolean;
}

/** Non-INVITE requests over UDP are sent again at T1, doubling (RFC 3261 §17.1.2.2). */
const T1_MS = 500;
const ANSWER_TIMEOUT_MS = 8000;
const TOKEN_BYTES = 6;

export const token = (): string => randomBytes(TOKEN_BYTES).toString('hex');

interface Waiter {
  readonly match: (message: SipMessage) => boolean;
  readonly resolve: (message: SipMessage) => void;
}

/** A small SIP user agent over any transport: enough of RFC 3261, 6665 and 7616 to register, subscribe and be called. */
export class Phone {
  /** Messages that nobody waited for, in order of arrival. */
  readonly inbox: SipMessage[] = [];
  /** NOTIFYs, in order of arrival, retransmissions left out; each was answered 200 unless `answer` said otherwise. */
  readonly notifies: SipRequest[] = [];
  readonly aor: string;
  /** How requests are answered; undefined answers nothing. */
  answer: (request: SipRequest) => string | undefined = (request) =>
    respond(request, 200, { toTag: this.tag });
  readonly tag = token();
  keepAlives = 0;
  #wire: Wire | undefined;
  #waiters: Waiter[] = [];
  #challenge: Challenge | undefined;
  #nc = 0;
  #cseq = 0;
  readonly #seen = new Set<string>();

  private constructor(readonly options: PhoneOptions) {
    this.aor = `sip:${options.user}@${options.domain}`;
  }

  static async open(options: PhoneOptions): Promise<Phone> {
    const phone = new Phone(options);
    phone.#wire = await openWire({
      ...options,
      onMessage: (raw) => phone.#take(raw),
      onKeepAlive: () => phone.keepAlives++,
    });
    return phone;
  }

  get wire(): Wire {
    if (this.#wire === undefined) throw new Error('the phone is not open');
    return this.#wire;
  }

  /** Our sent-by; a WebSocket client has no address that anybody could reach (RFC 7118 §5.1, appendix A). */
  get hostPort(): string {
    if (isWebSocket(this.wire)) return `${this.tag}.invalid`;
    const { address, port } = this.wire.local;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** The Contact URI this phone would register. */
  get contact(): string {
    const { transport } = this.wire;
    // RFC 7118 §5.2: "ws" stands for both.
    const named = isWebSocket(this.wire) ? 'ws' : transport;
    return `sip:${this.options.user}@${this.hostPort}${transport === 'udp' ? '' : `;transport=${named}`}`;
  }

  get challenge(): Challenge | undefined {
    return this.#challenge;
  }

  nextCseq(): number {
    return ++this.#cseq;
  }

  /** Octets as they are. */
  send(octets: string): void {
    this.options.onTraffic?.('out', octets);
    this.wire.send(octets);
  }

  /** Waits for a message that is not consumed yet. Rejects after the time. */
  async expect(
    match: (message: SipMessage) => boolean,
    what: string,
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<SipMessage> {
    const at = this.inbox.findIndex(match);
    if (at >= 0) {
      const [found] = this.inbox.splice(at, 1);
      if (found !== undefined) return found;
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        match,
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(new Error(`${this.options.user}: no ${what} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiters.push(waiter);
    });
  }

  /** Waits for the next request of this method. */
  async expectRequest(method: string, timeoutMs?: number): Promise<SipRequest> {
    const message = await this.expect(
      (one) => one.kind === 'request' && one.method === method,
      method,
      timeoutMs,
    );
    if (message.kind !== 'request') throw new Error('unreachable');
    return message;
  }

  /** Builds a request out of a dialog; REGISTER goes to the domain, the rest to the AoR unless told otherwise. */
  build(method: string, parts: RequestParts = {}): string {
    const { domain } = this.options;
    const uri = parts.uri ?? (method === 'REGISTER' ? `sip:${domain}` : this.aor);
    const body = parts.body ?? '';
    const { transport } = this.wire;
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${transport.toUpperCase()} ${this.hostPort};branch=${parts.branch ?? `z9hG4bK${token()}`};rport`,
      'Max-Forwards: 70',
      `From: ${parts.from ?? `<${this.aor}>;tag=${this.tag}`}`,
      `To: ${parts.to ?? `<${this.aor}>`}`,
      `Call-ID: ${parts.callId ?? `${this.tag}@${this.wire.local.address}`}`,
      `CSeq: ${parts.cseq ?? this.nextCseq()} ${method}`,
      ...(parts.headers ?? []),
      ...(parts.auth === false ? [] : this.#authorization(method, uri)),
      `Content-Length: ${body.length}`,
    ];
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  }

  /** Sends a request and waits for its final answer, sending it again over UDP as RFC 3261 §17.1.2 wants. */
  async transact(raw: string, timeoutMs = ANSWER_TIMEOUT_MS): Promise<SipResponse> {
    const branch = /^(?:Via|v)\s*:.*?branch=([^;,\s]+)/im.exec(raw)?.[1] ?? '';
    const answer = this.expect(
      (one) => one.kind === 'response' && one.status >= 200 && viaBranch(one) === branch,
      `final answer to ${raw.slice(0, raw.indexOf(' '))}`,
      timeoutMs,
    );
    this.send(raw);
    const again = this.#repeat(raw);
    try {
      const response = await answer;
      if (response.kind !== 'response') throw new Error('unreachable');
      return response;
    } finally {
      clearTimeout(again.timer);
    }
  }

  #repeat(raw: string): { timer: NodeJS.Timeout | undefined } {
    const again: { timer: NodeJS.Timeout | undefined } = { timer: undefined };
    if (this.wire.transport !== 'udp') return again;
    const arm = (ms: number) => {
      again.timer = setTimeout(() => {
        this.send(raw);
        arm(ms * 2);
      }, ms);
    };
    arm(T1_MS);
    return again;
  }

  /** Sends a request; a 401 or 407 is answered once, with CSeq + 1. */
  async request(method: string, parts: RequestParts = {}): Promise<SipResponse> {
    const first = await this.transact(this.build(method, parts));
    if (first.status !== 401 && first.status !== 407) return first;
    if (parts.auth === false || !this.learn(first)) return first;
    const next = parts.cseq === undefined ? {} : { cseq: parts.cseq + 1 };
    return this.transact(this.build(method, { ...parts, ...next }));
  }

  /** Takes the challenge of a 401 for the requests to come; false when there is none this phone can answer. */
  learn(response: SipResponse): boolean {
    const header = response.status === 407 ? 'proxy-authenticate' : 'www-authenticate';
    const challenge = pickChallenge(response.headers(header), this.options.algorithms?.slice());
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    this.#nc = 0;
    return true;
  }

  forget(): void {
    this.#challenge = undefined;
  }

  #authorization(method: string, uri: string): string[] {
    if (this.#challenge === undefined) return [];
    const { user, password } = this.options;
    const value = answerChallenge(this.#challenge, { method, uri, user, password, nc: ++this.#nc });
    return [
      `${method === 'REGISTER' || method === 'SUBSCRIBE' || method === 'PUBLISH' ? '' : 'Proxy-'}Authorization: ${value}`,
    ];
  }

  /** Registers this phone's Contact, or what `headers` says. */
  register(expires = 3600, parts: RequestParts = {}): Promise<SipResponse> {
    const headers = parts.headers ?? [`Contact: <${this.contact}>`, `Expires: ${expires}`];
    return this.request('REGISTER', { ...parts, headers });
  }

  close(): void {
    this.wire.close();
  }

  #take(raw: string): void {
    this.options.onTraffic?.('in', raw);
    const parsed = parseMessage(raw);
    if (!parsed.ok) throw new Error(`the server sent what does not parse: ${parsed.error.detail}\n${raw}`);
    const message = parsed.value;
    if (message.kind === 'request') {
      const answer = this.answer(message);
      if (answer !== undefined && message.method !== 'ACK') this.send(answer);
      const key = `${viaBranch(message)} ${message.method}`;
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
      if (message.method === 'NOTIFY') this.notifies.push(message);
    }
    const waiter = this.#waiters.find((one) => one.match(message));
    if (waiter === undefined) {
      this.inbox.push(message);
      return;
    }
    this.#waiters = this.#waiters.filter((other) => other !== waiter);
    waiter.resolve(message);
  }
}

/** The branch of the top Via; empty when it has none. */
export function viaBranch(message: SipMessage): string {
  return /branch=([^;,\s]+)/i.exec(message.headers('via')[0] ?? '')?.[1] ?? '';
}
