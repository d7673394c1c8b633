import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { respond } from '@rollcall/sip';
import type { SipRequest, SipResponse } from '@rollcall/sip';
import { request, response } from '../world.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PATIENCE_MS = 30_000;
const POLL_MS = 20;

export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = PATIENCE_MS,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${String(ms)} ms: ${what}`);
    await sleep(POLL_MS);
  }
}

/** Ends a child and waits until it has ended. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** An edge as a process. */
export class EdgeProcess {
  readonly #child: ChildProcess;
  out = '';
  err = '';
  readonly ended: Promise<number | null>;

  constructor(env: Readonly<Record<string, string>>) {
    const { PATH, HOME } = process.env;
    this.#child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@rollcall/source', MAIN], {
      env: { PATH, HOME, OTEL_TRACES_EXPORTER: 'none', ROLLCALL_REHEARSAL_MS: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (data: Buffer) => (this.out += data.toString()));
    this.#child.stderr?.on('data', (data: Buffer) => (this.err += data.toString()));
    this.ended = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  get lines(): Record<string, unknown>[] {
    return this.out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits for the ready line, which names the ports. */
  async ready(): Promise<{ sip: { transport: string; port: number }[]; inner: number; http: number }> {
    const find = (): Record<string, unknown> | undefined => this.lines.find(({ msg }) => msg === 'ready');
    await eventually(`the edge is ready: ${this.err}${this.out}`, () => find() !== undefined);
    return find() as unknown as { sip: { transport: string; port: number }[]; inner: number; http: number };
  }

  async stop(): Promise<number | null> {
    await end(this.#child, 'SIGTERM');
    return this.ended;
  }
}

/** A phone on UDP: sends text, gathers responses and requests. */
export class UdpPhone {
  readonly received: SipResponse[] = [];
  readonly requests: SipRequest[] = [];

  private constructor(
    private readonly socket: UdpSocket,
    private readonly edgePort: number,
    readonly port: number,
  ) {
    socket.on('message', (data) => {
      const text = data.toString('latin1');
      if (text.startsWith('SIP/2.0 ')) this.received.push(response(text));
      else this.requests.push(request(text));
    });
  }

  static async open(edgePort: number): Promise<UdpPhone> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new UdpPhone(socket, edgePort, socket.address().port);
  }

  send(message: string): void {
    this.socket.send(Buffer.from(message, 'latin1'), this.edgePort, '127.0.0.1');
  }

  /** The next request that came with this method. */
  async next(method: string): Promise<SipRequest> {
    const at = (): number => this.requests.findIndex((one) => one.method === method);
    await eventually(`a ${method}`, () => at() >= 0);
    return this.requests.splice(at(), 1)[0] as SipRequest;
  }

  /** Answers a request as a phone does: with the route recorded and a Contact of its own. */
  answer(one: SipRequest, status: number): void {
    const recorded = one.headers('record-route').map((value) => `Record-Route: ${value}\r\n`);
    const headers = `${recorded.join('')}Contact: <sip:phone@127.0.0.1:${String(this.port)}>\r\n`;
    this.send(respond(one, status, { toTag: 'callee', headers }));
  }

  /** Sends and waits for the next response. */
  async ask(message: string): Promise<SipResponse> {
    const before = this.received.length;
    this.send(message);
    await eventually('a response', () => this.received.length > before);
    return this.received[before] as SipResponse;
  }

  close(): void {
    this.socket.close();
  }
}

/** A phone on TCP. */
export class TcpPhone {
  text = '';

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (data) => (this.text += data.toString('latin1')));
    socket.on('error', () => undefined);
  }

  static async open(edgePort: number): Promise<TcpPhone> {
    const socket = connect({ host: '127.0.0.1', port: edgePort });
    await new Promise((resolve) => socket.once('connect', resolve));
    return new TcpPhone(socket);
  }

  /** Writes the pieces one after the other, each in a segment of its own. */
  async write(...pieces: string[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve) => {
        this.socket.write(piece, 'latin1', () => {
          resolve();
        });
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Status lines received so far. */
  get statuses(): number[] {
    return [...this.text.matchAll(/^SIP\/2\.0 (\d{3})/gm)].map(([, status]) => Number(status));
  }

  close(): void {
    this.socket.destroy();
  }
}
