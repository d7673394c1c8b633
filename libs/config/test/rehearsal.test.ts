import { beforeEach, describe, expect, it } from 'vitest';
import { rehearse } from '../src/index.ts';
import type { Rehearsal, Stage } from '../src/index.ts';

/** A stage where each scene has two exchanges and takes as long as the test says. */
class FakeStage implements Stage {
  scene: () => Promise<number> = () =>
    new Promise((resolve) => {
      setImmediate(() => {
        resolve(2);
      });
    });
  open = 0;
  plays = 0;

  play(): Promise<number> {
    this.plays += 1;
    return this.scene();
  }

  close(): Promise<void> {
    this.open -= 1;
    return Promise.resolve();
  }
}

const LONG_MS = 60_000;
let stage: FakeStage;
let curtain: AbortController;
let said: { level: string; message: string; exchanges: unknown }[];

const run = (change: Partial<Rehearsal> = {}): Promise<void> => {
  const say = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    said.push({ level, message, exchanges: fields['exchanges'] });
  };
  return rehearse({
    open: () => {
      stage.open += 1;
      return Promise.resolve(stage);
    },
    ms: LONG_MS,
    signal: curtain.signal,
    log: { info: say('info'), warn: say('warn') },
    ...change,
  });
};

beforeEach(() => {
  stage = new FakeStage();
  curtain = new AbortController();
  said = [];
});

describe('O03 a rehearsal', () => {
  it('O03 ends when enough has been played, counts every exchange, and says so in one line', async () => {
    await run({ exchanges: 40, lanes: 4 });
    expect(said).toEqual([{ level: 'info', message: 'rehearsed', exchanges: stage.plays * 2 }]);
    expect(stage.plays).toBeGreaterThanOrEqual(20);
    expect(stage.plays).toBeLessThan(24);
    expect(stage.open).toBe(0);
  });

  it('O03 ends when its time is up, whatever is still being played', async () => {
    const first = stage.scene();
    stage.scene = () => (stage.plays === 1 ? first : new Promise(() => undefined));
    await run({ ms: 30, lanes: 2 });
    expect(said).toEqual([{ level: 'info', message: 'rehearsed', exchanges: 2 }]);
    expect(stage.open).toBe(0);
  });

  it('O03 ends at once, without a word, when it is told to', async () => {
    stage.scene = () => new Promise(() => undefined);
    const over = run();
    setImmediate(() => {
      curtain.abort();
    });
    await over;
    expect(said).toEqual([]);
    expect(stage.open).toBe(0);
  });

  it('O03 ends the same way while its stage is being opened, and closes that', async () => {
    const over = run({ open: later });
    curtain.abort();
    await over;
    expect(said).toEqual([]);
    expect(stage.open).toBe(0);
  });

  it.each<[string, Partial<Rehearsal>, () => void]>([
    ['cannot be opened', { open: () => Promise.reject(new Error('no port')) }, () => undefined],
    [
      'has an exchange that goes wrong',
      {},
      () => {
        stage.scene = () => Promise.reject(new Error('500'));
      },
    ],
    [
      'has no exchange that comes to its end',
      { ms: 20 },
      () => {
        stage.scene = () => new Promise(() => undefined);
      },
    ],
    ['is not opened in time', { ms: 20, open: () => later() }, () => undefined],
  ])('O03 that %s is one warning, and what was opened is closed', async (_, change, arrange) => {
    arrange();
    await run(change);
    expect(said.map(({ level }) => level)).toEqual(['warn']);
    expect(stage.open).toBe(0);
  });

  it('O03 that has no time, or comes when all is over, does not begin', async () => {
    await run({ ms: 0 });
    curtain.abort();
    await run();
    expect(said).toEqual([]);
    expect(stage.plays).toBe(0);
  });
});

/** A stage that is there when nobody waits for it any more. */
const later = (): Promise<Stage> =>
  new Promise((resolve) => {
    setTimeout(() => {
      stage.open += 1;
      resolve(stage);
    }, 60);
  });
