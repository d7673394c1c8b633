import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DomainFeed } from '../src/index.ts';
import type { Domain } from '../src/index.ts';

/** A source whose readings end when the test says so, and timers that it fires by hand. */
class Bench {
  readonly readings: { resolve: (domains: readonly Domain[]) => void; reject: (error: Error) => void }[] = [];
  readonly taken: string[][] = [];
  readonly failures: unknown[] = [];
  readonly timers = new Map<object, () => void>();
  changed: (() => void) | undefined;
  refuse = false;
  readonly feed: DomainFeed;

  constructor() {
    this.feed = new DomainFeed(
      {
        list: () => new Promise((resolve, reject) => this.readings.push({ resolve, reject })),
        onChange: (listener) => {
          this.changed = listener;
          return () => (this.changed = undefined);
        },
      },
      {
        start: (ms, fire) => {
          const handle = { ms };
          this.timers.set(handle, fire);
          return handle;
        },
        stop: (handle) => void this.timers.delete(handle),
      },
      (domains) => {
        if (this.refuse) throw new Error('no use for it');
        this.taken.push(domains.map(({ name }) => name));
      },
      (error) => this.failures.push(error),
    );
    this.feed.start();
  }

  /** Ends the last reading with these domains. */
  async give(...names: string[]): Promise<void> {
    this.readings.at(-1)!.resolve(names.map((name) => ({ name })));
    await nextTurn();
  }

  async fail(): Promise<void> {
    this.readings.at(-1)!.reject(new Error('away'));
    await nextTurn();
  }

  async fireTimers(): Promise<void> {
    const due = [...this.timers.values()];
    this.timers.clear();
    for (const fire of due) fire();
    await nextTurn();
  }
}

describe('the feed of domains', () => {
  it('is ready with the first list', async () => {
    const bench = new Bench();
    expect(bench.feed.ready).toBe(false);
    await bench.give('a.test');
    expect([bench.feed.ready, bench.taken]).toEqual([true, [['a.test']]]);
  });

  it('reads once more for any number of changes during a reading', async () => {
    const bench = new Bench();
    bench.changed?.();
    bench.changed?.();
    expect(bench.readings).toHaveLength(1);
    await bench.give('a.test');
    expect(bench.readings).toHaveLength(2);
    await bench.give('a.test', 'b.test');
    expect(bench.readings).toHaveLength(2);
    expect(bench.taken).toEqual([['a.test'], ['a.test', 'b.test']]);
  });

  it('tries again after a second when the list cannot be read, or not be taken', async () => {
    const bench = new Bench();
    await bench.fail();
    expect([bench.feed.ready, bench.failures.length, bench.readings.length]).toEqual([false, 1, 1]);
    expect([...bench.timers.keys()]).toEqual([{ ms: 1_000 }]);
    await bench.fireTimers();
    bench.refuse = true;
    await bench.give('a.test');
    expect([bench.feed.ready, bench.failures.length, bench.timers.size]).toEqual([false, 2, 1]);
    bench.refuse = false;
    await bench.fireTimers();
    await bench.give('a.test');
    expect([bench.feed.ready, bench.taken, bench.timers.size]).toEqual([true, [['a.test']], 0]);
  });

  it('a change takes the place of the retry', async () => {
    const bench = new Bench();
    await bench.fail();
    bench.changed?.();
    expect([bench.readings.length, bench.timers.size]).toEqual([2, 0]);
  });

  it('takes nothing and starts nothing once it is stopped', async () => {
    const bench = new Bench();
    bench.changed?.();
    bench.feed.stop();
    expect(bench.changed).toBeUndefined();
    await bench.give('a.test');
    expect([bench.taken, bench.readings.length, bench.feed.ready]).toEqual([[], 1, false]);
    const away = new Bench();
    away.feed.stop();
    await away.fail();
    expect([away.failures, away.timers.size]).toEqual([[], 0]);
  });
});
