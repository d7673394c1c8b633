import { describe, expect, it } from 'vitest';
import { type TimerName, timersFor, type TransportName } from '../src/index.ts';

/** RFC 3261 table 4 and RFC 6026 §8.11, in ms; undefined: the timer is not used. */
const TABLE: Record<TimerName, { udp: number | undefined; stream: number | undefined }> = {
  A: { udp: 500, stream: undefined },
  B: { udp: 32_000, stream: 32_000 },
  D: { udp: 32_000, stream: 0 },
  E: { udp: 500, stream: undefined },
  F: { udp: 32_000, stream: 32_000 },
  G: { udp: 500, stream: undefined },
  H: { udp: 32_000, stream: 32_000 },
  I: { udp: 5_000, stream: 0 },
  J: { udp: 32_000, stream: 0 },
  K: { udp: 5_000, stream: 0 },
  L: { udp: 32_000, stream: 32_000 },
  M: { udp: 32_000, stream: 32_000 },
};

describe('RFC 3261 table 4: timers are a function of the transport', () => {
  it.each(Object.entries(TABLE))('timer %s', (timer, { udp, stream }) => {
    expect(timersFor('udp').first(timer as TimerName)).toBe(udp);
    for (const transport of ['tcp', 'tls', 'ws', 'wss'] satisfies TransportName[]) {
      expect(timersFor(transport).first(timer as TimerName)).toBe(stream);
    }
  });

  it('§17.1.1.2: timer A doubles without limit, E and G stop at T2', () => {
    const timers = timersFor('udp');
    const sequence = (timer: TimerName): number[] => {
      const values = [500];
      while (values.length < 7) values.push(timers.next(timer, values.at(-1) ?? 0));
      return values;
    };
    expect(sequence('A')).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000]);
    expect(sequence('E')).toEqual([500, 1000, 2000, 4000, 4000, 4000, 4000]);
    expect(sequence('G')).toEqual([500, 1000, 2000, 4000, 4000, 4000, 4000]);
  });

  it('§17.1.1.2: timer D stays at 32 s when T1 is made smaller', () => {
    const quick = timersFor('udp', { t1: 10, t2: 40, t4: 50 });
    expect(quick.first('D')).toBe(32_000);
    expect(quick.first('B')).toBe(640);
  });

  it('RFC 4320 §4.1: the 100 to a non-INVITE is owed when timer E has reached T2', () => {
    expect(timersFor('udp').tryingAfter).toBe(500 + 1000 + 2000);
  });
});
