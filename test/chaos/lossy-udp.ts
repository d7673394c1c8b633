import { createSocket, type Socket } from 'node:dgram';
import type { SeededRandom } from './random.ts';

/** Shares of all datagrams, 0 to 1. */
export interface Losses {
  readonly lost: number;
  readonly doubled: number;
  /** Held back for some milliseconds, so that later ones overtake them. */
  readonly late: number;
}

const LATE_MS = 40;

/** Datagrams between one client and one server, some of which get lost, come twice, or late. The client's answers come back the same way. */
export class LossyUdp {
  readonly #near: Socket = createSocket('udp4');
  readonly #far: Socket = createSocket('udp4');
  #stopped = false;
  #client: { readonly port: number; readonly address: string } | undefined;
  lost = 0;
  doubled = 0;
  late = 0;

  private constructor(
    private readonly losses: Losses,
    private readonly random: SeededRandom,
  ) {}

  static async start(
    server: { readonly host: string; readonly port: number },
    losses: Losses,
    random: SeededRandom,
  ): Promise<LossyUdp> {
    const proxy = new LossyUdp(losses, random);
    proxy.#near.on('message', (data, from) => {
      proxy.#client = from;
      proxy.#pass(() => {
        proxy.#far.send(data, server.port, server.host);
      });
    });
    proxy.#far.on('message', (data) => {
      const client = proxy.#client;
      if (client === undefined) return;
      proxy.#pass(() => {
        proxy.#near.send(data, client.port, client.address);
      });
    });
    await Promise.all(
      [proxy.#near, proxy.#far].map(
        (socket) => new Promise<void>((resolve) => socket.bind(0, server.host, resolve)),
      ),
    );
    return proxy;
  }

  get port(): number {
    return this.#near.address().port;
  }

  stop(): void {
    this.#stopped = true;
    this.#near.close();
    this.#far.close();
  }

  #pass(send: () => void): void {
    if (this.random.next() < this.losses.lost) {
      this.lost += 1;
      return;
    }
    if (this.random.next() < this.losses.doubled) {
      this.doubled += 1;
      send();
    }
    if (this.random.next() < this.losses.late) {
      this.late += 1;
      const later = (): void => {
        if (!this.#stopped) send();
      };
      setTimeout(later, this.random.between(1, LATE_MS)).unref();
    } else send();
  }
}
