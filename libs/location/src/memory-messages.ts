import { epochMs } from '@rollcall/kernel';
import type { Clock, EpochMs } from '@rollcall/kernel';
import type { MessageLimits, MessageStore, OfflineMessage } from './messages.ts';
import type { Aor } from './model.ts';

interface Kept extends OfflineMessage {
  readonly takenUntil: number;
}

/** `MessageStore` in the memory of one process: for tests, and for reading what the contract means. */
export class MemoryMessages implements MessageStore {
  readonly #kept = new Map<Aor, Kept[]>();
  #serial = 0;

  constructor(private readonly clock: Clock) {}

  put(
    aor: Aor,
    { message, expiresAt }: Pick<OfflineMessage, 'message' | 'expiresAt'>,
    limits: MessageLimits,
  ): Promise<'kept' | 'full'> {
    const live = this.#live(aor);
    if (live.length >= limits.messages || message.length > limits.octets) return Promise.resolve('full');
    this.#serial += 1;
    const id = String(this.#serial).padStart(9, '0');
    this.#kept.set(aor, [...live, { id, message, at: this.clock.now(), expiresAt, takenUntil: 0 }]);
    return Promise.resolve('kept');
  }

  take(aor: Aor, limit: number, forMs: number): Promise<readonly OfflineMessage[]> {
    const now = this.clock.now();
    const taken: OfflineMessage[] = [];
    const next = this.#live(aor).map((kept) => {
      if (kept.takenUntil > now || taken.length >= limit) return kept;
      const { id, message, at, expiresAt } = kept;
      taken.push({ id, message, at, expiresAt });
      return { ...kept, takenUntil: now + forMs };
    });
    this.#kept.set(aor, next);
    return Promise.resolve(taken);
  }

  settle(aor: Aor, id: string, delivered: boolean, again: EpochMs = epochMs(0)): Promise<void> {
    const next = this.#live(aor).flatMap((kept) => {
      if (kept.id !== id) return [kept];
      return delivered ? [] : [{ ...kept, takenUntil: again }];
    });
    this.#kept.set(aor, next);
    return Promise.resolve();
  }

  #live(aor: Aor): Kept[] {
    const now = this.clock.now();
    return (this.#kept.get(aor) ?? []).filter(({ expiresAt }) => expiresAt > now);
  }
}
