import { createSocket, type Socket } from 'node:dgram';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerChallenge, pickChallenge, token, type Account, type Challenge } from '@rollcall/testkit';
import { parseMessage, type SipResponse } from '@rollcall/sip';
import type { Attempt, Ledger } from './ledger.ts';

/** RFC 3261 §17.1.2.2: T1, doubled up to T2. */
const T1_MS = 500;
const T2_MS = 4000;
/** A device that has heard nothing by then has no answer to wait for: the edge gives up long before. */
const GIVE_UP_MS = 12_000;
/** Devices of the test do not obey Retry-After: it is the load that a server sees when it comes back. */
const AFTER_REFUSAL_MS = 150;
const EXPIRES = { from: 600, spread: 1200 };

export interface DevicesOptions {
  readonly accounts: readonly Account[];
  readonly domain: string;
  readonly edges: readonly { readonly host: string; readonly port: number }[];
  readonly ledger: Ledger;
  /** Rest of each device between two requests. */
  readonly thinkMs: number;
  /** Seconds that are asked for: at least, and how many more at most. */
  readonly expires?: { readonly from: number; readonly spread: number };
}

/** Phones that register, refresh and unregister two Contacts each for as long as they run, over one UDP socket. */
export class Devices {
  readonly statuses = new Map<number, number>();
  /** Answers with 503 that lack a Retry-After: there must be none (RFC 3261 §21.5.4). */
  withoutRetryAfter = 0;
  readonly #refused = new Map<number, Set<string>>();
  readonly #waiting = new Map<string, (response: SipResponse) => void>();
  readonly #socket: Socket = createSocket('udp4');
  readonly #loops: Promise<void>[] = [];
  readonly #ending = new AbortController();
  #running = true;
  #held = false;
  #under = 0;

