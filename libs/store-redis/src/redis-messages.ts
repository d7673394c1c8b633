import { randomBytes } from 'node:crypto';
import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { Aor, MessageLimits, MessageStore, OfflineMessage, StoreClock } from '@rollcall/location';
import { listOf, numberOf, textOf } from './call.ts';
import type { StoreClient } from './client.ts';
import { shardKey, shardOf } from './keys.ts';
import { SHARD_SLOTS } from './redis-location.ts';
import { defineScript } from './script.ts';

const putScript = defineScript(new URL('../scripts/put-message.lua', import.meta.url), 1);
const takeScript = defineScript(new URL('../scripts/take-messages.lua', import.meta.url), 1);
const settleScript = defineScript(new URL('../scripts/settle-message.lua', import.meta.url), 1);

/** Of the time in an id: enough until the year 5138, so that ids sort as text. */
const TIME_DIGITS = 14;
const SERIAL_DIGITS = 6;
const SERIALS = 10 ** SERIAL_DIGITS;
const RANDOM_OCTETS = 3;
/** Elements of one message in the reply of `take-messages.lua`. */
const STRIDE = 3;

/** Messages for users who are away, in Redis: a hash for each AoR that has any, in the AoR's shard. */
export class RedisMessages implements MessageStore {
  #serial = 0;

  constructor(
    private readonly client: StoreClient,
    private readonly clock: StoreClock,
  ) {}

  async put(
    aor: Aor,
    { message, expiresAt }: Pick<OfflineMessage, 'message' | 'expiresAt'>,
    limits: MessageLimits,
  ): Promise<'kept' | 'full'> {
    if (message.length > limits.octets) return 'full';
    const now = this.clock.now();
    const arguments_ = [this.#newId(now), String(expiresAt), message, String(limits.messages), String(now)];
    const reply = await this.client.run(putScript, slotOfAor(aor), [keyOf(aor), ...arguments_]);
    return textOf(reply) === 'full' ? 'full' : 'kept';
  }

  async take(aor: Aor, limit: number, forMs: number): Promise<readonly OfflineMessage[]> {
    const now = this.clock.now();
    const reply = listOf(
      await this.client.run(takeScript, slotOfAor(aor), [
        keyOf(aor),
        String(limit),
        String(now),
        String(now + forMs),
      ]),
    );
    const messages: OfflineMessage[] = [];
    for (let i = 0; i + STRIDE <= reply.length; i += STRIDE) {
      const id = textOf(reply[i]);
      messages.push({
        id,
        message: textOf(reply[i + 2]),
        at: epochMs(Number(id.slice(0, TIME_DIGITS))),
        expiresAt: epochMs(numberOf(reply[i + 1])),
      });
    }
    return messages;
  }

  async settle(aor: Aor, id: string, delivered: boolean, again: EpochMs = epochMs(0)): Promise<void> {
    const until = delivered ? '' : String(again);
    await this.client.run(settleScript, slotOfAor(aor), [keyOf(aor), id, until]);
  }

  #newId(now: EpochMs): string {
    this.#serial = (this.#serial + 1) % SERIALS;
    const serial = String(this.#serial).padStart(SERIAL_DIGITS, '0');
    return `${String(now).padStart(TIME_DIGITS, '0')}-${serial}-${randomBytes(RANDOM_OCTETS).toString('hex')}`;
  }
}

const keyOf = (aor: Aor): string => shardKey(shardOf(aor), `msg:${aor}`);
const slotOfAor = (aor: Aor): number => SHARD_SLOTS[shardOf(aor)] ?? 0;
