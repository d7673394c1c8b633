import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy between the services and Redis that can cut and withhold. */
export class CutProxy {
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #withholding = false;

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
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(data));
    if (this.#withholding) for (const socket of pair) socket.pause();
  }
}
