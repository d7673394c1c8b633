import type { EpochMs } from '@rollcall/kernel';
import type { Aor } from './model.ts';

/** A MESSAGE (RFC 3428) that nobody was there to take. */
export interface OfflineMessage {
  /** Names it inside its AoR; ids sort in the order of arrival. */
  readonly id: string;
  /** The request as it is to be sent, without what belongs to hops: octets. */
  readonly message: string;
  readonly at: EpochMs;
  readonly expiresAt: EpochMs;
}

/** How many may wait, and how big they may be. */
export interface MessageLimits {
  /** For each AoR. */
  readonly messages: number;
  /** Octets of one message. */
  readonly octets: number;
}

/** Messages for users who are away. Every call throws `StoreUnavailable` when the store is. */
export interface MessageStore {
  /** Keeps a message until it is delivered or expires; `full` when there is no room for it. */
  put(
    aor: Aor,
    message: Pick<OfflineMessage, 'message' | 'expiresAt'>,
    limits: MessageLimits,
  ): Promise<'kept' | 'full'>;
  /**
   * Takes the oldest messages that nobody has taken, at most `limit`: they are whoever's who asked for `forMs`, and nobody else's.
   * What has not been settled by then can be taken again: its taker has died.
   */
  take(aor: Aor, limit: number, forMs: number): Promise<readonly OfflineMessage[]>;
  /** Ends a take: a delivered message is gone, any other can be taken again at `again` (undefined: at once). */
  settle(aor: Aor, id: string, delivered: boolean, again?: EpochMs): Promise<void>;
}
