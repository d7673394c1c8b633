import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnsweredClients } from '../src/answered-clients.ts';

const LIMIT = 4;

describe('answered client transactions (timer K)', () => {
  it('agrees with a list, whatever is added, expires and is asked', () => {
    const key = fc.integer({ min: 0, max: 30 }).map((n) => `NOTIFY z9hG4bK${String(n)}`);
    const command = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), key, ms: fc.constant(0) }),
      fc.record({ kind: fc.constant('pass' as const), key, ms: fc.integer({ min: 1, max: 9 }) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const answered = new AnsweredClients(LIMIT);
        let model: { key: string; due: number }[] = [];
        let now = 0;
        for (const { kind, key: name, ms } of commands) {
          now += ms;
          if (kind === 'add') {
            answered.add(name, now + 5);
            model = [...model, { key: name, due: now + 5 }].slice(-LIMIT);
          } else {
            answered.expire(now);
            model = model.filter(({ due }) => due > now);
          }
          expect(answered.size).toBe(model.length);
          for (const { key: known } of model) expect(answered.has(known)).toBe(true);
          expect(answered.has(name)).toBe(model.some((one) => one.key === name));
        }
      }),
    );
  });
});
