import { connect, type Socket } from 'node:net';
import { StreamFramer } from '@rollcall/sip';
import { answerChallenge, pickChallenge, token, type Account } from '@rollcall/testkit';
import { headerOf, headersOf } from './text.ts';

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface StreamDeviceOptions {
  readonly account: Account;
  readonly domain: string;
  /** The edges in the order in which they are tried, one flow at a time. */
  readonly servers: readonly Server[];
  /** The base-time of RFC 5626 §4.5, ms. */
  readonly baseMs: number;
  /** Waits for this instead, each time, ms: a device that knows nothing of RFC 5626. */
  readonly retryMs?: number;
  /** Between two keep-alives of RFC 5626 §4.4.1, ms; none are sent otherwise. */
  readonly keepAliveMs?: number;
  /** Where it connects from. */
  readonly localAddress?: string;
  /** A device that was cut off and stays away. */
  readonly comesBack: boolean;
  /** Called with each 200 to a REGISTER. */
  readonly onRegistered: () => void;
}

const LIMITS = { maxHeaderBytes: 65_536, maxBodyBytes: 65_536 };
/** RFC 5626 §4.5. */
const MAX_WAIT_MS = 1_800_000;
const EXPIRES_S = 3_600;

/** A phone on one TCP connection, as RFC 5626 wants it: when the flow breaks it waits, goes to the next edge and registers there. */
export class StreamDevice {
  registered = false;
  /** REGISTERs and connections that failed. */
  failures = 0;
  /** REGISTERs that it has sent. */
  sent = 0;
  readonly #options: StreamDeviceOptions;
  readonly #callId = token();
  readonly #tag = token();
  readonly #instance: string;
  #socket: Socket | undefined;
  #cseq = 0;
  #at = 0;
  #failedInARow = 0;
  #timer: NodeJS.Timeout | undefined;
  #pings: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StreamDeviceOptions) {
    this.#options = options;
    this.#instance = `urn:uuid:00000000-0000-4000-8000-${token()}`;
  }

  /** Connects and registers; goes on trying for as long as it is open. */
  open(): void {
    const server = this.#options.servers[this.#at % this.#options.servers.length];
    if (server === undefined) throw new RangeError('no server');
    const { localAddress } = this.#options;
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connect({ host: server.host, port: server.port, noDelay: true, ...from });
    this.#socket = socket;
    const framer = new StreamFramer(LIMITS);
    socket.on('connect', () => {
      this.#register('');
      const { keepAliveMs } = this.#options;
      clearInterval(this.#pings);
      if (keepAliveMs !== undefined) this.#pings = setInterval(() => socket.write('\r\n\r\n'), keepAliveMs);
    });
    socket.on('data', (data) => {
      for (const event of framer.push(data.toString('latin1')))
        if (event.kind === 'message') this.#receive(event.raw);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#lost();
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#pings);
    this.#socket?.destroy();
  }

  #lost(): void {
    const { baseMs, retryMs, comesBack, servers } = this.#options;
    if (!this.registered) {
      this.failures += 1;
      this.#failedInARow += 1;
    }
    this.registered = false;
    if (this.#closed || !comesBack) return;
    // One of them may be all there is; the next one otherwise.
    this.#at = (this.#at + 1) % servers.length;
    const most = Math.min(MAX_WAIT_MS, baseMs * 2 ** this.#failedInARow);
    this.#timer = setTimeout(
      () => {
        this.open();
      },
      retryMs ?? most * (0.5 + Math.random() / 2),
    );
  }

  #register(credentials: string): void {
    const { account, domain } = this.#options;
    const { localAddress = '', localPort = 0 } = this.#socket ?? {};
    const own = `${localAddress}:${String(localPort)}`;
    const aor = `sip:${account.user}@${domain}`;
    this.#cseq += 1;
    this.sent += 1;
    this.#socket?.write(
      `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/TCP ${own};branch=z9hG4bK${token()};rport\r\nMax-Forwards: 70\r\n` +
        `From: <${aor}>;tag=${this.#tag}\r\nTo: <${aor}>\r\nCall-ID: ${this.#callId}\r\nCSeq: ${String(this.#cseq)} REGISTER\r\n` +
        `Contact: <sip:${account.user}@${own};transport=tcp>;+sip.instance="<${this.#instance}>";reg-id=1\r\n` +
        `Supported: path, outbound\r\nExpires: ${String(EXPIRES_S)}\r\n${credentials}Content-Length: 0\r\n\r\n`,
      'latin1',
    );
  }

  #receive(message: string): void {
    if (!message.startsWith('SIP/2.0 ')) {
      this.#socket?.write(answerTo(message, this.#tag), 'latin1');
      return;
    }
    const status = Number(message.slice(8, 11));
    if (status === 401) this.#prove(message);
    else if (status === 200) {
      this.registered = true;
      this.#failedInARow = 0;
      this.#options.onRegistered();
    } else if (status > 200) this.#socket?.destroy();
  }

  #prove(message: string): void {
    const { account, domain } = this.#options;
    const challenge = pickChallenge(headersOf(message, 'WWW-Authenticate'), ['MD5']);
    if (challenge === undefined) return;
    const value = answerChallenge(challenge, { method: 'REGISTER', uri: `sip:${domain}`, ...account });
    this.#register(`Authorization: ${value}\r\n`);
  }
}

/** 200 to whatever is asked (RFC 3261 §8.2.6). */
function answerTo(request: string, tag: string): string {
  const vias = headersOf(request, 'Via').map((via) => `Via: ${via}\r\n`);
  const copied = ['From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${headerOf(request, name) ?? ''}\r\n`);
  return `SIP/2.0 200 OK\r\n${vias.join('')}${copied.join('')}To: ${headerOf(request, 'To') ?? ''};tag=${tag}\r\nContent-Length: 0\r\n\r\n`;
}
