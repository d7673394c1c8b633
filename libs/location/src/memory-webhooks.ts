import type { Clock } from '@rollcall/kernel';
import { epochMs } from '@rollcall/kernel';
import type { Page } from './directory.ts';
import { DEAD_LETTERS_KEPT, MAX_WEBHOOKS } from './webhooks.ts';
import type { DeadLetter, Webhook, Webhooks } from './webhooks.ts';

/** Webhooks in the memory of one process: for tests. */
export class MemoryWebhooks implements Webhooks {
  readonly #hooks = new Map<string, Webhook>();
  readonly #positions = new Map<string, string>();
  readonly #leases = new Map<string, { readonly holder: string; readonly until: number }>();
  readonly #dead = new Map<string, DeadLetter[]>();
  #count = 0;

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  list(): Promise<readonly Webhook[]> {
    return Promise.resolve([...this.#hooks.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  find(id: string): Promise<Webhook | undefined> {
    return Promise.resolve(this.#hooks.get(id));
  }

  put(webhook: Webhook): Promise<boolean> {
    if (!this.#hooks.has(webhook.id) && this.#hooks.size >= MAX_WEBHOOKS) return Promise.resolve(false);
    this.#hooks.set(webhook.id, webhook);
    return Promise.resolve(true);
  }

  remove(id: string): Promise<boolean> {
    for (const kept of [this.#positions, this.#leases, this.#dead]) kept.delete(id);
    return Promise.resolve(this.#hooks.delete(id));
  }

  hold(id: string, holder: string, ttlMs: number): Promise<boolean> {
    const now = this.clock.now();
    const lease = this.#leases.get(id);
    if (lease !== undefined && lease.holder !== holder && lease.until > now) return Promise.resolve(false);
    this.#leases.set(id, { holder, until: now + ttlMs });
    return Promise.resolve(true);
  }

  release(id: string, holder: string): Promise<void> {
    if (this.#leases.get(id)?.holder === holder) this.#leases.delete(id);
    return Promise.resolve();
  }

  position(id: string): Promise<string | undefined> {
    return Promise.resolve(this.#positions.get(id));
  }

  moveOn(id: string, holder: string, position: string): Promise<boolean> {
    const lease = this.#leases.get(id);
    const held = lease?.holder === holder && lease.until > this.clock.now() && this.#hooks.has(id);
    if (held) this.#positions.set(id, position);
    return Promise.resolve(held);
  }

  bury(id: string, letter: Omit<DeadLetter, 'cursor' | 'at'>): Promise<void> {
    const letters = this.#dead.get(id) ?? [];
    this.#count += 1;
    letters.unshift({
      ...letter,
      cursor: String(this.#count).padStart(10, '0'),
      at: epochMs(this.clock.now()),
    });
    this.#dead.set(id, letters.slice(0, DEAD_LETTERS_KEPT));
    return Promise.resolve();
  }

  deadLetters(id: string, cursor: string | undefined, limit: number): Promise<Page<DeadLetter>> {
    const older = (this.#dead.get(id) ?? []).filter((one) => cursor === undefined || one.cursor < cursor);
    const items = older.slice(0, limit);
    const last = items.at(-1);
    return Promise.resolve(
      older.length > limit && last !== undefined ? { items, cursor: last.cursor } : { items },
    );
  }
}
