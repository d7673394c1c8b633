import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { MessageStore } from '../messages.ts';
import { freshAor } from './samples.ts';

/** What an adapter hands to the suite: a store, the same store as another process sees it, and its time. */
export interface MessagesUnderTest {
  readonly messages: MessageStore;
  readonly elsewhere: MessageStore;
  readonly now: () => EpochMs;
}

const LIMITS = { messages: 3, octets: 1_000 };
const MINUTE_MS = 60_000;

/** The contract of the store for messages to users who are away, as vitest tests. */
export function messagesContract(name: string, open: () => Promise<MessagesUnderTest>): void {
  describe(`C09 offline messages contract: ${name}`, () => {
    test('C09 messages are taken in order, octet for octet, by one taker only, and are gone when delivered', async () => {
      const { messages, elsewhere, now } = await open();
      const aor = freshAor();
      const expiresAt = epochMs(now() + MINUTE_MS);
      const texts = ['MESSAGE one \u00e4\u0000|"\r\n', 'MESSAGE two', 'MESSAGE three'];
      for (const message of texts)
        expect(await messages.put(aor, { message, expiresAt }, LIMITS)).toBe('kept');
      const [here, there] = await Promise.all([
        messages.take(aor, 2, MINUTE_MS),
        elsewhere.take(aor, 2, MINUTE_MS),
      ]);
      expect([...here, ...there].map(({ message }) => message).sort()).toEqual([...texts].sort());
      const all = [...here, ...there].sort((a, b) => (a.id < b.id ? -1 : 1));
      expect(all.map(({ message }) => message)).toEqual(texts);
      for (const { expiresAt: told } of all) expect(told).toBe(expiresAt);
      expect(await messages.take(aor, 9, MINUTE_MS)).toEqual([]);
      for (const { id } of all) await elsewhere.settle(aor, id, true);
      expect(await messages.put(aor, { message: 'next', expiresAt }, LIMITS)).toBe('kept');
    });

    test('C09 what was not delivered can be taken again, and so can what its taker has not settled', async () => {
      const { messages, elsewhere, now } = await open();
      const aor = freshAor();
      await messages.put(aor, { message: 'one', expiresAt: epochMs(now() + MINUTE_MS) }, LIMITS);
      const [first] = await messages.take(aor, 1, MINUTE_MS);
      await messages.settle(aor, first?.id ?? '', false, epochMs(now() + MINUTE_MS));
      expect(await elsewhere.take(aor, 1, MINUTE_MS)).toEqual([]);
      await messages.settle(aor, first?.id ?? '', false);
      expect((await elsewhere.take(aor, 1, 0)).map(({ message }) => message)).toEqual(['one']);
      expect((await messages.take(aor, 1, 0)).map(({ message }) => message)).toEqual(['one']);
    });

    test('C09 there is room for so many and so much, and none for what has expired', async () => {
      const { messages, now } = await open();
      const aor = freshAor();
      const expiresAt = epochMs(now() + MINUTE_MS);
      const put = (message: string): Promise<'kept' | 'full'> =>
        messages.put(aor, { message, expiresAt }, LIMITS);
      expect(await put('x'.repeat(LIMITS.octets + 1))).toBe('full');
      expect([await put('1'), await put('2'), await put('3'), await put('4')]).toEqual([
        'kept',
        'kept',
        'kept',
        'full',
      ]);
      const other = freshAor();
      expect(await messages.put(other, { message: 'late', expiresAt: epochMs(now() - 1) }, LIMITS)).toBe(
        'kept',
      );
      expect(await messages.take(other, 9, 0)).toEqual([]);
    });
  });
}
