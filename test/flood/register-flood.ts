import { createSocket, type Socket } from 'node:dgram';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { numberedAccounts } from '@rollcall/local';
import { eventually, Phone, TestSystem, token, type Account } from '@rollcall/testkit';
import { headerOf } from './text.ts';

export interface RegisterFloodOptions {
  /** How long REGISTERs come as fast as this process can send them. */
  readonly seconds: number;
  /** Phones that register all the time, one registration after the other. */
  readonly phones: number;
}

export interface RegisterFloodReport {
  readonly sent: number;
  /** Answers to the flood, by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** 503s without Retry-After. */
  readonly withoutRetryAfter: number;
  /** What the phones were answered: by status, and `none` for no answer within timer F of a hurried phone. */
  readonly phones: Readonly<Record<string, number>>;
  /** Seconds from the end of the flood until every phone was served again. */
  readonly recoveryS: number;
  /** Share of new work refused when the edge had come to rest. */
  readonly refusedAtRest: number;
  /** Resident memory of edge and registrar, MiB: before, each second, at rest. */
  readonly memory: readonly (readonly number[])[];
  /** Services that have ended. */
  readonly ended: readonly string[];
}

const SOCKETS = 8;
const BURST = 100;
const SAMPLE_MS = 1_000;
const REST_MS = 30_000;
const WATCHED = ['edge-1', 'registrar-1'];
const MIB = 1_048_576;

/** REGISTERs without credentials, each of another device, from sockets that never answer a challenge. */
class Flood {
  sent = 0;
  readonly answers: Record<string, number> = {};
  withoutRetryAfter = 0;
  readonly #sockets: Socket[] = [];

  constructor(
    private readonly edge: { readonly host: string; readonly port: number },
    private readonly domain: string,
  ) {}

  async run(seconds: number): Promise<void> {
    for (let i = 0; i < SOCKETS; i += 1) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      socket.on('message', (data) => {
        this.#count(data.toString('latin1'));
      });
      this.#sockets.push(socket);
    }
    const run = token();
    const until = performance.now() + seconds * 1_000;
    while (performance.now() < until) {
      for (let i = 0; i < BURST; i += 1) this.#send(run);
      await turn();
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #send(run: string): void {
    const id = `${run}${String((this.sent += 1))}`;
    const aor = `<sip:u${id}@${this.domain}>`;
    const message =
      `REGISTER sip:${this.domain} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK${id};rport\r\nMax-Forwards: 70\r\n` +
      `From: ${aor};tag=1\r\nTo: ${aor}\r\nCall-ID: ${id}\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n`;
    this.#sockets[this.sent % SOCKETS]?.send(Buffer.from(message), this.edge.port, this.edge.host);
  }

  #count(message: string): void {
    const status = message.slice(8, 11);
    this.answers[status] = (this.answers[status] ?? 0) + 1;
    if (status === '503' && headerOf(message, 'Retry-After') === undefined) this.withoutRetryAfter += 1;
  }
}

/** What a phone gets for a REGISTER that removes nothing and adds nothing. */
async function ask(system: TestSystem, account: Account): Promise<string> {
  const phone = await Phone.open({
    ...{ transport: 'udp' as const, server: system.sip('udp'), domain: system.domain },
    ...account,
  });
  try {
    return String((await phone.request('REGISTER')).status);
  } catch {
    return 'none';
  } finally {
    phone.close();
  }
}

/** Floods an edge with far more than it can do, while phones register, and waits until it has come to rest. */
export async function registerFlooded({
  seconds,
  phones,
}: RegisterFloodOptions): Promise<RegisterFloodReport> {
  const accounts = [...numberedAccounts(phones)];
  // The flood comes from one address; an overload comes from many.
  const env = { edge: { ROLLCALL_GUARD_EXEMPT: '127.0.0.1' } };
  const system = await TestSystem.start({ accounts, env });
  const flood = new Flood(system.sip('udp'), system.domain);
  const resident = (): Promise<number[]> =>
    Promise.all(
      WATCHED.map(async (name) =>
        Math.round((await system.metrics(name)).sum('process_resident_memory_bytes') / MIB),
      ),
    );
  try {
    const memory = [await resident()];
    const sampling = setInterval(() => {
      resident().then(
        (sample) => memory.push(sample),
        () => undefined,
      );
    }, SAMPLE_MS);
    const answers: Record<string, number> = {};
    let over = false;
    const served = accounts.map(async (account) => {
      while (!over) {
        const answer = await ask(system, account);
        answers[answer] = (answers[answer] ?? 0) + 1;
        await sleep(Math.random() * 100);
      }
    });
    await flood.run(seconds);
    over = true;
    const began = performance.now();
    await Promise.all(served);
    for (const account of accounts)
      await eventually('the phone is served', async () => (await ask(system, account)) === '200', REST_MS);
    const recoveryS = (performance.now() - began) / 1_000;
    const refusing = (): Promise<number> => system.metric('edge', 'rollcall_overload_ratio');
    await eventually('nothing is refused', async () => (await refusing()) === 0, REST_MS);
    clearInterval(sampling);
    memory.push(await resident());
    return {
      ...{ sent: flood.sent, answers: flood.answers, withoutRetryAfter: flood.withoutRetryAfter },
      ...{ phones: answers, recoveryS, refusedAtRest: await refusing(), memory },
      ended: system.system.services.filter(({ process: { exited } }) => exited).map(({ planned }) => planned.name), // prettier-ignore
    };
  } finally {
    flood.close();
    await system.stop();
  }
}
