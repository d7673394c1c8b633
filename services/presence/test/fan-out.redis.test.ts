import { afterEach, describe, expect, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { PresenceRun, until } from './harness/presence-run.ts';
import type { RunSize } from './harness/presence-run.ts';

/*
 * Small forms of what `npm run notifications` runs at length. The checker knows each watcher's last state and CSeq, and compares
 * with what the store holds at the end.
 */

let run: PresenceRun | undefined;
const start = async (size: RunSize, appendOnly = false): Promise<PresenceRun> =>
  (run = await PresenceRun.start(size, appendOnly));

/** Takeover takes a claim or a lease of 5 s, and the poll after it a second; the machine may be slow. */
const PATIENCE_MS = 40_000;

afterEach(async () => {
  await run?.stop();
  run = undefined;
});

describe('one resource, many watchers', () => {
  test('S23 K23 five changes in a second: coalesced, in order, and the last state reaches all', async () => {
    const size = { replicas: 2, resources: 1, watchers: 600 };
    const mine = await start(size);
    await mine.subscribe(size.watchers);
    await until('the first NOTIFYs', () => mine.watchers.notifies >= size.watchers, PATIENCE_MS);
    const before = mine.watchers.notifies;
    for (let n = 0; n < 5; n += 1) {
      expect(await mine.change(n)).toBe(true);
      await sleep(200);
    }
    const report = await mine.settle(performance.now(), PATIENCE_MS);
    expect(report).toMatchObject({ stale: 0, problems: [] });
    expect(mine.watchers.notifies - before).toBeLessThanOrEqual(5 * size.watchers);
  });
});

describe('faults under change load', () => {
  const size = { replicas: 2, resources: 4, watchers: 200 };

  test('S24 F01 presence: kill -9 in the middle of a fan-out: nobody is left stale, no CSeq twice or backwards', async () => {
    const mine = await start(size);
    await mine.subscribe(size.watchers);
    let ends = false;
    const load = mine.changeUntil(() => ends, 20);
    await sleep(500);
    const doomed = mine.replicas.shift();
    await doomed?.kill();
    await mine.addReplica();
    await sleep(500);
    ends = true;
    await load;
    const report = await mine.settle(performance.now(), PATIENCE_MS);
    expect(report).toMatchObject({ stale: 0, problems: [] });
  });

  test('S24 rolling restart of all replicas: likewise', async () => {
    const mine = await start(size);
    await mine.subscribe(size.watchers);
    let ends = false;
    const load = mine.changeUntil(() => ends, 20);
    for (let n = 0; n < size.replicas; n += 1) {
      await mine.addReplica();
      const leaving = mine.replicas.shift();
      await leaving?.stop();
    }
    ends = true;
    await load;
    const report = await mine.settle(performance.now(), PATIENCE_MS);
    expect(report).toMatchObject({ stale: 0, problems: [] });
  });

  test('F02 kill -9 of Redis: what was acknowledged is told once it is back', async () => {
    const mine = await start(size, true);
    await mine.subscribe(size.watchers);
    let ends = false;
    const load = mine.changeUntil(() => ends, 20);
    await sleep(500);
    await mine.redis.kill();
    await sleep(300);
    await mine.redis.begin();
    await sleep(1_500);
    ends = true;
    await load;
    const report = await mine.settle(performance.now(), PATIENCE_MS);
    expect(report).toMatchObject({ stale: 0, problems: [] });
  });
});
