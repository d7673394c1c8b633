import { randomUUID } from 'node:crypto';
import type { LocationWatcher, Webhook, Webhooks } from '@rollcall/location';
import { StoreUnavailable } from '@rollcall/location';
import type { Logger } from '@rollcall/telemetry';
import { Courier, COURIER_LIMITS, type CourierCounters, type CourierLimits } from './courier.ts';
import type { Send } from './sender.ts';

export interface DispatcherOptions {
  readonly webhooks: Webhooks;
  readonly watcher: LocationWatcher;
  readonly send: Send;
  readonly log: Logger;
  readonly limits?: CourierLimits;
  /** How often leases are renewed and changed webhooks are noticed, ms; a lease lives six times as long. */
  readonly everyMs?: number;
}

const EVERY_MS = 2_000;
const LEASE_TURNS = 6;

interface Round {
  readonly hook: Webhook;
  readonly abort: AbortController;
}

/** Runs a courier for each webhook whose lease this process holds; the others are another replica's, until it dies. */
export class WebhookDispatcher {
  readonly counters: CourierCounters = { taken: 0, retried: 0, buried: 0, gaps: 0 };
  readonly #options: DispatcherOptions;
  readonly #holder = randomUUID();
  readonly #everyMs: number;
  readonly #rounds = new Map<string, Round>();
  readonly #work = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #turning = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#everyMs = options.everyMs ?? EVERY_MS;
  }

  /** Webhooks that this process delivers. */
  get running(): number {
    return this.#rounds.size;
  }

  start(): void {
    this.#timer = setInterval(() => {
      void this.#turn();
    }, this.#everyMs);
    void this.#turn();
  }

  /** Ends the deliveries and gives the leases back; what was under way is delivered again by whoever takes them. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const ids = [...this.#rounds.keys()];
    for (const { abort } of this.#rounds.values()) abort.abort();
    await Promise.all(this.#work);
    await Promise.allSettled(ids.map((id) => this.#options.webhooks.release(id, this.#holder)));
  }

  async #turn(): Promise<void> {
    if (this.#turning) return;
    this.#turning = true;
    try {
      const hooks = await this.#options.webhooks.list();
      const wanted = new Map(hooks.filter(({ enabled }) => enabled).map((hook) => [hook.id, hook]));
      for (const [id, round] of this.#rounds) {
        if (JSON.stringify(wanted.get(id)) !== JSON.stringify(round.hook)) round.abort.abort();
      }
      for (const hook of wanted.values()) await this.#keep(hook);
    } catch (error) {
      // The store is away: leases run out by themselves, couriers end by their own errors.
      if (!(error instanceof StoreUnavailable)) this.#options.log.error({ err: error }, 'webhooks failed');
    } finally {
      this.#turning = false;
    }
  }

  async #keep(hook: Webhook): Promise<void> {
    const { webhooks } = this.#options;
    const held = await webhooks.hold(hook.id, this.#holder, this.#everyMs * LEASE_TURNS);
    const round = this.#rounds.get(hook.id);
    if (held && round === undefined) this.#begin(hook);
    else if (!held) round?.abort.abort();
  }

  #begin(hook: Webhook): void {
    const { webhooks, watcher, send, log, limits = COURIER_LIMITS } = this.#options;
    const abort = new AbortController();
    const deps = { webhooks, watcher, send, holder: this.#holder, counters: this.counters, limits };
    const courier = new Courier({ ...deps, now: Date.now, random: Math.random }, hook, abort.signal);
    this.#rounds.set(hook.id, { hook, abort });
    const work = courier
      .run()
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable))
          log.error({ err: error, webhook: hook.id }, 'a webhook failed');
      })
      .finally(() => {
        this.#rounds.delete(hook.id);
        this.#work.delete(work);
      });
    this.#work.add(work);
  }
}
