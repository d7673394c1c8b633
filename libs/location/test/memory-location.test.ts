import { describe, expect, test } from 'vitest';
import { epochMs } from '@rollcall/kernel';
import { locationContract } from '../src/contract/index.ts';
import { commitOnce, freshAor, sampleBinding } from '../src/contract/samples.ts';
import { CursorTooOld, MemoryLocation } from '../src/index.ts';

const START = epochMs(1_700_000_000_000);
const clock = { now: () => START };

locationContract('memory', () => {
  const store = new MemoryLocation(clock);
  return Promise.resolve({ store, clock: store });
});

describe('what only the memory adapter does', () => {
  test('the oldest records go when the limit is reached', async () => {
    const store = new MemoryLocation(clock, { records: 2 });
    const aors = [freshAor(), freshAor(), freshAor()];
    for (const aor of aors) await commitOnce(store, aor, 0, [sampleBinding(START)]);
    expect((await store.read(aors[0]!)).version).toBe(0);
    expect((await store.read(aors[2]!)).version).toBeGreaterThan(0);
  });

  test('a cursor older than what is kept is an error, not a gap', async () => {
    const store = new MemoryLocation(clock, { events: 2 });
    let version = 0;
    const aor = freshAor();
    for (let index = 0; index < 9; index++) {
      const binding = sampleBinding(START);
      version = await commitOnce(store, aor, version, [binding], [{ kind: 'registered', binding }]);
    }
    await expect(store.watch('1', () => undefined, new AbortController().signal)).rejects.toThrow(
      CursorTooOld,
    );
  });
});