  private constructor(private readonly options: DevicesOptions) {
    // One for each device that rests.
    setMaxListeners(0, this.#ending.signal);
  }

  static async start(options: DevicesOptions): Promise<Devices> {
    const devices = new Devices(options);
    devices.#socket.on('message', (data) => {
      devices.#take(data.toString('latin1'));
    });
    await new Promise<void>((resolve) => devices.#socket.bind(0, '127.0.0.1', resolve));
    options.accounts.forEach((account, n) => {
      const edge = options.edges[n % options.edges.length];
      if (edge !== undefined) devices.#loops.push(devices.#run(new Device(account, edge, options.domain)));
    });
    return devices;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  count(status: number): number {
    return this.statuses.get(status) ?? 0;
  }

  /** AoRs that were answered with this status at least once. */
  refusedAors(status: number): string[] {
    return [...(this.#refused.get(status) ?? [])];
  }

  /** Begins nothing new and waits until all that is under way has ended. */
  async hold(): Promise<void> {
    this.#held = true;
    while (this.#under > 0) await sleep(20);
  }

  release(): void {
    this.#held = false;
  }

  /** Waits until so many more have been acknowledged. */
  async acknowledge(more: number, timeoutMs = 60_000): Promise<void> {
    const wanted = this.options.ledger.acknowledged + more;
    const end = Date.now() + timeoutMs;
    while (this.options.ledger.acknowledged < wanted) {
      if (Date.now() > end) throw new Error(`${more} acknowledgements did not come in ${timeoutMs} ms`);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#ending.abort();
    await Promise.all(this.#loops);
    this.#socket.close();
  }

  async #run(device: Device): Promise<void> {
    await this.#rest(Math.random() * this.options.thinkMs);
    while (this.#running) {
      if (this.#held) {
        await sleep(20);
        continue;
      }
      this.#under += 1;
      const status = await this.#registerOnce(device);
      this.#under -= 1;
      const rest = status === 200 ? this.options.thinkMs : AFTER_REFUSAL_MS;
      if (status !== 401) await this.#rest(rest * (0.5 + Math.random()));
    }
  }

  /** Sleeps, but not beyond the end of them all. */
  async #rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }

  async #registerOnce(device: Device): Promise<number | undefined> {
    const { ledger } = this.options;
    const { aor } = device;
    const second = Math.random() < 0.4;
    const contact = device.contact(second ? 'b' : 'a', this.port);
    const { from, spread } = this.options.expires ?? EXPIRES;
    const expires = second && Math.random() < 0.5 ? 0 : from + Math.floor(Math.random() * spread);
    const attempt: Attempt = { cseq: ++device.cseq, expires, sentAt: Date.now() };
    ledger.attempt(aor, contact, attempt);
    const response = await this.#transact(device, device.print(attempt, contact, this.port));
    if (response === undefined) {
      ledger.unanswered += 1;
      return undefined;
    }
    const { status } = response;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (status === 200) {
      ledger.accepted(aor, contact, attempt, expires === 0 ? 0 : grantedFor(response, contact), Date.now());
    } else if (status === 401) {
      ledger.voided(aor, contact, attempt);
      device.learn(response);
    } else {
      ledger.refused += 1;
      const refused = this.#refused.get(status) ?? new Set<string>();
      this.#refused.set(status, refused.add(aor));
      if (status === 503 && response.header('retry-after') === undefined) this.withoutRetryAfter += 1;
    }
    return status;
  }

  /** Sends a request again as RFC 3261 §17.1.2 wants until there is a final answer. */
  #transact(device: Device, [branch, raw]: readonly [string, string]): Promise<SipResponse | undefined> {
    return new Promise((resolve) => {
      const { host, port } = device.edge;
      const began = Date.now();
      let wait = T1_MS;
      let timer: NodeJS.Timeout | undefined = undefined;
      const end = (response: SipResponse | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(branch);
        resolve(response);
      };
      const send = (): void => {
        if (Date.now() - began > GIVE_UP_MS) {
          end(undefined);
          return;
        }
        this.#socket.send(Buffer.from(raw, 'latin1'), port, host);
        timer = setTimeout(send, wait);
        wait = Math.min(wait * 2, T2_MS);
      };
      this.#waiting.set(branch, end);
      send();
    });
  }

  #take(raw: string): void {
    const parsed = parseMessage(raw);
    if (!parsed.ok || parsed.value.kind !== 'response' || parsed.value.status < 200) return;
    const branch = /branch=([^;,\s]+)/.exec(parsed.value.header('via') ?? '')?.[1] ?? '';
    this.#waiting.get(branch)?.(parsed.value);
  }
}

class Device {
  cseq = 0;
  readonly aor: string;
  readonly #tag = token();
  readonly #callId = `${token()}@127.0.0.1`;
  #challenge: Challenge | undefined;
  #nc = 0;

  constructor(
    private readonly account: Account,
    readonly edge: { readonly host: string; readonly port: number },
    private readonly domain: string,
  ) {
    this.aor = `sip:${account.user}@${domain}`;
  }

  contact(instance: string, port: number): string {
    return `sip:${this.account.user}@127.0.0.1:${port};rinstance=${instance}`;
  }

  learn(response: SipResponse): void {
    this.#challenge = pickChallenge(response.headers('www-authenticate'), ['MD5']);
    this.#nc = 0;
  }

  print(attempt: Attempt, contact: string, port: number): readonly [string, string] {
    const branch = `z9hG4bK${token()}`;
    const uri = `sip:${this.domain}`;
    const challenge = this.#challenge;
    const authorization =
      challenge === undefined
        ? ''
        : `Authorization: ${answerChallenge(challenge, { method: 'REGISTER', uri, ...this.account, nc: ++this.#nc })}\r\n`;
    const raw =
      `REGISTER ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};branch=${branch};rport\r\nMax-Forwards: 70\r\n` +
      `From: <${this.aor}>;tag=${this.#tag}\r\nTo: <${this.aor}>\r\nCall-ID: ${this.#callId}\r\nCSeq: ${attempt.cseq} REGISTER\r\n` +
      `Contact: <${contact}>;expires=${attempt.expires}\r\n${authorization}Content-Length: 0\r\n\r\n`;
    return [branch, raw];
  }
}

/** The seconds that a 200 promises for a Contact; 0 when it does not list it. */
function grantedFor(response: SipResponse, contact: string): number {
  const contacts = response.contacts();
  if (!contacts.ok || contacts.value.kind !== 'list') return 0;
  return contacts.value.contacts.find(({ uriText }) => uriText === contact)?.expires ?? 0;
}
