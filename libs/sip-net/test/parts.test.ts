import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Flow } from '@rollcall/sip-transaction';
import { addressFromHex, addressHex, hostPort, plainAddress } from '../src/addresses.ts';
import { CompletedRing } from '../src/completed.ts';
import { hashText, highest, mix } from '../src/inner/rendezvous.ts';
import { TimerWheel } from '../src/timer-wheel.ts';
import { newToken } from '../src/tokens.ts';

describe('addresses', () => {
  it.each([
    ['192.0.2.1', 'c0000201'],
    ['0.0.0.0', '00000000'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['fe80::1', 'fe800000000000000000000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ])('%s is %s in a flow id, and back', (address, hex) => {
    expect(addressHex(address)).toBe(hex);
    expect(addressFromHex(hex)).toBe(address);
  });
  it.each(['', 'c00002', 'g0000201', 'C0000201'])('%j names no address', (hex) => {
    expect(addressFromHex(hex)).toBeUndefined();
  });
  it('writes IPv6 in brackets, and mapped IPv4 as IPv4', () => {
    expect(hostPort('2001:db8::1', 5060)).toBe('[2001:db8::1]:5060');
    expect(plainAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(plainAddress('::1')).toBe('::1');
  });
});

describe('TimerWheel', () => {
  it('fires each timer once, in time, never early, and none that was stopped', () => {
    const item = fc.record({ at: fc.nat(5_000), ms: fc.nat(200_000), stop: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 40 }),
        (items, steps) => {
          const tick = 50;
          const wheel = new TimerWheel(0, tick, 64);
          const fired: { what: string; now: number }[] = [];
          let now = 0;
          const user = {
            onTimer: (what: string) => {
              fired.push({ what, now });
            },
          };
          const started = items.map(({ ms, stop }, index) => ({
            index,
            ms,
            stop,
            timer: wheel.start(ms, 0, user, String(index)),
          }));
          for (const { stop, timer } of started) if (stop) wheel.stop(timer);
          let previous = 0;
          for (const step of [...steps, 400_000]) {
            previous = now;
            now += step;
            const before = fired.length;
            wheel.turn(now);
            for (const { what } of fired.slice(before)) {
              const { ms } = items[Number(what)] ?? { ms: Infinity };
              expect(ms).toBeLessThanOrEqual(now);
              expect(ms).toBeGreaterThan(previous - 2 * tick);
            }
          }
          expect(fired.map(({ what }) => Number(what)).sort((a, b) => a - b)).toEqual(
            started.filter(({ stop }) => !stop).map(({ index }) => index),
          );
          expect(wheel.size).toBe(0);
        },
      ),
    );
  });

  it('lets a timer that fires stop its neighbours and start new ones', () => {
    const wheel = new TimerWheel(0, 10, 8);
    const fired: string[] = [];
    const user = {
      onTimer: (what: string) => {
        fired.push(what);
        if (what !== 'first') return;
        wheel.stop(second);
        wheel.start(0, 10, user, 'new');
      },
    };
    wheel.start(10, 0, user, 'first');
    const second = wheel.start(10, 0, user, 'second');
    wheel.start(10, 0, user, 'third');
    wheel.turn(10);
    expect(fired).toEqual(['first', 'third']);
    wheel.turn(20);
    expect(fired).toEqual(['first', 'third', 'new']);
  });

  it('a clock that goes back fires nothing', () => {
    const wheel = new TimerWheel(1_000, 10);
    wheel.start(10, 1_000, { onTimer: () => expect.unreachable() }, 'x');
    wheel.turn(0);
    expect(wheel.size).toBe(1);
  });
});

describe('CompletedRing', () => {
  /** Remembers what is sent through it. */
  class Sink {
    sent: string[] = [];
    send(message: string): boolean {
      this.sent.push(message);
      return true;
    }
  }

  it('answers as a plain list of the youngest would, within its bounds', () => {
    const entry = fc.record({ length: fc.integer({ min: 0, max: 60 }), wait: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 80 }), (entries) => {
        const ring = new CompletedRing(8, 200);
        const sink = new Sink();
        const kept: { key: string; response: string; due: number }[] = [];
        let now = 0;
        for (const [index, { length, wait }] of entries.entries()) {
          now += wait;
          ring.expire(now);
          const key = `key ${String(index)}`;
          const response = String.fromCharCode(33 + (index % 90)).repeat(length);
          ring.add(key, response, sink as unknown as Flow, now + 100);
          kept.push({ key, response, due: now + 100 });
          const alive = kept.slice(kept.length - ring.size);
          expect(ring.size).toBeGreaterThan(0);
          expect(ring.size).toBeLessThanOrEqual(8);
          for (const { key: other, response: expected, due } of alive) {
            expect(due).toBeGreaterThan(now);
            sink.sent = [];
            expect(ring.resend(other)).toBe(true);
            expect(sink.sent).toEqual([expected]);
          }
          for (const { key: other } of kept.slice(0, kept.length - ring.size))
            expect(ring.resend(other)).toBe(false);
        }
        ring.expire(now + 101);
        expect(ring.size).toBe(0);
      }),
    );
  });

  it('keeps no response that is larger than all its memory', () => {
    const ring = new CompletedRing(8, 10);
    ring.add('k', 'x'.repeat(11), new Sink() as unknown as Flow, 1);
    expect(ring.size).toBe(0);
  });
});

describe('rendezvous hashing', () => {
  const replicas = ['a:1', 'b:1', 'c:1', 'd:1'].map((name) => ({ name, seed: hashText(name) }));
  const choose = (key: string, among: typeof replicas): string =>
    highest(hashText(key), among, () => true)?.name ?? '';

  it('spreads keys evenly', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 8_000; i += 1) {
      const name = choose(`sip:u${String(i)}@example.test`, replicas);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const { name } of replicas) expect(counts.get(name)).toBeGreaterThan(1_800);
  });

  it('moves only the keys of one that goes', () => {
    const fewer = replicas.slice(1);
    for (let i = 0; i < 1_000; i += 1) {
      const key = `sip:u${String(i)}@example.test`;
      const before = choose(key, replicas);
      if (before !== 'a:1') expect(choose(key, fewer)).toBe(before);
    }
  });

  it('takes none when none is usable', () => {
    expect(highest(1, replicas, () => false)).toBeUndefined();
    expect(mix(1, 2)).toBe(mix(1, 2));
  });
});

it('newToken gives tokens of SIP, each only once', () => {
  const tokens = Array.from({ length: 5_000 }, newToken);
  expect(new Set(tokens).size).toBe(5_000);
  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{12}$/);
});
