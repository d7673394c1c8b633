import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy between the services and Redis that can cut, withhold and delay. */
export class CutProxy {
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #withholding = false;
  #delayMs = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(port: number, target: number): Promise<CutProxy> {
    const server = createServer({ noDelay: true });
    const proxy = new CutProxy(server, port);
    server.on('connection', (near) => {
      proxy.#join(near, connect({ host: '127.0.0.1', port: target, noDelay: true }));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /** Resets every connection. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Holds everything back in both directions, as a network does that drops packets, until `release`. */
  withhold(): void {
    this.#withholding = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  release(): void {
    this.#withholding = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** From now on everything is so much later, in each direction; 0 ends it. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    this.#forward(near, far);
    this.#forward(far, near);
    if (this.#withholding) for (const socket of pair) socket.pause();
  }

  /** In order, also when the delay changes: what comes later waits for what is on its way. */
  #forward(from: Socket, to: Socket): void {
    const late: { readonly due: number; readonly data: Buffer }[] = [];
    const drain = (): void => {
      const now = performance.now();
      for (let first = late[0]; first !== undefined; first = late[0]) {
        if (first.due > now) {
          setTimeout(drain, first.due - now);
          return;
        }
        if (!to.destroyed) to.write(first.data);
        late.shift();
      }
    };
    from.on('data', (data: Buffer) => {
      if (this.#delayMs === 0 && late.length === 0) {
        to.write(data);
        return;
      }
      late.push({ due: performance.now() + this.#delayMs, data });
      if (late.length === 1) setTimeout(drain, this.#delayMs);
    });
  }
}
