import { expect, it } from 'vitest';
import { othersReady } from '../src/others-ready.ts';

const never = (): boolean => false;
const timed = async (wait: Promise<void>): Promise<number> => {
  const began = performance.now();
  await wait;
  return performance.now() - began;
};

it('O03 waits for all of them, no longer than it may', async () => {
  let asked = 0;
  const slow = { ready: () => (asked += 1) > 3 };
  const there = { ready: () => true };
  await othersReady([there, slow], 60_000, never);
  expect(asked).toBe(4);
  expect(await timed(othersReady([{ ready: never }], 120, never))).toBeGreaterThanOrEqual(115);
  await othersReady([{ ready: never }], 0, never);
});

it('O03 ends with the edge', async () => {
  await expect(othersReady([{ ready: never }], 60_000, () => true)).rejects.toThrow('stopped');
});
